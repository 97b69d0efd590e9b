/* SPDX-License-Identifier: Apache-2.0
 *
 * attack [NAME...]: runs all attacks, or the one in $CK_RUN_CASE; those that are named must succeed
 * and all others fail. Anything else that goes wrong is wrong. attack --list: prints their names.
 */
#include "attack/attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

static int attacks;
static int listing;

void attack_add_case(Suite *suite, const char *name, const TTest *test, void (*setup)(void),
                     void (*teardown)(void))
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 110);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test);
    suite_add_tcase(suite, tc);
    attacks++;
    if (listing) {
        puts(name);
    }
}

static int named(const char *name, char **names)
{
    while (*names != NULL && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

/* How many of the results are wrong. */
static int judge(TestResult **results, int count, char **expected, int *succeeded)
{
    int wrong = 0;
    *succeeded = 0;
    for (int i = 0; i < count; i++) {
        const char *name = tr_tcname(results[i]);
        const char *said = tr_msg(results[i]);
        int failed = tr_rtype(results[i]) != CK_PASS;
        int success = failed && strncmp(said, ATTACK_SUCCEEDED, strlen(ATTACK_SUCCEEDED)) == 0;
        *succeeded += success;
        if (failed != success || success != named(name, expected)) {
            printf("%s: %s\n", name, failed ? said : "the attack failed");
            wrong++;
        }
    }
    return wrong;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        return EXIT_FAILURE;
    }
    listing = argc == 2 && strcmp(argv[1], "--list") == 0;
    Suite *suite = suite_create("attack");
    add_thief(suite);
    add_stolen_keys(suite);
    add_replay(suite);
    SRunner *runner = srunner_create(suite);
    if (listing) {
        srunner_free(runner);
        return EXIT_SUCCESS;
    }
#ifdef PETREL_SANITIZED
    srunner_set_fork_status(runner, CK_NOFORK);
#endif
    srunner_run_all(runner, CK_SILENT);
    int run = srunner_ntests_run(runner);
    int succeeded;
    TestResult **results = srunner_results(runner);
    int wrong = judge(results, run, argv + 1, &succeeded);
    free(results);
    srunner_free(runner);
    printf("%d of %d attacks run, %d succeeded, %d should have\n", run, attacks, succeeded,
           argc - 1);
    return wrong == 0 && run > 0 && succeeded == argc - 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
