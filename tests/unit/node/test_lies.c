/* SPDX-License-Identifier: Apache-2.0
 *
 * lies: what relays say that is not so, or not so any more: old descriptors and bundles, receipts
 * for something else, envelopes that came before. What the node does about each.
 */
#include "lib/stranger.h"

#include <string.h>

#include "link/frame.h"
#include "node/content.h"
#include "node/core.h"
#include "node/descriptor.h"
#include "node/params.h"
#include "relay/queue.h"
#include "relay/receipt.h"

static struct hostile h;

static void setup(void)
{
    hostile_init(&h);
}

static void teardown(void)
{
    hostile_fini(&h);
}

static void later(uint64_t ms)
{
    hostile_tick(&h, ms);
    ck_assert_ok(h.turn);
}

static void days(unsigned n)
{
    for (unsigned day = 0; day < n; day++) {
        later(LIMIT_DAY_MS);
    }
}

static uint64_t newest_link(void)
{
    return h.others[(h.dialled - 1) % HOSTILE_LINKS];
}

/* Waits until the node has dialled anew, and opens that link. */
static void open_next(void)
{
    for (unsigned i = 0; i < 30 && newest_link() == h.opened; i++) {
        later(LIMIT_HOUR_MS);
    }
    ck_assert_uint_ne(newest_link(), h.opened);
    h.asked_link = 0;
    hostile_open(&h, newest_link());
}

/* --- descriptors and bundles --- */

/* Who did not answer for a day is looked for at our own relay, which knows nothing of them; then
 * the bundle is fetched where it was. */
static void found_nowhere(void)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    const struct relay_reply nothing = {.err = ERR_NOT_FOUND};
    hostile_mine(&h, FRAME_DESCRIPTOR_GET);
    relay_reply_write(&w, &nothing);
    ck_assert_int_eq(w.err, ERR_OK);
    hostile_answer(&h, writer_done(&w));
    ck_assert_ok(h.turn);
    open_next();
}

START_TEST(a_descriptor_of_another_day_is_refused)
{
    struct stranger s;
    struct peer_row row;
    stranger_init(&h, &s);
    uint64_t today = descriptor_period(h.unit.env.now_ms);
    static const int away[] = {-8, -2, 1, 8};
    stranger_add(&h, &s);
    for (size_t i = 0; i < sizeof away / sizeof away[0]; i++) {
        stranger_described_for(&h, &s, today + (uint64_t)away[i]);
        ck_assert_ok(h.turn);
        ck_assert_ok(hostile_contact(&h, &s.id, &row));
        ck_assert_msg(!row.who.has_record, "%d days away", away[i]);
        while (h.asked_link == 0 || h.asked_kind != FRAME_DESCRIPTOR_GET) {
            open_next();
        }
    }
    ck_assert_uint_eq(descriptor_period(h.unit.env.now_ms), today);
    while (!row.who.has_record) { /* every second time the day before is asked for */
        stranger_described_for(&h, &s, today);
        ck_assert_ok(hostile_contact(&h, &s.id, &row));
        if (!row.who.has_record) {
            open_next();
        }
    }
    stranger_fini(&s);
}
END_TEST

/* A day without an answer: the bundle is asked for again, without a one-time part, and must not be
 * older than the one before. */
START_TEST(who_is_asked_again_gives_no_older_bundle)
{
    struct stranger s;
    struct prekey_secret prekey;
    struct peer_row row;
    struct stranger old[2];
    stranger_init(&h, &s);
    stranger_relist(&h, &s, 5);
    old[0] = s; /* what the descriptor names */
    prekey_generate(&prekey, PREKEY_SIGNED, 1, &h.unit.env);
    stranger_look_up(&h, &s);
    hostile_mine(&h, FRAME_RECORD_POP);
    stranger_relist(&h, &s, 6);
    old[1] = s;
    stranger_relist(&h, &s, 7); /* newer than the descriptor: it may be */
    stranger_popped(&h, &s, &prekey);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_uint_eq(row.sessions, 1);
    uint8_t first[SESSION_T];
    memcpy(first, row.session_id[0], sizeof first);
    while (row.begun != 0) {
        open_next(); /* the deposit, which nobody answers */
        ck_assert_ok(hostile_contact(&h, &s.id, &row));
    }
    found_nowhere();
    for (size_t i = 0; i < 2; i++) {
        hostile_mine(&h, FRAME_RECORD_GET);
        stranger_popped(&h, &old[i], &prekey);
        ck_assert_ok(h.turn);
        ck_assert_ok(hostile_contact(&h, &s.id, &row));
        ck_assert_msg(row.begun == 0, "version %u", old[i].list_version);
        open_next();
    }
    hostile_mine(&h, FRAME_RECORD_GET);
    stranger_popped(&h, &s, &prekey);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_uint_ne(row.begun, 0);
    ck_assert_mem_ne(row.session_id[row.begun - 1], first, sizeof first);
    stranger_fini(&s);
}
END_TEST

/* What the relay has of today. */
static uint64_t described_seq(void)
{
    struct sign_pk key;
    ck_assert_ok(blind_public(&h.id, descriptor_period(h.unit.env.now_ms), &key));
    const struct bep44_item *there = hostile_descriptor(&h, &key);
    ck_assert_ptr_nonnull(there);
    return there->seq;
}

/* The relay says that the descriptor of a new list is stale, and then gives the one before it:
 * nothing is learned from that, and ours is put again. */
START_TEST(an_older_descriptor_is_no_reason_to_call_ours_stale)
{
    struct account_row before;
    struct account_row after;
    hostile_account(&h, &before);
    uint64_t seq = described_seq();
    unsigned closed = h.closed;
    h.refuse_descriptor = true;
    ck_assert_ok(hostile_call(&h, "account.rekey", 0, slice_of(NULL, 0)));
    unsigned gets = 0;
    for (unsigned i = 0; i < 5; i++) {
        while (h.descriptor_gets == gets) {
            later(LIMIT_MINUTE_MS);
        }
        gets = h.descriptor_gets;
        hostile_account(&h, &after);
        ck_assert_uint_eq(after.list_version, before.list_version + 1);
        ck_assert_uint_gt(after.device_list.len, 0);
        ck_assert_uint_eq(h.closed, ++closed); /* ERR_PROTOCOL */
    }
    ck_assert_uint_eq(described_seq(), seq);
    h.refuse_descriptor = false;
    for (unsigned i = 0; i < 120 && described_seq() == seq; i++) {
        later(LIMIT_MINUTE_MS);
    }
    ck_assert_uint_eq(described_seq(), seq + 1);
}
END_TEST

/* Our descriptor of today, made by somebody who has the identity, with this number. */
static void put_there(const struct account_row *row, uint64_t seq)
{
    uint64_t period = descriptor_period(h.unit.env.now_ms);
    struct descriptor d = {.created_ms = h.unit.env.now_ms,
                           .list_version = row->list_version + 1,
                           .record = h.record,
                           .relay_count = 1,
                           .relays = {{.address = h.relay}}};
    struct sign_sk identity;
    struct sign_pk key;
    prim_sign_keypair(&key, &identity, row->identity);
    ck_assert_ok(blind_public(&h.id, period, &key));
    ck_assert_ok(descriptor_seal(&identity, period, seq, &d, hostile_descriptor(&h, &key)));
}

/* The largest number that there is leaves no later one: it is not taken over, and the node goes on.
 */
START_TEST(a_number_that_leaves_none_is_not_taken_over)
{
    struct account_row row;
    hostile_account(&h, &row);
    put_there(&row, BEP44_SEQ_MAX);
    h.refuse_descriptor = true;
    ck_assert_ok(hostile_call(&h, "account.rekey", 0, slice_of(NULL, 0)));
    unsigned closed = h.closed;
    for (unsigned i = 0; i < 120; i++) {
        later(LIMIT_MINUTE_MS); /* no turn fails */
    }
    ck_assert_uint_gt(h.closed, closed + 3);
    ck_assert_uint_lt(h.closed, closed + 40); /* less and less often */
    /* An ordinary one is, and the next is later. */
    hostile_account(&h, &row);
    put_there(&row, 77);
    for (unsigned i = 0; i < 120 && h.refuse_descriptor; i++) {
        unsigned gets = h.descriptor_gets;
        later(LIMIT_MINUTE_MS);
        h.refuse_descriptor = h.descriptor_gets == gets;
    }
    for (unsigned i = 0; i < 180 && described_seq() == 77; i++) {
        later(LIMIT_MINUTE_MS);
    }
    ck_assert_uint_eq(described_seq(), 78);
}
END_TEST

/* --- receipts --- */

/* The receipt of a turn with `count` leaves, of which the first is (queue, envelope). */
static struct slice receipt_of(const struct sign_sk *node, const struct sign_pk *queue,
                               struct slice envelope, uint32_t count, struct receipt *receipt)
{
    uint8_t hash[RECEIPT_HASH];
    uint8_t leaves[4][RECEIPT_HASH] = {{0}};
    struct receipt_tree tree;
    uint64_t now = h.unit.env.now_ms;
    *receipt = (struct receipt){.until_ms = now + 30 * LIMIT_DAY_MS, .time_ms = now};
    prim_blake2b(hash, sizeof hash, slice_of(NULL, 0), "", &envelope, 1);
    receipt_leaf(leaves[0], receipt, queue, hash);
    ck_assert_ok(
        receipt_tree_make(&tree, &h.scratch, (const uint8_t(*)[RECEIPT_HASH])leaves, count));
    ck_assert_ok(receipt_tree_sign(&tree, now, node, receipt->sig));
    receipt_tree_path(&tree, 0, receipt);
    uint8_t *bytes = arena_alloc(&h.scratch, RELAY_RECEIPT);
    struct writer w = writer_of(bytes, RELAY_RECEIPT);
    receipt_write(&w, receipt);
    ck_assert_ok(w.err);
    return writer_done(&w);
}

static void stored(struct slice receipt)
{
    uint8_t bytes[RELAY_RECEIPT + 64];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct queue_deposit_reply reply = {.outcome = QUEUE_STORED, .receipt = receipt};
    queue_deposit_reply_write(&w, &reply);
    ck_assert_ok(w.err);
    hostile_answer(&h, writer_done(&w));
    ck_assert_ok(h.turn);
}

/* The deposit that the stranger's relay was asked for last. */
static struct queue_deposit asked(void)
{
    struct queue_deposit d;
    hostile_mine(&h, FRAME_QUEUE_DEPOSIT);
    ck_assert_ok(queue_deposit_read(slice_of(h.asked, h.asked_len), &d));
    return d;
}

/* A stranger who was accepted and has been told so. */
static void befriend(struct stranger *s)
{
    struct receipt receipt;
    stranger_init(&h, s);
    stranger_request(&h, s);
    stranger_accepted(&h, s);
    hostile_open(&h, h.others[0]);
    struct queue_deposit d = asked();
    stored(receipt_of(&s->relay, &d.queue, d.envelope, 1, &receipt));
}

static void say(const struct stranger *s, const char *text)
{
    uint8_t pairs[256];
    char id[ID_TEXT];
    struct writer p = writer_of(pairs, sizeof pairs);
    id_encode(s->id.b, id);
    result_text(&p, "contact", id);
    result_text(&p, "text", text);
    ck_assert_ok(hostile_call(&h, "message.send", 2, writer_done(&p)));
}

enum forgery {
    OF_ANOTHER_ENVELOPE,
    OF_ANOTHER_QUEUE,
    OF_ANOTHER_RELAY,
    OF_ANOTHER_TURN, /* signature of one, path of the other */
    OF_ANOTHER_TIME,
    OF_NOTHING,
    FORGERIES,
};

static struct slice forge(enum forgery forgery, const struct stranger *s,
                          const struct queue_deposit *d)
{
    struct receipt receipt;
    struct receipt other;
    uint8_t seed[32] = {1};
    struct sign_pk pk;
    struct sign_sk sk;
    static const uint8_t text[1024] = {1};
    prim_sign_keypair(&pk, &sk, seed);
    struct slice out = receipt_of(&s->relay, &d->queue, d->envelope, 2, &receipt);
    switch (forgery) {
    case OF_ANOTHER_ENVELOPE:
        return receipt_of(&s->relay, &d->queue, slice_of(text, sizeof text), 1, &other);
    case OF_ANOTHER_QUEUE:
        return receipt_of(&s->relay, &pk, d->envelope, 1, &other);
    case OF_ANOTHER_RELAY:
        return receipt_of(&sk, &d->queue, d->envelope, 1, &other);
    case OF_ANOTHER_TURN:
        (void)receipt_of(&s->relay, &d->queue, d->envelope, 4, &other);
        memcpy(receipt.sig, other.sig, sizeof receipt.sig);
        break;
    case OF_ANOTHER_TIME:
        receipt.until_ms += LIMIT_DAY_MS;
        break;
    case OF_NOTHING:
    case FORGERIES:
        return slice_of(NULL, 0);
    }
    struct writer w = writer_of((uint8_t *)(uintptr_t)out.p, RELAY_RECEIPT);
    receipt_write(&w, &receipt);
    ck_assert_ok(w.err);
    return writer_done(&w);
}

START_TEST(a_receipt_for_something_else_is_told_and_not_believed)
{
    struct stranger s;
    struct peer_row row;
    struct receipt receipt;
    befriend(&s);
    say(&s, "keep this");
    open_next();
    for (enum forgery forgery = 0; forgery < FORGERIES; forgery++) {
        struct queue_deposit d = asked();
        stored(forge(forgery, &s, &d));
        ck_assert_msg(hostile_events(&h, "message.at-relay") == 0, "forgery %d", forgery);
        ck_assert_ok(hostile_contact(&h, &s.id, &row));
        ck_assert_msg(row.trouble == (forgery == OF_NOTHING ? ERR_MALFORMED : ERR_BAD_SIGNATURE),
                      "forgery %d: %s", forgery, err_name((enum err)row.trouble));
        ck_assert(slice_equal(row.trouble_relay,
                              slice_of(s.entry.queues[0].relay.node_id.b, sizeof(struct sign_pk))));
        open_next(); /* it goes on trying */
    }
    struct queue_deposit d = asked();
    stored(receipt_of(&s.relay, &d.queue, d.envelope, 2, &receipt));
    ck_assert_uint_eq(hostile_events(&h, "message.at-relay"), 1);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_uint_eq(row.trouble, ERR_OK);
    stranger_fini(&s);
}
END_TEST

/* --- what only a device of one's own may say --- */

/* Says it, in form; what the node makes of it shows in its rows. */
static void claim(struct stranger *s, enum content_type type, const struct writer *body)
{
    struct content content = {.type = (uint32_t)type, .body = writer_done(body)};
    ck_assert_int_eq(body->err, ERR_OK);
    hostile_push(&h, stranger_seal_content(&h, s, &content));
    ck_assert_ok(h.turn);
}

START_TEST(what_others_say_to_our_devices_is_nothing)
{
    struct stranger s;
    struct stranger other;
    struct account_row account;
    struct peer_row row;
    uint8_t bytes[LIMIT_DEVICE_LIST + 64];
    befriend(&s);
    stranger_init(&h, &other);
    struct content text = {.type = CONTENT_TEXT, .sent_ms = 1, .text = unit_str("never written")};
    uint8_t inner[256];
    struct writer c = writer_of(inner, sizeof inner);
    ck_assert_ok(content_encode(&c, &text));
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_array(&w, 2);
    pack_bin(&w, s.id.b, sizeof s.id.b);
    pack_bin_slice(&w, writer_done(&c));
    claim(&s, CONTENT_SENT, &w);
    w.len = 0;
    pack_map(&w, 8);
    pack_uint(&w, 0);
    pack_bin(&w, other.id.b, sizeof other.id.b);
    for (unsigned key = 1; key < 8; key++) {
        pack_uint(&w, key);
        if (key == 2) {
            pack_bool(&w, true);
        } else if (key < 5) {
            pack_uint(&w, key == 1 ? CONTACT_ACCEPTED : 1);
        } else {
            pack_bin(&w, "", 0);
        }
    }
    claim(&s, CONTENT_CONTACT, &w);
    w.len = 0;
    pack_array(&w, 2);
    device_place_write(&w, &s.entry.record);
    device_place_write(&w, &s.entry.queues[0]);
    claim(&s, CONTENT_PLACES, &w);
    w.len = 0;
    pack_bin(&w, s.list, s.list_len);
    claim(&s, CONTENT_JOINED, &w); /* we did not ask to be theirs */
    w.len = 0;
    pack_bin(&w, other.list, other.list_len);
    claim(&s, CONTENT_LIST, &w); /* somebody else's */
    w.len = 0;
    pack_bin(&w, s.list, s.list_len - 1);
    claim(&s, CONTENT_LIST, &w);
    ck_assert_uint_eq(hostile_rows(&h, STORE_MESSAGE), 0);
    ck_assert_uint_eq(hostile_rows(&h, STORE_CONTACT), 1);
    ck_assert_uint_eq(hostile_rows(&h, STORE_PEER), 1);
    hostile_account(&h, &account);
    ck_assert_uint_eq(account.owner.len, 0);
    ck_assert_uint_eq(account.list_place, 0);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert(slice_equal(row.who.list, slice_of(s.list, s.list_len)));
    ck_assert_uint_eq(hostile_events(&h, "contact.synced"), 0);
    ck_assert_uint_eq(hostile_events(&h, "device.linked"), 0);
    /* The session goes on. */
    hostile_push(&h, stranger_seal(&h, &s, CONTENT_TEXT, "hello again"));
    ck_assert_uint_eq(hostile_rows(&h, STORE_MESSAGE), 1);
    stranger_fini(&other);
    stranger_fini(&s);
}
END_TEST

/* --- envelopes that came before --- */

START_TEST(a_last_resort_envelope_begins_one_session_and_no_more)
{
    struct stranger s;
    struct peer_row row;
    stranger_init(&h, &s);
    stranger_begin(&h, &s, NULL); /* without a one-time part */
    struct slice envelope = stranger_seal(&h, &s, CONTENT_REQUEST, "hello");
    hostile_push(&h, envelope);
    ck_assert_uint_eq(hostile_events(&h, "request.received"), 1);
    for (unsigned month = 0; month < 6; month++) { /* also when its prekey's time is over */
        hostile_push(&h, envelope);
        ck_assert_ok(h.turn);
        hostile_restart(&h);
        hostile_push(&h, envelope);
        ck_assert_ok(h.turn);
        ck_assert_uint_eq(h.acked, h.pushed);
        ck_assert_ok(hostile_contact(&h, &s.id, &row));
        ck_assert_uint_eq(row.number, 1);
        ck_assert_uint_eq(row.sessions, 1);
        ck_assert_uint_eq(hostile_events(&h, "request.received"), 1); /* the newest is kept */
        days(37);
    }
    /* The cache was needed while the prekey was there, and is gone with it. */
    ck_assert_uint_eq(hostile_rows(&h, STORE_REPLAY), 0);
    stranger_fini(&s);
}
END_TEST

START_TEST(old_prekeys_are_kept_until_the_queue_was_read)
{
    struct stranger waits;
    struct stranger late;
    struct peer_row row;
    stranger_init(&h, &waits);
    stranger_init(&h, &late);
    stranger_begin(&h, &waits, NULL);
    stranger_begin(&h, &late, NULL);
    struct slice envelope = stranger_seal(&h, &waits, CONTENT_REQUEST, "hello");
    struct slice too_late = stranger_seal(&h, &late, CONTENT_REQUEST, "hello");
    days(8);                                /* a second prekey is there */
    h.unit.env.now_ms += 40 * LIMIT_DAY_MS; /* we sleep; an envelope waits */
    h.waiting = 1;
    hostile_restart(&h); /* a third prekey: the second is 40 days old */
    hostile_push(&h, envelope);
    ck_assert_ok(hostile_contact(&h, &waits.id, &row));
    days(9);
    hostile_push(&h, too_late);
    ck_assert_err(hostile_contact(&h, &late.id, &row), ERR_NOT_FOUND);
    /* A queue that never ends keeps no prekey for ever. */
    stranger_begin(&h, &late, NULL);
    too_late = stranger_seal(&h, &late, CONTENT_REQUEST, "hello");
    hostile_restart(&h);
    days(LIMIT_PREKEY_KEEP_DAYS + LIMIT_QUEUE_DAYS + 2 * LIMIT_PREKEY_DAYS);
    hostile_push(&h, too_late);
    ck_assert_err(hostile_contact(&h, &late.id, &row), ERR_NOT_FOUND);
    stranger_fini(&waits);
    stranger_fini(&late);
}
END_TEST

/* Who was asked, and did not answer yet, has another device by now: the request goes to that. */
START_TEST(who_is_asked_may_be_on_another_device_before_the_answer)
{
    struct stranger s;
    struct prekey_secret prekey;
    struct peer_row row;
    stranger_init(&h, &s);
    prekey_generate(&prekey, PREKEY_SIGNED, 1, &h.unit.env);
    stranger_look_up(&h, &s);
    hostile_mine(&h, FRAME_RECORD_POP);
    stranger_popped(&h, &s, &prekey);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_uint_eq(row.sessions, 1);
    while (row.begun != 0) {
        open_next(); /* the deposit, which nobody answers */
        ck_assert_ok(hostile_contact(&h, &s.id, &row));
    }
    struct device_entry entry = s.entry;
    stranger_device(&h, &s);
    s.entry = entry;
    s.entry.certificate = slice_of(s.certificate, s.certificate_len);
    stranger_relist(&h, &s, 2);
    found_nowhere();
    hostile_mine(&h, FRAME_RECORD_GET);
    stranger_popped(&h, &s, &prekey);
    ck_assert_ok(h.turn);
    hostile_restart(&h);
    ck_assert_ok(h.turn);
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    ck_assert_uint_gt(hostile_rows(&h, STORE_OUTBOX), 0);
    stranger_fini(&s);
}
END_TEST

/* There is no such queue. */
static void no_queue(void)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    const struct queue_deposit_reply reply = {.head = {.err = ERR_BAD_TOKEN}};
    queue_deposit_reply_write(&w, &reply);
    ck_assert_ok(w.err);
    hostile_answer(&h, writer_done(&w));
}

/* Whoever says of ever another queue that it is theirs, and has none, is not followed for ever. */
START_TEST(who_moves_for_ever_is_followed_ever_less_often)
{
    struct stranger s;
    struct prekey_secret prekey;
    struct peer_row row;
    unsigned moves = 0;
    befriend(&s);
    prekey_generate(&prekey, PREKEY_SIGNED, 1, &h.unit.env);
    say(&s, "where are you");
    ck_assert_ok(hostile_contact(&h, &s.id, &row));
    const struct work *work = work_find(h.node->accounts, row.number);
    while (moves < 3) {
        if (newest_link() != h.opened) {
            h.asked_link = 0;
            hostile_open(&h, newest_link());
        } else if (h.asked_link == 0) {
            later(5 * LIMIT_SECOND_MS);
        } else if (h.asked_kind == FRAME_QUEUE_DEPOSIT) {
            no_queue();
        } else if (h.asked_kind == FRAME_DESCRIPTOR_GET) {
            stranger_list(&h, &s, s.list_version + 1, h.unit.env.now_ms, "stranger.test");
            stranger_described(&h, &s);
        } else {
            ck_assert_uint_eq(h.asked_kind, FRAME_RECORD_GET);
            stranger_popped(&h, &s, &prekey);
            moves++;
            ck_assert_uint_ge(work->attempts, moves); /* the row of failures goes on */
        }
        ck_assert_ok(h.turn);
    }
    stranger_fini(&s);
}
END_TEST

/* The relay that a descriptor names says nothing that can be read: the queue that was known is
 * tried in the meantime, and the descriptor asked for again. */
START_TEST(who_is_found_where_nonsense_is_said_is_looked_for_again)
{
    struct stranger s;
    static const uint8_t nonsense[] = {0xc1, 0xc1};
    uint8_t before = 0;
    befriend(&s);
    say(&s, "where are you");
    for (unsigned found = 0; found < 3 || before == FRAME_RECORD_GET;) {
        if (newest_link() != h.opened) {
            h.asked_link = 0;
            hostile_open(&h, newest_link());
        } else if (h.asked_link == 0) {
            later(5 * LIMIT_SECOND_MS);
        } else if (h.asked_kind == FRAME_QUEUE_DEPOSIT) {
            no_queue();
            before = FRAME_QUEUE_DEPOSIT;
        } else if (h.asked_kind == FRAME_DESCRIPTOR_GET) {
            stranger_described(&h, &s);
        } else {
            ck_assert_uint_eq(h.asked_kind, FRAME_RECORD_GET);
            ck_assert_uint_eq(before, FRAME_QUEUE_DEPOSIT);
            hostile_answer(&h, slice_of(nonsense, sizeof nonsense));
            before = FRAME_RECORD_GET;
            found++;
        }
        ck_assert_ok(h.turn);
    }
    stranger_fini(&s);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_descriptor_of_another_day_is_refused);
    tcase_add_test(tc, an_older_descriptor_is_no_reason_to_call_ours_stale);
    tcase_add_test(tc, a_number_that_leaves_none_is_not_taken_over);
    tcase_add_test(tc, who_is_asked_again_gives_no_older_bundle);
    tcase_add_test(tc, who_is_asked_may_be_on_another_device_before_the_answer);
    tcase_add_test(tc, a_receipt_for_something_else_is_told_and_not_believed);
    tcase_add_test(tc, what_others_say_to_our_devices_is_nothing);
    tcase_add_test(tc, a_last_resort_envelope_begins_one_session_and_no_more);
    tcase_add_test(tc, who_moves_for_ever_is_followed_ever_less_often);
    tcase_add_test(tc, who_is_found_where_nonsense_is_said_is_looked_for_again);
    tcase_add_test(tc, old_prekeys_are_kept_until_the_queue_was_read);
}

int main(void)
{
    return unit_main("lies", add_tests);
}
