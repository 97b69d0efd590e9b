/* SPDX-License-Identifier: Apache-2.0
 *
 * relay_replies: the strict readers of a relay's replies and of the receipts in them, as a client
 * reads them. The first byte says which one.
 */
#include <assert.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "relay/descriptor_record.h"
#include "relay/member.h"
#include "relay/queue.h"
#include "relay/receipt.h"
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

/* What is read is written as the same again, and whoever it is from, it can be checked. */
static void receipt(struct slice body)
{
    /* of the seed that is all zeros; nobody signed these bytes with it */
    static const struct sign_pk node = {{0x3b, 0x6a, 0x27, 0xbc, 0xce, 0xb6, 0xa4, 0x2d,
                                         0x62, 0xa3, 0xa8, 0xd0, 0x2a, 0x6f, 0x0d, 0x73,
                                         0x65, 0x32, 0x15, 0x77, 0x1d, 0xe2, 0x43, 0xa6,
                                         0x3a, 0xc0, 0x48, 0xa1, 0x8b, 0x59, 0xda, 0x29}};
    struct receipt a;
    struct receipt b;
    uint8_t out[RELAY_RECEIPT];
    if (receipt_read(body, &a) != ERR_OK) {
        return;
    }
    assert(a.npath <= RECEIPT_PATH);
    struct writer w = writer_of(out, sizeof out);
    receipt_write(&w, &a);
    enum err err = receipt_read(writer_done(&w), &b);
    assert(w.err == ERR_OK && err == ERR_OK);
    assert(a.until_ms == b.until_ms && a.time_ms == b.time_ms && a.index == b.index &&
           a.count == b.count && a.npath == b.npath);
    assert(memcmp(a.salt, b.salt, sizeof a.salt) == 0 && memcmp(a.sig, b.sig, sizeof a.sig) == 0 &&
           memcmp(a.path, b.path, a.npath * sizeof a.path[0]) == 0);
    err = receipt_verify(&a, &node, &node, body);
    assert(err == ERR_BAD_SIGNATURE);
    (void)err;
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
    switch (data[0] % 11) {
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
    case 9:
        (void)!descriptor_get_reply_read(body, &u.item);
        break;
    default:
        receipt(body);
    }
}
