/* SPDX-License-Identifier: Apache-2.0
 *
 * attack: what attacks on sessions share. Each is a Check case of its own name, which fails when
 * the attack succeeds. README.md says how the same program runs against weakened builds.
 */
#ifndef PETREL_TESTS_ATTACK_ATTACK_H
#define PETREL_TESTS_ATTACK_ATTACK_H

#include <check.h>

#define ATTACK_SUCCEEDED "the attack succeeded: "

/* Fails the case as an attack that succeeded: other failures are faults of the test. */
#define attack_must_fail(succeeded, ...) ck_assert_msg(!(succeeded), ATTACK_SUCCEEDED __VA_ARGS__)

/* One attack; setup and teardown run around it. */
#define attack_add(suite, attack, setup, teardown)                                                 \
    attack_add_case(suite, #attack, attack, setup, teardown)
void attack_add_case(Suite *suite, const char *name, const TTest *test, void (*setup)(void),
                     void (*teardown)(void));

/* What each file has. */
void add_thief(Suite *suite);
void add_stolen_keys(Suite *suite);
void add_replay(Suite *suite);

#endif
