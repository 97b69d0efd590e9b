/* SPDX-License-Identifier: Apache-2.0
 *
 * sockaddr: what may be asked of an address before anything is sent there.
 */
#ifndef PETREL_DAEMON_IO_SOCKADDR_H
#define PETREL_DAEMON_IO_SOCKADDR_H

#include <stdbool.h>
#include <uv.h>

/* Whether it is private, loopback or link-local (RFC 6890). What is neither IPv4 nor IPv6 is
 * nowhere public. */
bool sockaddr_is_private(const struct sockaddr *address);
/* Whether the host is written as an address, so that no name is to be looked up. */
bool sockaddr_is_literal(const char *host);

#endif
