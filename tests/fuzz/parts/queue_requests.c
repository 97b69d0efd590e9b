/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_requests: the strict readers of member and queue requests. The first byte says which
 * one; what is read must be writable and read the same again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "relay/member.h"
#include "relay/queue.h"

static uint8_t OUT[LIMIT_FRAME];

static void deposit(struct slice body)
{
    struct queue_deposit a;
    struct queue_deposit b;
    if (queue_deposit_read(body, &a) != ERR_OK) {
        return;
    }
    struct writer w = writer_of(OUT, sizeof OUT);
    queue_deposit_write(&w, &a);
    enum err err = queue_deposit_read(writer_done(&w), &b);
    assert(err == ERR_OK && slice_equal(a.envelope, b.envelope) && a.lifetime == b.lifetime &&
           a.admission.stamp == b.admission.stamp && a.volatile_only == b.volatile_only);
    (void)err;
}

static void push(struct slice body)
{
    struct queue_push a;
    struct queue_push b;
    if (queue_push_read(body, &a) != ERR_OK) {
        return;
    }
    struct writer w = writer_of(OUT, sizeof OUT);
    queue_push_write(&w, &a);
    enum err err = queue_push_read(writer_done(&w), &b);
    assert(err == ERR_OK && slice_equal(a.envelope, b.envelope) && a.number == b.number &&
           a.has_nonce == b.has_nonce && a.deposited_ms == b.deposited_ms);
    (void)err;
}

void part_queue_requests(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return;
    }
    struct slice body = slice_of(data + 1, len - 1);
    struct relay_signed s;
    struct member_join join;
    struct queue_register reg;
    struct queue_attach attach;
    struct queue_ack ack;
    struct queue_void voids;
    struct arena arena;
    static const uint8_t hash[RELAY_HASH] = {0};
    switch (data[0] % 10) {
    case 0:
        (void)!relay_signed_read(body, true, &s);
        break;
    case 1:
        (void)!relay_signed_read(body, false, &s);
        break;
    case 2:
        (void)!member_join_body_read(body, &join);
        break;
    case 3:
        (void)!queue_register_body_read(body, &reg);
        break;
    case 4:
        arena_init(&arena, LIMIT_TURN_ARENA);
        (void)!queue_attach_read(body, &arena, hash, &attach);
        arena_fini(&arena);
        break;
    case 5:
        deposit(body);
        break;
    case 6:
        push(body);
        break;
    case 7:
        (void)!queue_ack_read(body, &ack);
        break;
    case 8:
        (void)!queue_void_read(body, &voids);
        break;
    default:
        (void)!member_leave_body_read(body);
    }
}
