/* SPDX-License-Identifier: Apache-2.0
 *
 * sd: the few datagrams that systemd wants of a service (sd_notify(3)), without its library.
 * Does nothing where $NOTIFY_SOCKET is not set.
 */
#ifndef PETREL_DAEMON_IO_SD_H
#define PETREL_DAEMON_IO_SD_H

#include <stdint.h>

/* state: "READY=1", "STOPPING=1", "WATCHDOG=1", "RELOADING=1". Failures are not reported: nobody
 * could do anything about them. */
void sd_notify_state(const char *state);
/* How often WATCHDOG=1 is to be sent, ms: half of $WATCHDOG_USEC; 0: not wanted. */
uint64_t sd_watchdog_ms(void);

#endif
