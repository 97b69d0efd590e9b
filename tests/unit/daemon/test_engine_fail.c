/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine_fail.h"

#include "lib/unit.h"

/* Judges one failed turn and, if the daemon lives on, what comes after it. */
static enum engine_verdict failed_turn(struct engine_fail *f, enum err err, enum engine_stage stage,
                                       size_t inputs, bool space, size_t left)
{
    enum engine_verdict verdict = engine_fail_judge(f, err, stage, inputs, space);
    if (verdict != ENGINE_FATAL) {
        engine_fail_next(f, verdict, left);
    }
    return verdict;
}

START_TEST(one_failure_changes_nothing)
{
    struct engine_fail f = {0};
    ck_assert_int_eq(failed_turn(&f, ERR_BUG, STAGE_STEP, 5, true, 5), ENGINE_RETRY);
    ck_assert_uint_eq(engine_fail_most(&f), LIMIT_TURN_INPUTS);
    engine_fail_none(&f, 5, false);
    ck_assert_uint_eq(f.failures, 0);
}
END_TEST

START_TEST(after_two_failures_inputs_run_alone_and_the_culprit_is_dropped)
{
    struct engine_fail f = {0};
    (void)failed_turn(&f, ERR_BUG, STAGE_STEP, 3, true, 3);
    ck_assert_int_eq(failed_turn(&f, ERR_BUG, STAGE_STEP, 3, true, 3), ENGINE_RETRY);
    ck_assert_uint_eq(engine_fail_most(&f), 1);
    engine_fail_none(&f, 1, true); /* the first of the three is innocent */
    ck_assert_uint_eq(engine_fail_most(&f), 1);
    ck_assert_int_eq(failed_turn(&f, ERR_BUG, STAGE_STEP, 1, true, 1), ENGINE_DROP);
    ck_assert_uint_eq(engine_fail_most(&f), 1); /* there may be another */
    engine_fail_none(&f, 1, false);
    ck_assert_uint_eq(engine_fail_most(&f), LIMIT_TURN_INPUTS);
}
END_TEST

START_TEST(a_store_that_fails_with_space_is_fatal_the_second_time)
{
    struct engine_fail f = {0};
    ck_assert_int_eq(failed_turn(&f, ERR_IO, STAGE_COMMIT, 1, true, 1), ENGINE_RETRY);
    ck_assert_int_eq(failed_turn(&f, ERR_IO, STAGE_COMMIT, 1, true, 1), ENGINE_FATAL);
}
END_TEST

START_TEST(a_full_disk_is_never_fatal_while_inputs_run)
{
    struct engine_fail f = {0};
    for (int i = 0; i < 10; i++) {
        ck_assert_int_ne(failed_turn(&f, ERR_DISK_FULL, STAGE_COMMIT, 1, false, 1), ENGINE_FATAL);
        ck_assert_int_ne(failed_turn(&f, ERR_MAP_FULL, STAGE_COMMIT, 1, true, 1), ENGINE_FATAL);
    }
}
END_TEST

START_TEST(a_core_that_fails_without_inputs_is_fatal_the_third_time)
{
    struct engine_fail f = {0};
    ck_assert_int_eq(failed_turn(&f, ERR_BUG, STAGE_STEP, 0, true, 0), ENGINE_RETRY);
    ck_assert_int_eq(failed_turn(&f, ERR_BUG, STAGE_STEP, 0, true, 0), ENGINE_RETRY);
    ck_assert_int_eq(failed_turn(&f, ERR_BUG, STAGE_STEP, 0, true, 0), ENGINE_FATAL);
}
END_TEST

START_TEST(commands_are_kept_in_order_and_what_came_over_links_is_not)
{
    struct engine_inputs done = {0};
    struct engine_inputs todo = {0};
    struct engine_inputs gone = {0};
    struct slice x = slice_of("x", 1);
    engine_input_append(&done, engine_input_command(1, 1, x, x, NULL));
    engine_input_append(&done, engine_input_frame(7, x));
    engine_input_append(&todo, engine_input_link(NODE_LINK_CLOSED, 7));
    engine_input_append(&todo, engine_input_command(1, 2, x, x, NULL));
    engine_fail_sort(&done, &todo, &gone);
    ck_assert_uint_eq(done.count, 0);
    ck_assert_uint_eq(gone.count, 2);
    ck_assert_uint_eq(todo.count, 2);
    ck_assert_uint_eq(todo.first->node.u.command.id, 1);
    ck_assert_uint_eq(todo.last->node.u.command.id, 2);
    engine_input_free_all(&gone);
    engine_input_free_all(&todo);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, one_failure_changes_nothing);
    tcase_add_test(tc, after_two_failures_inputs_run_alone_and_the_culprit_is_dropped);
    tcase_add_test(tc, a_store_that_fails_with_space_is_fatal_the_second_time);
    tcase_add_test(tc, a_full_disk_is_never_fatal_while_inputs_run);
    tcase_add_test(tc, a_core_that_fails_without_inputs_is_fatal_the_third_time);
    tcase_add_test(tc, commands_are_kept_in_order_and_what_came_over_links_is_not);
}

int main(void)
{
    return unit_main("daemon/engine_fail", add);
}
