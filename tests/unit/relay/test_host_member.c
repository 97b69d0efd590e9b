/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/relay_rig.h"
#include "relay/wire.h"

#include <sodium.h>

static struct relay_rig R;

/* A code from the operator, in a turn of its own. */
static void invite(uint8_t code[static RELAY_CODE])
{
    struct store store;
    store_mem_begin(R.mem, &store);
    struct turn turn = {.env = &R.unit.env, .store = &store, .arena = &R.arena};
    ck_assert_ok(relay_host_invite(R.host, &turn, LIMIT_JOIN_CODE_DAYS, code));
    ck_assert_ok(store_mem_commit(R.mem));
}

START_TEST(by_invite_a_code_makes_one_member)
{
    uint8_t code[RELAY_CODE];
    uint8_t wrong[RELAY_CODE] = {1};
    rig_init(&R, 0);
    R.config.registration_open = false;
    rig_restart(&R);
    invite(code);
    ck_assert_err(rig_join(&R, 0, NULL), ERR_BAD_INVITE_CODE);
    ck_assert_err(rig_join(&R, 0, wrong), ERR_BAD_INVITE_CODE);
    ck_assert_ok(rig_join(&R, 0, code));
    ck_assert_ok(rig_join(&R, 0, code)); /* a retry */
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_err(rig_join(&R, 1, code), ERR_BAD_INVITE_CODE);
    rig_restart(&R);
    ck_assert_ok(rig_join(&R, 0, NULL));
    struct relay_host_stats stats;
    ck_assert_ok(relay_host_stats(R.host, &R.turn, &stats));
    ck_assert_uint_eq(stats.members, 1);
    rig_fini(&R);
}
END_TEST

START_TEST(a_code_ends_after_a_week)
{
    uint8_t code[RELAY_CODE];
    rig_init(&R, 0);
    R.config.registration_open = false;
    rig_restart(&R);
    invite(code);
    R.unit.env.now_ms += LIMIT_JOIN_CODE_DAYS * LIMIT_DAY_MS;
    ck_assert_err(rig_join(&R, 0, code), ERR_BAD_INVITE_CODE);
    R.unit.env.now_ms += 20000;
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_JOIN_CODE), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(nothing_in_the_store_names_a_member_or_a_queue)
{
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_ok(rig_register(&R, 0, 0, 0));
    ck_assert_ok(rig_put(&R, 0, 1, 'a'));
    struct sign_pk names[2] = {rig_pk(RIG_MEMBER, 0), rig_pk(RIG_QUEUE, 0)};
    struct token_key k = rig_k(0);
    unsigned rows = 0;
    struct store store;
    store_mem_begin(R.mem, &store);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        struct store_key at = store_key_new();
        store_key_u8(&at, 0);
        struct store_row row;
        while (store_seek(&store, (enum store_table)t, STORE_GT, store_key_slice(&at), &row) ==
               ERR_OK) {
            for (unsigned i = 0; i < 2; i++) {
                ck_assert_ptr_null(memmem(row.key.p, row.key.len, names[i].b, 16));
                ck_assert_ptr_null(memmem(row.value.p, row.value.len, names[i].b, 16));
            }
            ck_assert_ptr_null(memmem(row.value.p, row.value.len, k.b, 16));
            at.len = 0;
            store_key_bytes(&at, row.key.p, row.key.len);
            rows++;
        }
    }
    store_mem_abort(R.mem);
    ck_assert_uint_ge(rows, 5);
    rig_fini(&R);
}
END_TEST

/* --- descriptors --- */

static struct descriptor_put item_of(unsigned n, uint64_t seq, uint32_t days, uint8_t fill)
{
    struct descriptor_put put = {.period = (uint32_t)(R.unit.env.now_ms / LIMIT_DAY_MS) + days};
    uint8_t buf[BEP44_BUFFER_MAX];
    struct writer w = writer_of(buf, sizeof buf);
    put.item.key = rig_pk(6, n);
    put.item.seq = seq;
    memset(put.item.value, fill, sizeof put.item.value);
    struct sign_sk sk;
    rig_sk(&sk, 6, n);
    bep44_item_buffer(&w, seq, put.item.value);
    crypto_sign_detached(put.item.sig, NULL, buf, w.len, sk.b);
    return put;
}

/* By this member; signed by this key in place of the item's. */
static enum err send_item_by(const struct descriptor_put *put, unsigned member,
                             const struct sign_sk *key)
{
    struct sign_sk sk;
    const struct relay_signer blinded = {.sk = key};
    struct writer w = writer_of(R.body, sizeof R.body);
    rig_sk(&sk, RIG_MEMBER, member);
    ck_assert_ok(descriptor_put_write(&w, &R.arena, R.hash, put, &blinded, &sk));
    enum err err = rig_request(&R, RELAY_DESCRIPTOR_PUT, writer_done(&w));
    return err != ERR_OK ? err : rig_refusal(&R);
}

/* By member 0, with the item's own key. */
static enum err send_item(const struct descriptor_put *put)
{
    struct sign_sk sk;
    unsigned n = 0;
    do {
        rig_sk(&sk, 6, n);
    } while (memcmp(put->item.key.b, sk.b + 32, 32) != 0 && n++ < 64);
    ck_assert_uint_le(n, 64);
    return send_item_by(put, 0, &sk);
}

static enum err get_item(unsigned n, struct descriptor_get_reply *reply)
{
    struct descriptor_get get = {.blinded = rig_pk(6, n)};
    struct writer w = writer_of(R.body, sizeof R.body);
    descriptor_get_write(&w, &get);
    ck_assert_ok(rig_request(&R, RELAY_DESCRIPTOR_GET, writer_done(&w)));
    ck_assert_ok(descriptor_get_reply_read(R.reply, reply));
    return reply->head.err;
}

START_TEST(a_descriptor_is_kept_until_a_day_after_its_period)
{
    struct descriptor_get_reply got;
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    struct descriptor_put put = item_of(1, 1, 0, 'a');
    ck_assert_err(get_item(1, &got), ERR_NOT_FOUND);
    ck_assert_ok(send_item(&put));
    ck_assert_ok(send_item(&put)); /* a retry */
    ck_assert_ok(get_item(1, &got));
    ck_assert_ok(bep44_item_verify(&got.item));
    ck_assert_mem_eq(&got.item, &put.item, sizeof put.item);
    R.unit.env.now_ms += 2 * LIMIT_DAY_MS - 1;
    ck_assert_ok(get_item(1, &got));
    R.unit.env.now_ms += 1;
    ck_assert_err(get_item(1, &got), ERR_NOT_FOUND);
    rig_settle(&R);
    R.unit.env.now_ms += 20000;
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_DESCRIPTOR), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(a_higher_seq_replaces_a_lower_one_is_stale)
{
    struct descriptor_get_reply got;
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    struct descriptor_put first = item_of(1, 1, 1, 'a');
    struct descriptor_put second = item_of(1, 2, 3, 'b');
    struct descriptor_put other = item_of(1, 2, 3, 'c');
    ck_assert_ok(send_item(&first));
    ck_assert_ok(send_item(&second));
    ck_assert_err(send_item(&first), ERR_STALE);
    ck_assert_err(send_item(&other), ERR_STALE);
    ck_assert_ok(get_item(1, &got));
    ck_assert_uint_eq(got.item.seq, 2);
    ck_assert_int_eq(got.item.value[0], 'b');
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_SPENT_AGE), 1);
    rig_fini(&R);
}
END_TEST

/* The items are public: who copies one to another relay has no place of its owner's there. */
START_TEST(nobody_puts_an_item_of_another)
{
    struct descriptor_get_reply got;
    struct sign_sk thief;
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_ok(rig_join(&R, 1, NULL));
    rig_sk(&thief, 6, 2);
    struct descriptor_put put = item_of(1, 1, 0, 'a');
    ck_assert_err(send_item_by(&put, 1, &thief), ERR_BAD_SIGNATURE);
    ck_assert_err(get_item(1, &got), ERR_NOT_FOUND);
    ck_assert_ok(send_item(&put));
    put.quiet = true;
    ck_assert_err(send_item_by(&put, 1, &thief), ERR_BAD_SIGNATURE);
    rig_fini(&R);
}
END_TEST

/* One person with two memberships: an item stays while that of who put it last does. */
START_TEST(an_item_is_of_the_member_who_put_it_last)
{
    struct descriptor_get_reply got;
    struct sign_sk own;
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_ok(rig_join(&R, 1, NULL));
    rig_sk(&own, 6, 1);
    struct descriptor_put same = item_of(1, 1, 0, 'a');
    struct descriptor_put newer = item_of(2, 1, 0, 'a');
    ck_assert_ok(send_item_by(&same, 0, &own));
    ck_assert_ok(send_item_by(&same, 1, &own));
    rig_sk(&own, 6, 2);
    ck_assert_ok(send_item_by(&newer, 0, &own));
    newer = item_of(2, 2, 3, 'b');
    ck_assert_ok(send_item_by(&newer, 1, &own));
    for (unsigned i = 0; i < LIMIT_DESCRIPTORS; i++) { /* member 0 has all its places again */
        newer = item_of(10 + i, 1, 1, 'c');
        ck_assert_ok(send_item(&newer));
    }
    rig_sk(&own, 6, 10);
    for (unsigned i = 2; i < LIMIT_DESCRIPTORS; i++) {
        newer = item_of(30 + i, 1, 1, 'd');
        rig_sk(&own, 6, 30 + i);
        ck_assert_ok(send_item_by(&newer, 1, &own));
    }
    newer = item_of(10, 2, 1, 'e');
    rig_sk(&own, 6, 10);
    ck_assert_err(send_item_by(&newer, 1, &own), ERR_QUOTA); /* and member 1 none */
    ck_assert_ok(rig_leave(&R, 0));
    rig_settle(&R);
    ck_assert_ok(get_item(1, &got));
    ck_assert_ok(get_item(2, &got));
    ck_assert_int_eq(got.item.value[0], 'b');
    ck_assert_err(get_item(10, &got), ERR_NOT_FOUND);
    rig_fini(&R);
}
END_TEST

START_TEST(a_descriptor_is_announced_around_its_period)
{
    struct bep44_item item;
    struct sign_pk keys[4];
    uint64_t first = 0; /* hours into the last day before it, and */
    uint64_t last = 0;  /* into the first one after it */
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    R.unit.env.now_ms -= R.unit.env.now_ms % LIMIT_DAY_MS; /* midnight */
    struct descriptor_put today = item_of(1, 1, 0, 'a');
    struct descriptor_put later = item_of(2, 1, 2, 'b');
    ck_assert_ok(send_item(&today));
    ck_assert_ok(send_item(&later));
    for (uint8_t k = 0; k < 5; k++) { /* whoever signs one after the other */
        today = item_of(1, 2U + k, 0, k);
        ck_assert_ok(send_item(&today));
    }
    ck_assert_ok(rig_fresh(&R, &item)); /* is announced once, with the last one */
    ck_assert_int_eq(memcmp(&item.key, &today.item.key, sizeof item.key), 0);
    ck_assert_uint_eq(item.seq, 6);
    ck_assert_err(rig_fresh(&R, &item), ERR_NOT_FOUND); /* the other one has time */
    ck_assert_uint_eq(rig_announced(&R, keys, 4), 1);
    for (uint64_t hour = 0; hour < 96; hour++) {
        uint64_t day = hour / 24;
        unsigned n = rig_announced(&R, keys, 4);
        bool has = false;
        for (unsigned i = 0; i < n; i++) {
            has = has || memcmp(&keys[i], &later.item.key, sizeof keys[i]) == 0;
        }
        ck_assert(day != 0 || !has);
        ck_assert(day != 2 || has);
        first = has && day == 1 && first == 0 ? hour % 24 : first;
        last = has && day == 3 ? hour % 24 : last;
        R.unit.env.now_ms += LIMIT_HOUR_MS;
    }
    ck_assert_uint_ge(first, 18);
    ck_assert_uint_lt(last, 6);
    ck_assert_uint_eq(rig_announced(&R, keys, 4), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(what_is_quiet_is_given_and_not_announced)
{
    struct bep44_item item;
    struct sign_pk keys[4];
    struct descriptor_get_reply got;
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    struct descriptor_put put = item_of(1, 1, 0, 'a');
    put.quiet = true;
    ck_assert_ok(send_item(&put));
    ck_assert_err(rig_fresh(&R, &item), ERR_NOT_FOUND);
    ck_assert_uint_eq(rig_announced(&R, keys, 4), 0);
    ck_assert_ok(get_item(1, &got));
    ck_assert_int_eq(got.item.value[0], 'a');
    /* A newer one says anew whether it is. */
    put = item_of(1, 2, 0, 'b');
    ck_assert_ok(send_item(&put));
    ck_assert_uint_eq(rig_announced(&R, keys, 4), 1);
    put = item_of(1, 3, 0, 'c'); /* before the one that was to be put at once is */
    put.quiet = true;
    ck_assert_ok(send_item(&put));
    ck_assert_err(rig_fresh(&R, &item), ERR_NOT_FOUND);
    ck_assert_uint_eq(rig_announced(&R, keys, 4), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(a_descriptor_must_be_signed_of_this_time_and_within_the_quota)
{
    rig_init(&R, 0);
    struct descriptor_put put = item_of(1, 1, 0, 'a');
    ck_assert_err(send_item(&put), ERR_REFUSED);
    ck_assert_ok(rig_join(&R, 0, NULL));
    struct descriptor_put forged = put;
    forged.item.seq = 2;
    ck_assert_err(send_item(&forged), ERR_BAD_SIGNATURE);
    put.period -= 2;
    ck_assert_err(send_item(&put), ERR_EXPIRED);
    put.period += 2 + LIMIT_DESCRIPTORS_AHEAD;
    ck_assert_err(send_item(&put), ERR_TOO_FAR_AHEAD);
    for (unsigned i = 0; i < LIMIT_DESCRIPTORS; i++) {
        put = item_of(i, 1, i % 8, 'a');
        ck_assert_ok(send_item(&put));
    }
    put = item_of(50, 1, 1, 'a');
    ck_assert_err(send_item(&put), ERR_QUOTA);
    R.unit.env.now_ms += 2 * LIMIT_DAY_MS + 20000;
    rig_settle(&R);
    put = item_of(50, 1, 1, 'a');
    ck_assert_ok(send_item(&put)); /* the one that ended made room */
    rig_fini(&R);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, by_invite_a_code_makes_one_member);
    tcase_add_test(tc, a_code_ends_after_a_week);
    tcase_add_test(tc, nothing_in_the_store_names_a_member_or_a_queue);
    tcase_add_test(tc, a_descriptor_is_kept_until_a_day_after_its_period);
    tcase_add_test(tc, a_higher_seq_replaces_a_lower_one_is_stale);
    tcase_add_test(tc, nobody_puts_an_item_of_another);
    tcase_add_test(tc, an_item_is_of_the_member_who_put_it_last);
    tcase_add_test(tc, a_descriptor_is_announced_around_its_period);
    tcase_add_test(tc, what_is_quiet_is_given_and_not_announced);
    tcase_add_test(tc, a_descriptor_must_be_signed_of_this_time_and_within_the_quota);
}

int main(void)
{
    return unit_main("relay/host_member", add);
}
