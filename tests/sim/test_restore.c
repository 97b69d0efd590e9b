/* SPDX-License-Identifier: Apache-2.0
 *
 * restore: an account that is put into another node from a backup is a new device of the same
 * person: contacts carry on, verification stays, nothing that waited is lost.
 * docs/protocol/10-backup.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/records.h"
#include "node/backup.h"
#include "node/core.h"
#include "node/params.h"
#include "sim/backup.h"
#include "sim/people.h"

enum {
    MINUTE = 60000,
    HOUR = 60 * MINUTE,
};

/* who is somebody's new device from now on: a node that was not there before. */
static struct person *restore(struct people *p, const struct person *old,
                              const struct sim_backup *s)
{
    struct person *who = &p->person[p->count++];
    *who = (struct person){.n = sim_add(&p->sim, false), .relay = old->relay};
    memcpy(who->id, old->id, sizeof who->id);
    ck_assert_ok(sim_restore_begin(&p->sim, who->n, s->words));
    ck_assert_err(people_call(p, who->n, "invite.create", NULL), ERR_NOT_NOW);
    for (size_t i = 0; i < s->parts; i++) {
        ck_assert_ok(sim_restore_put(&p->sim, who->n, s->part[i], s->len[i]));
        sim_settle(&p->sim, 1000);
        sim_restart(&p->sim, who->n); /* it goes on where it was */
        ck_assert_ok(
            sim_restore_put(&p->sim, who->n, s->part[i], s->len[i])); /* the same again is fine */
    }
    ck_assert_ok(people_call(p, who->n, "restore.end", NULL));
    ck_assert_err(people_call(p, who->n, "restore.end", NULL), ERR_NOT_NOW);
    return who;
}

START_TEST(a_restored_account_is_a_new_device_and_contacts_carry_on)
{
    for (unsigned apart = 0; apart < 2; apart++) {
        struct people *p = apart == 0 ? people_new(800, 3) : people_new_apart(801, 3);
        struct person *a = &p->person[0];
        struct person *b = &p->person[1];
        struct person *c = &p->person[2];
        char number[128];
        people_meet(p, a, b);
        people_meet(p, a, c);
        ck_assert_ok(people_call(p, b->n, "contact.verify", "contact", a->id, NULL));
        ck_assert(sim_result_str(b->n, "number", number, sizeof number));
        ck_assert_ok(
            people_call(p, a->n, "contact.verify", "contact", b->id, "number", number, NULL));
        ck_assert_ok(
            people_call(p, b->n, "contact.verify", "contact", a->id, "number", number, NULL));
        people_chat(p, a, b, 20, 2000);
        people_chat(p, a, c, 5, 2000);
        people_quiet(p, HOUR);
        sim_sleep(&p->sim, b->n);
        for (unsigned i = 0; i < 5; i++) {
            people_say(p, a, b, "waits ", i);
        }
        sim_settle(&p->sim, MINUTE);
        struct sim_backup s = sim_backup_of(&p->sim, people_as(a));
        /* What the old device did after the backup it did alone. */
        sim_sleep(&p->sim, a->n);
        people_say(p, c, a, "meanwhile ", 0);
        sim_settle(&p->sim, MINUTE);
        struct person *anew = restore(p, a, &s);
        sim_wake(&p->sim, b->n);
        people_quiet(p, 6 * HOUR);
        sim_settle(&p->sim, 10 * MINUTE);
        people_in_order(p, anew, b, "b ", 20);
        people_in_order(p, b, anew, "waits ", 5);
        people_in_order(p, anew, c, "meanwhile ", 1);
        ck_assert_uint_eq(people_messages(p, anew, b, "delivered", NULL), 25);
        const char *why = "this account was restored from a backup, as a new device";
        ck_assert_uint_eq(people_notes(p, anew, b, why), 1);
        ck_assert_uint_eq(people_notes(p, anew, c, why), 1);
        why = "they restored their account from a backup, as a new device";
        ck_assert_uint_eq(people_notes(p, b, anew, why), 1);
        ck_assert_uint_eq(people_events(p, b, "contact.devices"), 1);
        ck_assert_ok(people_query(p, anew->n, "contact.list", NULL));
        ck_assert_ok(people_call(p, anew->n, "contact.verify", "contact", b->id, NULL));
        bool verified = false;
        ck_assert(params_bool(slice_of(anew->n->reply, anew->n->reply_len), "verified", &verified));
        ck_assert(verified);
        people_say(p, anew, b, "on ", 0);
        people_say(p, b, anew, "and on ", 0);
        people_say(p, c, anew, "so ", 0);
        people_quiet(p, HOUR);
        people_in_order(p, b, anew, "on ", 1);
        people_in_order(p, anew, b, "and on ", 1);
        people_in_order(p, anew, c, "so ", 1);
        sim_backup_free(&s);
        people_free(p);
    }
}
END_TEST

/* The relay has descriptors of the old device, signed ahead, that name its bundle. */
START_TEST(who_looks_for_a_restored_person_finds_the_new_device)
{
    struct people *p = people_new(810, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    people_meet(p, a, b);
    struct sim_backup s = sim_backup_of(&p->sim, people_as(a));
    for (unsigned i = 0; i < 3; i++) { /* newer lists than the backup knows */
        ck_assert_ok(people_call(p, a->n, "account.rekey", NULL));
        people_quiet(p, HOUR);
    }
    sim_sleep(&p->sim, a->n);
    struct person *anew = restore(p, a, &s);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, 10 * MINUTE);
    people_add(p, c, a->id);
    sim_settle(&p->sim, HOUR);
    ck_assert_str_eq(people_state(p, anew, c), "incoming");
    ck_assert_ok(people_call(p, anew->n, "request.accept", "contact", c->id, NULL));
    people_wait_state(p, c, anew, "accepted");
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

/* An invitation is in no backup: what an invited contact begins later must not need it. */
START_TEST(who_came_by_an_invitation_can_begin_anew_with_a_restored_person)
{
    struct people *p = people_new(811, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b); /* a invites b */
    struct sim_backup s = sim_backup_of(&p->sim, people_as(a));
    sim_sleep(&p->sim, a->n);
    struct person *anew = restore(p, a, &s);
    people_quiet(p, 6 * HOUR);
    ck_assert_ok(people_call(p, people_as(b), "account.rekey", NULL));
    people_quiet(p, HOUR);
    people_say(p, b, anew, "x ", 0);
    people_say(p, anew, b, "y ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, anew, b, "x ", 1);
    people_in_order(p, b, anew, "y ", 1);
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

/* New contacts, and messages with them, between two parts. */
START_TEST(what_comes_while_a_backup_is_read_does_not_break_it)
{
    struct people *p = people_new(812, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    char text[201] = "";
    struct sim_backup s = {.parts = 0};
    people_meet(p, a, b);
    memset(text, 'x', sizeof text - 1);
    for (unsigned i = 0; i < 800; i++) {
        ck_assert_ok(people_send(p, a, b, text));
    }
    people_quiet(p, HOUR);
    ck_assert(sim_backup_more(&p->sim, people_as(a), &s));
    people_meet(p, a, c);
    people_say(p, a, c, "hi ", 0);
    people_quiet(p, HOUR);
    while (sim_backup_more(&p->sim, people_as(a), &s)) {
    }
    sim_sleep(&p->sim, a->n);
    struct person *anew = restore(p, a, &s);
    people_quiet(p, 6 * HOUR);
    ck_assert_uint_eq(people_messages(p, anew, b, NULL, NULL), 800);
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

/* From the words alone: the relay's descriptors of the old device are newer than the first list of
 * the new one, and another member put them. */
START_TEST(who_begins_anew_from_words_is_found_at_once)
{
    struct people *p = people_new(815, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    people_meet(p, a, b);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_ok(people_call(p, a->n, "account.rekey", NULL));
        people_quiet(p, HOUR);
    }
    struct sim_backup s = sim_backup_of(&p->sim, people_as(a));
    sim_sleep(&p->sim, a->n);
    struct person *anew = &p->person[p->count++];
    *anew = (struct person){.n = sim_add(&p->sim, false), .relay = a->relay};
    memcpy(anew->id, a->id, sizeof anew->id);
    ck_assert_ok(people_call(p, anew->n, "account.create", "words", s.words, NULL));
    people_use_relay(p, p->relay, anew);
    sim_settle(&p->sim, 10 * MINUTE);
    ck_assert(people_ready(p, anew));
    people_add(p, c, a->id);
    sim_settle(&p->sim, HOUR);
    ck_assert_str_eq(people_state(p, anew, c), "incoming");
    ck_assert_ok(people_call(p, anew->n, "request.accept", "contact", c->id, NULL));
    /* An old contact hears of the new device when it is met again. */
    people_add(p, anew, b->id);
    people_wait_state(p, anew, b, "accepted");
    ck_assert_uint_eq(people_events(p, b, "contact.devices"), 1);
    people_say(p, b, anew, "welcome back ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, anew, b, "welcome back ", 1);
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

/* Writes the pairs of a map whose keys a backup of before contacts had several devices had. */
static void old_contact(struct writer *w, struct slice fields)
{
    uint8_t bytes[16384];
    struct writer pairs = writer_of(bytes, sizeof bytes);
    struct reader r = reader_of(fields);
    uint32_t all = pack_read_map(&r, 64);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all; i++) {
        size_t at = r.pos;
        uint64_t key = pack_read_uint(&r, 64);
        pack_skip(&r, 4);
        if (key <= 20) {
            writer_bytes(&pairs, r.p + at, r.pos - at);
            kept++;
        }
    }
    ck_assert_int_eq(r.err, ERR_OK);
    ck_assert_uint_lt(kept, all);
    pack_map(w, kept);
    writer_slice(w, writer_done(&pairs));
}

/* The same backup as an older version would have written it. */
static void make_old(struct sim_backup *s)
{
    for (size_t i = 0; i < s->parts; i++) {
        uint8_t *old = malloc(s->len[i] + 64);
        uint8_t fields[16384];
        struct writer w = writer_of(old, s->len[i] + 64);
        struct reader r = reader_of(slice_of(s->part[i], s->len[i]));
        while (reader_left(&r) > 0) {
            struct writer f = writer_of(fields, sizeof fields);
            size_t at = r.pos;
            (void)pack_read_array(&r, 2);
            uint64_t kind = pack_read_uint(&r, 64);
            struct slice body = pack_read_bin(&r, LIMIT_FRAME * 4);
            ck_assert_int_eq(r.err, ERR_OK);
            if (kind != 3) {
                writer_bytes(&w, r.p + at, r.pos - at);
                continue;
            }
            old_contact(&f, body);
            pack_array(&w, 2);
            pack_uint(&w, kind);
            pack_bin_slice(&w, writer_done(&f));
        }
        ck_assert_int_eq(w.err, ERR_OK);
        free(s->part[i]);
        s->part[i] = old;
        s->len[i] = w.len;
    }
}

START_TEST(a_backup_of_before_contacts_had_devices_is_restored)
{
    struct people *p = people_new(831, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_chat(p, a, b, 5, 2000);
    people_quiet(p, HOUR);
    struct sim_backup s = sim_backup_of(&p->sim, people_as(a));
    make_old(&s);
    sim_sleep(&p->sim, a->n);
    struct person *anew = restore(p, a, &s);
    people_quiet(p, 6 * HOUR);
    people_say(p, b, anew, "x ", 0);
    people_say(p, anew, b, "y ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, anew, b, "b ", 5);
    people_in_order(p, anew, b, "x ", 1);
    people_in_order(p, b, anew, "y ", 1);
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

/* The device that holds the identity is lost; the other one stays what it is. */
START_TEST(linked_devices_stay_when_the_one_with_the_identity_is_restored)
{
    struct people *p = people_new_apart(830, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *a2 = &p->person[2];
    people_meet(p, a, b);
    people_link(p, a, a2);
    people_chat(p, a, b, 5, 2000);
    people_quiet(p, HOUR);
    ck_assert_err(people_query(p, a2->n, "backup.read", NULL), ERR_NO_IDENTITY);
    people_say(p, a2, b, "mirrored ", 0);
    people_quiet(p, HOUR);
    struct sim_backup s = sim_backup_of(&p->sim, people_as(a));
    sim_sleep(&p->sim, b->n);
    people_say(p, a2, b, "before ", 0);
    sim_settle(&p->sim, MINUTE);
    sim_sleep(&p->sim, a->n);
    struct person *anew = restore(p, a, &s);
    sim_wake(&p->sim, b->n);
    people_quiet(p, 12 * HOUR);
    ck_assert_uint_eq(people_number(p, b, a, "devices"), 2);
    ck_assert_uint_eq(people_events(p, a2, "device.removed"), 0);
    people_say(p, b, anew, "to both ", 0);
    people_say(p, anew, b, "new ", 0);
    people_say(p, a2, b, "old ", 0);
    people_quiet(p, 12 * HOUR);
    people_in_order(p, b, anew, "before ", 1);
    people_in_order(p, b, anew, "new ", 1);
    people_in_order(p, b, anew, "old ", 1);
    people_in_order(p, anew, b, "to both ", 1);
    people_in_order(p, a2, b, "to both ", 1);
    people_in_order(p, a2, b, "new ", 1);
    people_in_order(p, anew, b, "old ", 1);
    /* What the lost one does from now on changes nothing. */
    sim_wake(&p->sim, a->n);
    (void)people_send(p, a, b, "me too");
    sim_settle(&p->sim, 48 * HOUR);
    ck_assert_uint_eq(people_messages(p, b, anew, NULL, "me too"), 0);
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

static bool both_heard(struct people *p, void *ctx)
{
    struct person **two = ctx;
    return people_messages(p, two[0], two[1], "received", "hello 0") == 1 &&
           people_messages(p, two[1], two[0], "received", "hello 0") == 1;
}

/* Each knows only a queue of the other one that nobody reads any more. */
START_TEST(two_who_restore_find_each_other)
{
    struct people *p = people_new(840, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_quiet(p, HOUR);
    struct sim_backup of_a = sim_backup_of(&p->sim, people_as(a));
    struct sim_backup of_b = sim_backup_of(&p->sim, people_as(b));
    sim_sleep(&p->sim, a->n);
    sim_sleep(&p->sim, b->n);
    struct person *two[] = {restore(p, a, &of_a), restore(p, b, &of_b)};
    people_say(p, two[0], two[1], "hello ", 0);
    people_say(p, two[1], two[0], "hello ", 0);
    ck_assert(people_until(p, both_heard, two, 72 * HOUR));
    people_quiet(p, 72 * HOUR);
    sim_backup_free(&of_a);
    sim_backup_free(&of_b);
    people_free(p);
}
END_TEST

START_TEST(who_was_put_back_finds_who_was_restored)
{
    struct people *p = people_new(841, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_quiet(p, HOUR);
    struct sim_copy copy = sim_copy_of(b->n);
    struct sim_backup of_a = sim_backup_of(&p->sim, people_as(a));
    sim_sleep(&p->sim, a->n);
    struct person *two[] = {restore(p, a, &of_a), b};
    people_say(p, two[0], b, "so ", 0);
    people_quiet(p, 12 * HOUR);
    sim_roll_back(&p->sim, b->n, &copy);
    people_say(p, two[0], b, "hello ", 0);
    people_say(p, b, two[0], "hello ", 0);
    ck_assert(people_until(p, both_heard, two, 96 * HOUR));
    sim_copy_free(&copy);
    sim_backup_free(&of_a);
    people_free(p);
}
END_TEST

START_TEST(what_is_no_backup_is_refused)
{
    struct people *p = people_new(820, 2);
    struct person *a = &p->person[0];
    people_meet(p, a, &p->person[1]);
    people_chat(p, a, &p->person[1], 3, 1000);
    struct sim_backup s = sim_backup_of(&p->sim, people_as(a));
    struct sim_node *n = sim_add(&p->sim, false);
    ck_assert_err(sim_restore_put(&p->sim, n, s.part[0], s.len[0]), ERR_NO_ACCOUNT);
    ck_assert_err(sim_restore_put(&p->sim, a->n, s.part[0], s.len[0]), ERR_NOT_NOW); /* it lives */
    ck_assert_err(people_call(p, a->n, "restore.end", NULL), ERR_NOT_NOW);
    ck_assert_ok(sim_restore_begin(&p->sim, n, s.words));
    ck_assert_ok(sim_restore_put(&p->sim, n, s.part[0], s.len[0]));
    unsigned refused = 0;
    for (size_t cut = 1; cut < s.len[0]; cut += 7) {
        refused += sim_restore_put(&p->sim, n, s.part[0], s.len[0] - cut) == ERR_MALFORMED;
    }
    ck_assert_uint_gt(refused, 50);
    for (size_t i = 0; i < s.len[0]; i += 3) {
        s.part[0][i] ^= 0x55;
        enum err err = sim_restore_put(&p->sim, n, s.part[0], s.len[0]);
        ck_assert(err == ERR_OK || err == ERR_MALFORMED);
        s.part[0][i] ^= 0x55;
    }
    ck_assert_ok(sim_restore_put(&p->sim, n, s.part[0], s.len[0]));
    ck_assert_err(people_query(p, n, "backup.read", NULL),
                  ERR_NOT_NOW); /* not before it is whole */
    ck_assert_err(people_query(p, a->n, "backup.read", "after", "zz", NULL), ERR_ARGUMENT);
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

/* How many contacts are in a part. */
static size_t contacts_in(const uint8_t *part, size_t len)
{
    size_t n = 0;
    struct reader r = reader_of(slice_of(part, len));
    while (r.err == ERR_OK && r.pos < len) {
        ck_assert_uint_eq(pack_read_array(&r, 2), 2);
        n += pack_read_uint(&r, UINT8_MAX) == 3;
        (void)pack_read_bin(&r, UINT32_MAX);
    }
    ck_assert_ok(r.err);
    return n;
}

/* Puts records of contacts, n pairs of a number and who it is: a letter stands for an ID. */
static enum err put_contacts(struct people *p, struct sim_node *node, size_t n,
                             const unsigned number[], const char who[])
{
    static uint8_t bytes[BACKUP_PUT_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++) {
        uint8_t seed[32] = {(uint8_t)who[i], 1};
        struct sign_pk id;
        struct sign_sk sk;
        prim_sign_keypair(&id, &sk, seed);
        records_contact(&w, number[i], &id);
    }
    ck_assert_ok(w.err);
    return sim_restore_put(&p->sim, node, bytes, w.len);
}

#define PUT(who, ...)                                                                              \
    put_contacts(p, n, sizeof(who) - 1, (const unsigned[sizeof(who) - 1]){__VA_ARGS__}, who)

START_TEST(a_contact_stands_in_a_backup_once)
{
    struct people *p = people_new(821, 1);
    struct sim_backup s = sim_backup_of(&p->sim, people_as(&p->person[0]));
    struct sim_node *n = sim_add(&p->sim, false);
    ck_assert_ok(sim_restore_begin(&p->sim, n, s.words));
    ck_assert_ok(PUT("ab", 1, 2));
    ck_assert_err(PUT("cc", 3, 4), ERR_MALFORMED); /* one ID, twice in a call */
    ck_assert_err(PUT("a", 5), ERR_MALFORMED);     /* and in two calls */
    ck_assert_err(PUT("cd", 3, 3), ERR_MALFORMED); /* one number, likewise */
    ck_assert_err(PUT("c", 1), ERR_MALFORMED);
    ck_assert_err(PUT("ab", 2, 1), ERR_MALFORMED);
    ck_assert_ok(PUT("abcd", 1, 2, 4, 3)); /* of the others nothing was put */
    ck_assert_ok(people_call(p, n, "restore.end", NULL));
    struct sim_backup all = sim_backup_of(&p->sim, n);
    ck_assert_uint_eq(all.parts, 1);
    ck_assert_uint_eq(contacts_in(all.part[0], all.len[0]), 4);
    sim_backup_free(&all);
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

/* They are small: without a bound of its own one call would look for thousands of rows. */
START_TEST(a_call_reads_so_many_rows_of_contacts_and_no_more)
{
    enum {
        CONTACTS = 1000,
        LOOKS = 4, /* for one: its row, what waits for its device, and another one, messages */
    };
    static uint8_t bytes[CONTACTS * 256];
    struct people *p = people_new(822, 1);
    struct sim_backup s = sim_backup_of(&p->sim, people_as(&p->person[0]));
    struct sim_backup all = {.parts = 0};
    struct person who = {.n = sim_add(&p->sim, false)};
    size_t found = 0;
    ck_assert_ok(sim_restore_begin(&p->sim, who.n, s.words));
    for (unsigned number = 1; number <= CONTACTS;) {
        struct writer w = writer_of(bytes, sizeof bytes);
        for (unsigned i = 0; i < CONTACTS / 2; i++, number++) {
            uint8_t seed[32] = {(uint8_t)number, (uint8_t)(number >> 8)};
            struct sign_pk id;
            struct sign_sk sk;
            prim_sign_keypair(&id, &sk, seed);
            records_contact(&w, number, &id);
        }
        ck_assert_ok(w.err);
        ck_assert_ok(sim_restore_put(&p->sim, who.n, bytes, w.len));
    }
    ck_assert_ok(people_call(p, who.n, "restore.end", NULL));
    while (sim_backup_more(&p->sim, people_as(&who), &all)) {
    }
    for (size_t i = 0; i < all.parts; i++) {
        size_t n = contacts_in(all.part[i], all.len[i]);
        ck_assert_uint_le(LOOKS * n, LIMIT_QUERY_ROWS + LOOKS);
        found += n;
    }
    ck_assert_uint_eq(found, CONTACTS);
    sim_backup_free(&all);
    sim_backup_free(&s);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, a_restored_account_is_a_new_device_and_contacts_carry_on);
    tcase_add_test(tc, who_looks_for_a_restored_person_finds_the_new_device);
    tcase_add_test(tc, who_came_by_an_invitation_can_begin_anew_with_a_restored_person);
    tcase_add_test(tc, what_comes_while_a_backup_is_read_does_not_break_it);
    tcase_add_test(tc, who_begins_anew_from_words_is_found_at_once);
    tcase_add_test(tc, a_backup_of_before_contacts_had_devices_is_restored);
    tcase_add_test(tc, linked_devices_stay_when_the_one_with_the_identity_is_restored);
    tcase_add_test(tc, two_who_restore_find_each_other);
    tcase_add_test(tc, who_was_put_back_finds_who_was_restored);
    tcase_add_test(tc, what_is_no_backup_is_refused);
    tcase_add_test(tc, a_contact_stands_in_a_backup_once);
    tcase_add_test(tc, a_call_reads_so_many_rows_of_contacts_and_no_more);
}

int main(void)
{
    return unit_main("sim/restore", add_tests);
}
