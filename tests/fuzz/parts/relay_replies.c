/* SPDX-License-Identifier: Apache-2.0
 *
 * relay_replies: the strict readers of a relay's replies, as a client reads them. The first
 * byte says which one.
 */
#include <assert.h>

#include "fuzz/parts/parts.h"
#include "relay/descriptor_record.h"
#include "relay/member.h"
#include "relay/queue.h"
#include "relay/record.h"

static void pop(struct slice body)
{
    struct record_pop_reply r;
    if (record_pop_reply_read(body, &r) == ERR_OK && r.head.err == ERR_OK) {
        assert(r.body.len <= LIMIT_RECORD_BODY);
        assert(!r.has_part || (r.part.id != 0 && r.part.sealed.len <= LIMIT_RECORD_PART));
    }
}

static void deposit(struct slice body)
{
    struct queue_deposit_reply r;
    if (queue_deposit_reply_read(body, &r) == ERR_OK) {
        assert(r.outcome <= QUEUE_DROPPED && r.receipt.len <= RELAY_RECEIPT);
    }
}

void part_relay_replies(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return;
    }
    struct slice body = slice_of(data + 1, len - 1);
    union {
        struct relay_reply reply;
        struct member_join_reply join;
        struct queue_register_reply reg;
        struct queue_attach_reply attach;
        struct record_put_reply put;
        struct record_get_reply get;
        struct record_status_reply status;
        struct descriptor_get_reply item;
    } u;
    switch (data[0] % 10) {
    case 0:
        (void)!relay_reply_read(body, &u.reply);
        break;
    case 1:
        (void)!member_join_reply_read(body, &u.join);
        break;
    case 2:
        (void)!queue_register_reply_read(body, &u.reg);
        break;
    case 3:
        (void)!queue_attach_reply_read(body, &u.attach);
        break;
    case 4:
        deposit(body);
        break;
    case 5:
        (void)!record_put_reply_read(body, &u.put);
        break;
    case 6:
        (void)!record_get_reply_read(body, &u.get);
        break;
    case 7:
        pop(body);
        break;
    case 8:
        (void)!record_status_reply_read(body, &u.status);
        break;
    default:
        (void)!descriptor_get_reply_read(body, &u.item);
    }
}
