/* SPDX-License-Identifier: Apache-2.0
 *
 * clock: the clock that petrelctl waits by.
 */
#ifndef PETREL_CTL_CLOCK_H
#define PETREL_CTL_CLOCK_H

#include <stdint.h>

/* ms that never step back, from an unnamed start. */
uint64_t clock_mono_ms(void);

#endif
