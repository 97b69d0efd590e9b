/* SPDX-License-Identifier: Apache-2.0
 *
 * hostenv: this machine's clocks and randomness, as the struct env that sans-I/O code is handed.
 * docs/architecture.md, "The house".
 *
 * Owns nothing; any thread.
 */
#ifndef PETREL_DAEMON_HOSTENV_H
#define PETREL_DAEMON_HOSTENV_H

#include <stdint.h>

#include "base/env.h"

/* Unix ms. */
uint64_t hostenv_wall_ms(void);
/* ms that never step back, from an unnamed start. */
uint64_t hostenv_mono_ms(void);
/* The same clock in us. */
uint64_t hostenv_mono_us(void);
/* now_ms: Unix ms. The randomness is libsodium's. */
struct env hostenv_at(uint64_t now_ms);

#endif
