/* SPDX-License-Identifier: Apache-2.0
 *
 * unit: what every unit test program shares: a main for one Check suite, the environment that
 * sans-I/O code is handed, and a stream of repeatable randomness.
 */
#ifndef PETREL_TESTS_LIB_UNIT_H
#define PETREL_TESTS_LIB_UNIT_H

#include <check.h>

#include "base/buf.h"
#include "base/env.h"

/* Runs one suite of one case; add puts the tests in. Prints Check's summary; returns an exit code.
 */
int unit_main(const char *name, void (*add)(TCase *tc));

/* An env whose randomness is BLAKE2b in counter mode over seed: the same in every run. State lives
 * in *u. */
struct unit_env {
    struct env env;
    uint64_t seed;
    uint64_t counter;
};
void unit_env_init(struct unit_env *u, uint64_t seed, uint64_t now_ms);

/* Decodes hex to out (cap bytes), returns the length; fails the test on bad hex. */
size_t unit_hex(const char *hex, uint8_t *out, size_t cap);
/* A slice of a text, without its NUL. */
struct slice unit_str(const char *s);

/* Like ck_assert_ok, also where no test runs: Check hears of it only when it failed. */
#define unit_must(expression)                                                                      \
    do {                                                                                           \
        enum err unit_got = (expression);                                                          \
        if (unit_got != ERR_OK) {                                                                  \
            ck_abort_msg("%s gave %s", #expression, err_name(unit_got));                           \
        }                                                                                          \
    } while (0)

#define ck_assert_err(expression, expected)                                                        \
    do {                                                                                           \
        enum err unit_got = (expression);                                                          \
        ck_assert_msg(unit_got == (expected), "%s gave %s, expected %s", #expression,              \
                      err_name(unit_got), err_name(expected));                                     \
    } while (0)
#define ck_assert_ok(expression) ck_assert_err(expression, ERR_OK)

#endif
