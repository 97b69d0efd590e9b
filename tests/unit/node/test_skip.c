/* SPDX-License-Identifier: Apache-2.0 */
#include "node/skip.h"

#include <string.h>

#include "lib/unit.h"
#include "link/frame.h"
#include "relay/queue.h"

static uint8_t envelope[1024];
static uint8_t bytes[2048];

static struct slice filled(unsigned with)
{
    memset(envelope, (int)with, sizeof envelope);
    return slice_of(envelope, sizeof envelope);
}

/* A frame of this kind around a push of that envelope, under this number. */
static struct slice frame_of(uint8_t kind, unsigned with, uint64_t number)
{
    static uint8_t body[1500];
    struct queue_push push = {.number = number, .envelope = filled(with)};
    struct writer b = writer_of(body, sizeof body);
    struct writer w = writer_of(bytes, sizeof bytes);
    queue_push_write(&b, &push);
    struct frame frame = {.kind = kind, .body = writer_done(&b)};
    frame_write(&w, &frame);
    ck_assert_ok(w.err);
    return writer_done(&w);
}

START_TEST(a_push_is_skipped_after_three_failures_whatever_its_number)
{
    struct node_skip skip = {.next = 0};
    ck_assert(!node_skip_has(NULL, filled(1)));
    ck_assert(!node_skip_failed(&skip, frame_of(FRAME_QUEUE_PUSH, 1, 1)));
    ck_assert(!node_skip_failed(&skip, frame_of(FRAME_QUEUE_PUSH, 1, 2)));
    ck_assert(!node_skip_has(&skip, filled(1)));
    ck_assert(node_skip_failed(&skip, frame_of(FRAME_QUEUE_PUSH, 1, 9)));
    ck_assert(node_skip_has(&skip, filled(1)));
    ck_assert(!node_skip_has(&skip, filled(2)));
}
END_TEST

START_TEST(nothing_but_a_push_is_skipped)
{
    struct node_skip skip = {.next = 0};
    for (unsigned i = 0; i < 2 * SKIP_AFTER; i++) {
        ck_assert(!node_skip_failed(&skip, frame_of(FRAME_QUEUE_DEPOSIT, 1, 1)));
        ck_assert(!node_skip_failed(&skip, unit_str("no frame at all")));
    }
    ck_assert_uint_eq(skip.next, 0);
}
END_TEST

START_TEST(the_oldest_goes_when_there_are_too_many)
{
    struct node_skip skip = {.next = 0};
    for (unsigned k = 0; k <= SKIP_SLOTS; k++) {
        for (unsigned i = 0; i < SKIP_AFTER; i++) {
            (void)node_skip_failed(&skip, frame_of(FRAME_QUEUE_PUSH, k, 1));
        }
    }
    ck_assert(!node_skip_has(&skip, filled(0)));
    for (unsigned k = 1; k <= SKIP_SLOTS; k++) {
        ck_assert(node_skip_has(&skip, filled(k)));
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_push_is_skipped_after_three_failures_whatever_its_number);
    tcase_add_test(tc, nothing_but_a_push_is_skipped);
    tcase_add_test(tc, the_oldest_goes_when_there_are_too_many);
}

int main(void)
{
    return unit_main("node/skip", add);
}
