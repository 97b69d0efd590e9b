/* SPDX-License-Identifier: Apache-2.0
 *
 * evidence: what is kept of a relay that signed, for how long, and when none is made.
 * docs/protocol/07-node.md, section 4.
 */
#include <string.h>

#include "lib/row_rig.h"
#include "node/evidence.h"

enum {
    CONTACT = 7,
};

struct rig {
    struct row_rig rows;
    struct peer_row contact;
    struct outbox_row entry; /* at the relay, with a receipt that verifies */
    uint8_t envelope[1024];
    uint8_t content[256];
    uint8_t receipt[ROW_RECEIPT];
};

/* The relay's receipt for the entry's envelope, alone in its turn. */
static void sign(struct rig *rig, const struct sign_sk *relay)
{
    uint8_t hash[RECEIPT_HASH];
    uint8_t leaf[1][RECEIPT_HASH];
    struct receipt receipt = {.until_ms = 5000000, .time_ms = rig->rows.env.env.now_ms};
    struct receipt_tree tree;
    struct writer w = writer_of(rig->receipt, sizeof rig->receipt);
    prim_blake2b(hash, sizeof hash, slice_of(NULL, 0), "", &rig->entry.envelope, 1);
    receipt_leaf(leaf[0], &receipt, &rig->contact.queue, hash);
    ck_assert_ok(
        receipt_tree_make(&tree, &rig->rows.arena, (const uint8_t(*)[RECEIPT_HASH])leaf, 1));
    ck_assert_ok(receipt_tree_sign(&tree, receipt.time_ms, relay, receipt.sig));
    receipt_tree_path(&tree, 0, &receipt);
    receipt_write(&w, &receipt);
    rig->entry.receipt = writer_done(&w);
}

static void set_up(struct rig *rig)
{
    static const uint8_t seed[32] = {2};
    const struct content content = {.type = CONTENT_TEXT, .id = {9}, .text = unit_str("hello")};
    struct sign_sk relay;
    memset(rig, 0, sizeof *rig);
    row_rig_init(&rig->rows);
    struct writer w = writer_of(rig->content, sizeof rig->content);
    ck_assert_ok(content_encode(&w, &content));
    rig->contact = (struct peer_row){.number = CONTACT,
                                     .has_queue = true,
                                     .queue_relay = {.host = "example.org", .port = 7},
                                     .queue = {{3}},
                                     .sessions = 2,
                                     .heard = 2};
    prim_sign_keypair(&rig->contact.queue_relay.node_id, &relay, seed);
    rig->entry = (struct outbox_row){.state = OUTBOX_AT_RELAY,
                                     .content = writer_done(&w),
                                     .envelope = slice_of(rig->envelope, sizeof rig->envelope),
                                     .session = {4},
                                     .at_relay_ms = rig->rows.env.env.now_ms};
    memcpy(rig->contact.session_id[1], rig->entry.session, SESSION_T);
    sign(rig, &relay);
}

static enum err note(struct rig *rig, uint64_t order, enum err why)
{
    return evidence_note(&rig->rows.step, rig->rows.keys, &rig->contact, order, &rig->entry, why);
}

static unsigned count(struct rig *rig, struct evidence *last)
{
    struct evidence at = {.made = 0};
    unsigned n = 0;
    while (evidence_next(&rig->rows.step, rig->rows.keys, &at) == ERR_OK) {
        *last = at;
        n++;
    }
    return n;
}

START_TEST(what_an_entry_shows_comes_back_and_verifies)
{
    struct rig rig;
    struct evidence e = {.made = 0};
    struct receipt receipt;
    set_up(&rig);
    ck_assert_ok(note(&rig, 12, ERR_EXPIRED));
    ck_assert_uint_eq(count(&rig, &e), 1);
    ck_assert_uint_eq(e.made, rig.rows.env.env.now_ms);
    ck_assert_uint_eq(rig.entry.evidence_ms, e.made);
    ck_assert_uint_eq(e.contact, CONTACT);
    ck_assert_uint_eq(e.order, 12);
    ck_assert_uint_eq(e.message[0], 9);
    ck_assert_str_eq(e.relay.host, "example.org");
    ck_assert_uint_eq(e.given_up, ERR_EXPIRED);
    ck_assert_uint_eq(e.heard_ms, 0);
    ck_assert_ok(receipt_read(e.receipt, &receipt));
    ck_assert_ok(receipt_verify_hash(&receipt, &e.relay.node_id, &e.queue, e.envelope));
    e.envelope[31] ^= 1;
    ck_assert_err(receipt_verify_hash(&receipt, &e.relay.node_id, &e.queue, e.envelope),
                  ERR_BAD_SIGNATURE);
    row_rig_fini(&rig.rows);
}
END_TEST

START_TEST(nothing_is_kept_that_no_relay_signed_or_that_nobody_would_acknowledge)
{
    struct rig rig;
    struct evidence e;
    set_up(&rig);
    const struct peer_row contact = rig.contact;
    const struct outbox_row entry = rig.entry;
    for (int i = 0; i < 6; i++) {
        rig.contact = contact;
        rig.entry = entry;
        ck_assert_ok(evidence_of(&rig.contact, 1, &rig.entry, &e));
        switch (i) {
        case 0:
            rig.entry.receipt = slice_of(NULL, 0);
            break;
        case 1:
            rig.entry.ack_only = true;
            break;
        case 2:
            rig.contact.heard = 1; /* in another session only */
            break;
        case 3:
            rig.contact.queue.b[0] ^= 1; /* they moved */
            break;
        case 4:
            rig.contact.queue_relay.node_id.b[0] ^= 1;
            break;
        default:
            rig.envelope[0] ^= 1; /* sealed anew */
            break;
        }
        ck_assert_err(evidence_of(&rig.contact, 1, &rig.entry, &e), ERR_NOT_FOUND);
        ck_assert_ok(note(&rig, 1, ERR_EXPIRED));
        ck_assert_uint_eq(count(&rig, &e), 0);
        ck_assert_uint_eq(rig.entry.evidence_ms, 0);
    }
    row_rig_fini(&rig.rows);
}
END_TEST

START_TEST(who_speaks_soon_after_a_receipt_may_not_have_looked_yet)
{
    struct rig rig;
    set_up(&rig);
    ck_assert_uint_eq(evidence_heard_ms(&rig.contact, &rig.entry), 0);
    rig.contact.spoke_ms = rig.entry.at_relay_ms + LIMIT_EVIDENCE_HEARD_MS - 1;
    ck_assert_uint_eq(evidence_heard_ms(&rig.contact, &rig.entry), 0);
    rig.contact.spoke_ms++;
    ck_assert_uint_eq(evidence_heard_ms(&rig.contact, &rig.entry), rig.contact.spoke_ms);
    row_rig_fini(&rig.rows);
}
END_TEST

START_TEST(the_first_receipt_stays_and_an_acknowledgement_takes_it_away)
{
    struct rig rig;
    struct evidence e = {.made = 0};
    set_up(&rig);
    rig.contact.spoke_ms = rig.entry.at_relay_ms + LIMIT_DAY_MS;
    ck_assert_ok(note(&rig, 1, ERR_OK));
    uint64_t made = rig.entry.evidence_ms;
    rig.rows.env.env.now_ms += LIMIT_DAY_MS;
    rig.entry.receipt = slice_of(NULL, 0);
    ck_assert_ok(note(&rig, 1, ERR_EXPIRED));
    ck_assert_uint_eq(count(&rig, &e), 1);
    ck_assert_uint_eq(e.made, made);
    ck_assert_uint_eq(e.heard_ms, rig.contact.spoke_ms);
    ck_assert_uint_eq(e.given_up, ERR_EXPIRED);
    ck_assert_uint_gt(e.receipt.len, 0);
    ck_assert_ok(evidence_drop(&rig.rows.step, rig.rows.keys, CONTACT, 1, &rig.entry));
    ck_assert_uint_eq(count(&rig, &e), 0);
    ck_assert_ok(evidence_drop(&rig.rows.step, rig.rows.keys, CONTACT, 1, &rig.entry));
    row_rig_fini(&rig.rows);
}
END_TEST

/* Trims until there is no more to do; how often that was. */
static unsigned trim(struct rig *rig)
{
    unsigned times = 0;
    bool more = true;
    while (more) {
        ck_assert_ok(evidence_trim(&rig->rows.step, rig->rows.keys, &more));
        times++;
    }
    return times;
}

START_TEST(the_oldest_go_when_they_are_too_many_or_too_old)
{
    struct rig rig;
    struct evidence e = {.made = 0};
    set_up(&rig);
    const uint64_t start = rig.rows.env.env.now_ms;
    const unsigned many = LIMIT_EVIDENCE_ROWS + LIMIT_SWEEP_ROWS + 3;
    for (unsigned i = 0; i < many; i++) {
        struct arena_mark mark = arena_mark(&rig.rows.arena);
        rig.rows.env.env.now_ms = start + i;
        rig.entry.evidence_ms = 0;
        ck_assert_ok(note(&rig, i + 1, ERR_EXPIRED));
        arena_rewind(&rig.rows.arena, mark);
    }
    ck_assert_uint_eq(count(&rig, &e), many);
    ck_assert_uint_eq(trim(&rig), 2);
    ck_assert_uint_eq(count(&rig, &e), LIMIT_EVIDENCE_ROWS);
    ck_assert_uint_eq(e.order, many);
    rig.rows.env.env.now_ms = start + many - 11 + LIMIT_EVIDENCE_DAYS * LIMIT_DAY_MS;
    ck_assert_uint_ge(trim(&rig), 1);
    ck_assert_uint_eq(count(&rig, &e), 10);
    rig.rows.env.env.now_ms = start; /* a clock that went back makes nothing old */
    ck_assert_uint_eq(trim(&rig), 1);
    ck_assert_uint_eq(count(&rig, &e), 10);
    row_rig_fini(&rig.rows);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, what_an_entry_shows_comes_back_and_verifies);
    tcase_add_test(tc, nothing_is_kept_that_no_relay_signed_or_that_nobody_would_acknowledge);
    tcase_add_test(tc, who_speaks_soon_after_a_receipt_may_not_have_looked_yet);
    tcase_add_test(tc, the_first_receipt_stays_and_an_acknowledgement_takes_it_away);
    tcase_add_test(tc, the_oldest_go_when_they_are_too_many_or_too_old);
}

int main(void)
{
    return unit_main("node/evidence", add_tests);
}
