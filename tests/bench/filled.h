/* SPDX-License-Identifier: Apache-2.0
 *
 * filled: an account that has much, made by restoring records of it (docs/protocol/10-backup.md,
 * section 10.1): quick, and through the same functions as life.
 */
#ifndef PETREL_TESTS_BENCH_FILLED_H
#define PETREL_TESTS_BENCH_FILLED_H

#include "bench/call.h"

enum {
    FILLED_TEXT = 300, /* bytes of each message */
};

/* Makes an account with so many contacts, at least one, and messages / contacts messages of each,
 * by calls of a daemon that has none. It ends the bench when it cannot. How long that took, s.
 * After rig_begin. */
double filled_account(struct call *call, unsigned contacts, unsigned messages);

#endif
