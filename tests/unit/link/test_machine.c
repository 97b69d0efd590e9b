/* SPDX-License-Identifier: Apache-2.0 */
#include "link/machine.h"

#include "lib/unit.h"

static bool closes(enum machine_effect e)
{
    return e == MACHINE_BYE || e == MACHINE_REFUSE || e == MACHINE_DROP;
}

START_TEST(every_cell_is_filled_and_closing_effects_close)
{
    unsigned cells = 0;
    for (int s = 0; s < MACHINE_STATES; s++) {
        for (int i = 0; i < MACHINE_INPUTS; i++) {
            struct machine_step step = machine_step((enum machine_state)s, (enum machine_input)i);
            ck_assert_int_lt(step.next, MACHINE_STATES);
            ck_assert_int_le(step.effect, MACHINE_DROP);
            if (s != MACHINE_CLOSED) {
                ck_assert_int_eq(step.next == MACHINE_CLOSED, closes(step.effect));
            }
            cells++;
        }
    }
    ck_assert_uint_eq(cells, 4 * 13);
}
END_TEST

START_TEST(closed_is_for_ever_and_silent)
{
    for (int i = 0; i < MACHINE_INPUTS; i++) {
        struct machine_step step = machine_step(MACHINE_CLOSED, (enum machine_input)i);
        ck_assert_int_eq(step.next, MACHINE_CLOSED);
        ck_assert_int_eq(step.effect, i == MACHINE_IN_SEND ? MACHINE_NOT_NOW : MACHINE_NOTHING);
    }
}
END_TEST

START_TEST(states_are_passed_in_order_only)
{
    for (int s = 0; s < MACHINE_CLOSED; s++) {
        for (int i = 0; i < MACHINE_INPUTS; i++) {
            struct machine_step step = machine_step((enum machine_state)s, (enum machine_input)i);
            bool forward = (int)step.next == s + 1 && step.next != MACHINE_CLOSED;
            ck_assert((int)step.next == s || step.next == MACHINE_CLOSED || forward);
            ck_assert(!forward ||
                      i == (s == MACHINE_HANDSHAKE ? MACHINE_IN_SPLIT : MACHINE_IN_HELLO));
        }
    }
}
END_TEST

START_TEST(only_an_open_link_carries_frames_and_the_handshake_fails_in_silence)
{
    for (int s = 0; s < MACHINE_STATES; s++) {
        for (int i = 0; i < MACHINE_INPUTS; i++) {
            enum machine_effect e =
                machine_step((enum machine_state)s, (enum machine_input)i).effect;
            bool carries =
                e == MACHINE_DELIVER || e == MACHINE_SEAL || e == MACHINE_PONG || e == MACHINE_PING;
            ck_assert(!carries || s == MACHINE_OPEN);
            bool speaks = e == MACHINE_BYE || e == MACHINE_REFUSE;
            ck_assert(!speaks || s == MACHINE_HELLO || s == MACHINE_OPEN);
        }
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, every_cell_is_filled_and_closing_effects_close);
    tcase_add_test(tc, closed_is_for_ever_and_silent);
    tcase_add_test(tc, states_are_passed_in_order_only);
    tcase_add_test(tc, only_an_open_link_carries_frames_and_the_handshake_fails_in_silence);
}

int main(void)
{
    return unit_main("link.machine", add);
}
