/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/relay_rig.h"
#include "relay/wire.h"

#define EPOCH_MS (LIMIT_TOKEN_EPOCH_DAYS * LIMIT_DAY_MS)

static struct relay_rig R;
static uint8_t BODY[LIMIT_RECORD_BODY];
static uint8_t PART[LIMIT_RECORD_PART];

static void set_up(void)
{
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
}

/* A put of record 0 by member 0 with token key 0 and parts first..first+n-1, 100 bytes each. */
static struct record_put put_of(uint64_t seq, uint8_t fill, uint32_t first, size_t n)
{
    struct record_put put = {.seq = seq, .k = rig_k(0), .has_body = true, .nparts = n};
    memset(BODY, fill, 200);
    put.body = slice_of(BODY, 200);
    for (size_t i = 0; i < n; i++) {
        put.parts[i].id = first + (uint32_t)i;
        put.parts[i].sealed = slice_of(PART + i, 100);
    }
    return put;
}

static enum err send_put_as(const struct record_put *put, unsigned record, unsigned member,
                            uint16_t *left)
{
    struct sign_sk record_sk;
    struct sign_sk member_sk;
    struct record_put_reply reply;
    struct writer w = writer_of(R.body, sizeof R.body);
    for (size_t i = 0; i < sizeof PART; i++) {
        PART[i] = (uint8_t)i;
    }
    rig_sk(&record_sk, RIG_RECORD, record);
    rig_sk(&member_sk, RIG_MEMBER, member);
    ck_assert_ok(record_put_write(&w, &R.arena, R.hash, put, &record_sk, &member_sk));
    ck_assert_int_eq(w.err, ERR_OK);
    enum err err = rig_request(&R, RELAY_RECORD_PUT, writer_done(&w));
    if (err != ERR_OK) {
        return err;
    }
    ck_assert_ok(record_put_reply_read(R.reply, &reply));
    if (left != NULL && reply.head.err == ERR_OK) {
        *left = reply.parts_left;
    }
    return reply.head.err;
}

static enum err send_put(const struct record_put *put, uint16_t *left)
{
    return send_put_as(put, 0, 0, left);
}

static enum err send_get(struct record_get_reply *reply)
{
    struct record_get get = {.record = rig_pk(RIG_RECORD, 0)};
    struct writer w = writer_of(R.body, sizeof R.body);
    record_get_write(&w, &get);
    ck_assert_ok(rig_request(&R, RELAY_RECORD_GET, writer_done(&w)));
    ck_assert_ok(record_get_reply_read(R.reply, reply));
    return reply->head.err;
}

static enum err send_status(struct record_status_reply *reply)
{
    struct sign_sk sk;
    struct writer w = writer_of(R.body, sizeof R.body);
    rig_sk(&sk, RIG_RECORD, 0);
    ck_assert_ok(record_status_write(&w, &R.arena, R.hash, &sk));
    ck_assert_ok(rig_request(&R, RELAY_RECORD_STATUS, writer_done(&w)));
    ck_assert_ok(record_status_reply_read(R.reply, reply));
    return reply->head.err;
}

static struct record_pop pop_of(unsigned record, uint32_t token, uint8_t nonce)
{
    struct record_pop pop = {.record = rig_pk(RIG_RECORD, record)};
    struct token_key k = rig_k(0);
    struct token_siv_key siv = rig_siv(0);
    memset(pop.pop_nonce, nonce, sizeof pop.pop_nonce);
    token_mint(&k, &siv, &pop.record, 1, token, token_epoch(R.unit.env.now_ms),
               &pop.admission.token);
    return pop;
}

static enum err send_pop(const struct record_pop *pop, struct record_pop_reply *reply)
{
    struct writer w = writer_of(R.body, sizeof R.body);
    record_pop_write(&w, pop);
    enum err err = rig_request(&R, RELAY_RECORD_POP, writer_done(&w));
    if (err != ERR_OK) {
        return err;
    }
    ck_assert_ok(record_pop_reply_read(R.reply, reply));
    return reply->head.err;
}

START_TEST(a_record_is_put_and_read)
{
    set_up();
    struct record_put put = put_of(1, 'a', 1, 3);
    struct record_get_reply got;
    uint16_t left = 0;
    ck_assert_err(send_get(&got), ERR_NOT_FOUND);
    ck_assert_ok(send_put(&put, &left));
    ck_assert_uint_eq(left, 3);
    ck_assert_ok(send_get(&got));
    ck_assert_uint_eq(got.seq, 1);
    ck_assert(slice_equal(got.body, put.body));
    rig_restart(&R);
    ck_assert_ok(send_get(&got));
    ck_assert(slice_equal(got.body, put.body));
    rig_fini(&R);
}
END_TEST

START_TEST(seq_ascends_for_a_changed_body)
{
    set_up();
    struct record_put put = put_of(5, 'a', 1, 0);
    ck_assert_ok(send_put(&put, NULL));
    ck_assert_ok(send_put(&put, NULL)); /* a retry */
    put = put_of(5, 'b', 1, 0);
    ck_assert_err(send_put(&put, NULL), ERR_STALE);
    put = put_of(4, 'b', 1, 0);
    ck_assert_err(send_put(&put, NULL), ERR_STALE);
    put = put_of(5, 'a', 1, 0);
    put.k = rig_k(9);
    ck_assert_err(send_put(&put, NULL), ERR_STALE);
    put.seq = 6;
    ck_assert_ok(send_put(&put, NULL));
    put.has_body = false;
    ck_assert_ok(send_put(&put, NULL));
    put.seq = 7;
    ck_assert_err(send_put(&put, NULL), ERR_STALE);
    rig_fini(&R);
}
END_TEST

START_TEST(only_the_member_who_made_it_may_put)
{
    set_up();
    struct record_put put = put_of(1, 'a', 1, 0);
    put.has_body = false;
    ck_assert_err(send_put(&put, NULL), ERR_NOT_FOUND);
    put.has_body = true;
    ck_assert_err(send_put_as(&put, 0, 1, NULL), ERR_REFUSED);
    ck_assert_ok(rig_join(&R, 1, NULL));
    ck_assert_ok(send_put(&put, NULL));
    put.seq = 2;
    ck_assert_err(send_put_as(&put, 0, 1, NULL), ERR_REFUSED);
    for (unsigned i = 1; i < LIMIT_MEMBER_RECORDS; i++) {
        ck_assert_ok(send_put_as(&put, i, 0, NULL));
    }
    ck_assert_err(send_put_as(&put, LIMIT_MEMBER_RECORDS, 0, NULL), ERR_QUOTA);
    rig_fini(&R);
}
END_TEST

START_TEST(a_record_holds_so_many_parts)
{
    set_up();
    struct record_status_reply status;
    uint16_t left = 0;
    struct record_put put = put_of(1, 'a', 1, LIMIT_ONE_TIME_REFILL);
    ck_assert_ok(send_put(&put, &left));
    put = put_of(1, 'a', 1 + LIMIT_ONE_TIME_REFILL, LIMIT_ONE_TIME_REFILL);
    put.has_body = false;
    ck_assert_ok(send_put(&put, &left));
    ck_assert_uint_eq(left, LIMIT_ONE_TIME_PARTS);
    ck_assert_ok(send_put(&put, &left)); /* a retry */
    ck_assert_uint_eq(left, LIMIT_ONE_TIME_PARTS);
    put = put_of(1, 'a', 1000, 1);
    ck_assert_err(send_put(&put, &left), ERR_QUOTA);
    put.drop_below = 60;
    ck_assert_ok(send_put(&put, &left));
    ck_assert_uint_eq(left, 6);
    ck_assert_ok(send_put(&put, &left)); /* a retry drops nothing more */
    ck_assert_uint_eq(left, 6);
    ck_assert_ok(send_status(&status));
    ck_assert_uint_eq(status.parts_left, 6);
    ck_assert_uint_eq(status.last_part, 1000);
    ck_assert_uint_eq(status.seq, 1);
    rig_fini(&R);
}
END_TEST

START_TEST(nobody_else_gets_a_popped_part)
{
    set_up();
    struct record_put put = put_of(1, 'a', 1, 3);
    struct record_pop_reply reply;
    ck_assert_ok(send_put(&put, NULL));
    for (uint32_t i = 1; i <= 3; i++) {
        struct record_pop pop = pop_of(0, i, (uint8_t)i);
        ck_assert_ok(send_pop(&pop, &reply));
        ck_assert(reply.has_part);
        ck_assert_uint_eq(reply.part.id, i);
        ck_assert(slice_equal(reply.part.sealed, slice_of(PART + i - 1, 100)));
        ck_assert(slice_equal(reply.body, put.body));
    }
    struct record_pop pop = pop_of(0, 4, 4);
    ck_assert_ok(send_pop(&pop, &reply));
    ck_assert(!reply.has_part);         /* last resort */
    ck_assert_ok(send_put(&put, NULL)); /* a late retry brings no part back */
    pop = pop_of(0, 5, 5);
    ck_assert_ok(send_pop(&pop, &reply));
    ck_assert(!reply.has_part);
    rig_fini(&R);
}
END_TEST

START_TEST(the_same_pop_gets_the_same_part_for_a_day)
{
    set_up();
    struct record_put put = put_of(1, 'a', 1, 3);
    struct record_pop_reply reply;
    ck_assert_ok(send_put(&put, NULL));
    struct record_pop pop = pop_of(0, 1, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_ok(send_pop(&pop, &reply));
        ck_assert_uint_eq(reply.part.id, 1);
        rig_restart(&R);
        ck_assert_ok(send_pop(&pop, &reply));
        ck_assert_uint_eq(reply.part.id, 1);
        R.unit.env.now_ms += LIMIT_DAY_MS - 1;
        if (i == 0) {
            rig_settle(&R);
            ck_assert_ok(send_pop(&pop, &reply));
            R.unit.env.now_ms -= LIMIT_DAY_MS - 1;
        }
    }
    struct record_pop other = pop;
    other.pop_nonce[0] = 2;
    ck_assert_err(send_pop(&other, &reply), ERR_TOKEN_SPENT);
    R.unit.env.now_ms += 20000;
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_RECORD_POP), 0);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_SPENT), 1);
    ck_assert_err(send_pop(&pop, &reply), ERR_TOKEN_SPENT);
    R.unit.env.now_ms += 2 * EPOCH_MS;
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_SPENT), 0);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_SPENT_AGE), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(unknown_record_and_bad_token_answer_alike)
{
    set_up();
    struct record_put put = put_of(1, 'a', 1, 3);
    struct record_pop_reply reply;
    uint8_t first[64];
    ck_assert_ok(send_put(&put, NULL));
    struct record_pop pop = pop_of(0, 1, 1);
    pop.admission.token.b[31] ^= 1;
    ck_assert_err(send_pop(&pop, &reply), ERR_BAD_TOKEN);
    size_t len = R.reply.len;
    memcpy(first, R.reply.p, len);
    pop = pop_of(7, 1, 1);
    ck_assert_err(send_pop(&pop, &reply), ERR_BAD_TOKEN);
    ck_assert_uint_eq(R.reply.len, len);
    ck_assert_mem_eq(R.reply.p, first, len);
    rig_fini(&R);
}
END_TEST

START_TEST(a_stamp_pops_and_its_retry_gets_the_same_part)
{
    set_up();
    struct record_put put = put_of(1, 'a', 1, LIMIT_ONE_TIME_REFILL);
    struct record_pop_reply reply;
    ck_assert_ok(send_put(&put, NULL));
    struct record_pop pop = pop_of(0, 1, 9);
    struct slice nonce = slice_of(pop.pop_nonce, sizeof pop.pop_nonce);
    pop.admission = rig_stamp(&R, &pop.record, nonce, LIMIT_STAMP_POP_BITS);
    ck_assert_ok(send_pop(&pop, &reply));
    ck_assert_uint_eq(reply.part.id, 1);
    ck_assert_ok(send_pop(&pop, &reply));
    ck_assert_uint_eq(reply.part.id, 1);
    pop.admission.stamp_nonce++;
    ck_assert_err(send_pop(&pop, &reply), ERR_STAMP_TOO_CHEAP);
    ck_assert_uint_eq(reply.stamp_bits, LIMIT_STAMP_POP_BITS);
    pop.admission.stamp_nonce--;
    R.unit.env.now_ms += (LIMIT_STAMP_MINUTES + 1) * LIMIT_MINUTE_MS;
    ck_assert_err(send_pop(&pop, &reply), ERR_STAMP_STALE);
    struct record_pop token = pop_of(0, 1, 9); /* another admission, the same pop */
    ck_assert_ok(send_pop(&token, &reply));
    ck_assert_uint_eq(reply.part.id, 1);
    token = pop_of(0, 1, 10);
    ck_assert_err(send_pop(&token, &reply), ERR_TOKEN_SPENT);
    rig_fini(&R);
}
END_TEST

START_TEST(a_full_disk_pops_nothing_and_repeats_what_was_popped)
{
    set_up();
    struct record_put put = put_of(1, 'a', 1, 3);
    struct record_pop_reply reply;
    ck_assert_ok(send_put(&put, NULL));
    struct record_pop first = pop_of(0, 1, 1);
    struct record_pop second = pop_of(0, 2, 2);
    ck_assert_ok(send_pop(&first, &reply));
    R.growth = false;
    ck_assert_ok(send_pop(&first, &reply));
    ck_assert_uint_eq(reply.part.id, 1);
    ck_assert_err(send_pop(&second, &reply), ERR_BACKPRESSURE);
    ck_assert_uint_gt(reply.head.retry_after_ms, 0);
    put.seq = 2;
    ck_assert_err(send_put(&put, NULL), ERR_BACKPRESSURE);
    R.growth = true;
    ck_assert_ok(send_pop(&second, &reply));
    ck_assert_uint_eq(reply.part.id, 2);
    rig_fini(&R);
}
END_TEST

START_TEST(signatures_of_other_keys_and_links_are_refused)
{
    set_up();
    struct record_put put = put_of(1, 'a', 1, 1);
    struct sign_sk record_sk;
    struct sign_sk member_sk;
    rig_sk(&record_sk, RIG_RECORD, 0);
    rig_sk(&member_sk, RIG_MEMBER, 0);
    for (unsigned what = 0; what < 3; what++) {
        struct writer w = writer_of(R.body, sizeof R.body);
        rig_use_link(&R, 1);
        ck_assert_ok(record_put_write(&w, &R.arena, R.hash, &put, &record_sk, &member_sk));
        if (what == 0) {
            rig_use_link(&R, 2);
        } else if (what == 1) {
            R.body[w.len - 1] ^= 1; /* signed body */
        } else {
            R.body[10] ^= 1; /* record key */
        }
        ck_assert_ok(rig_request(&R, RELAY_RECORD_PUT, writer_done(&w)));
        enum err err = rig_refusal(&R);
        ck_assert(err == ERR_BAD_SIGNATURE || (what == 2 && err == ERR_BAD_KEY));
    }
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_RECORD), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(sealed_parts_open_only_as_what_they_are)
{
    rig_init(&R, 0);
    struct sign_pk id = rig_pk(4, 1);
    struct sign_pk record = rig_pk(RIG_RECORD, 0);
    struct aead_key key;
    uint8_t sealed[64];
    uint8_t plain[64];
    size_t len = 0;
    record_key(&key, &id, &record);
    record_seal(sealed, &key, &R.unit.env, 7, unit_str("hello"));
    struct slice box = slice_of(sealed, 5 + RECORD_OVERHEAD);
    ck_assert_ok(record_open(plain, &len, &key, 7, box));
    ck_assert(slice_equal(slice_of(plain, len), unit_str("hello")));
    ck_assert_err(record_open(plain, &len, &key, 8, box), ERR_DECRYPT);
    ck_assert_err(record_open(plain, &len, &key, RECORD_BODY_ID, box), ERR_DECRYPT);
    record_key(&key, &record, &id);
    ck_assert_err(record_open(plain, &len, &key, 7, box), ERR_DECRYPT);
    ck_assert_err(record_open(plain, &len, &key, 7, slice_of(sealed, 20)), ERR_DECRYPT);
    rig_fini(&R);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_record_is_put_and_read);
    tcase_add_test(tc, seq_ascends_for_a_changed_body);
    tcase_add_test(tc, only_the_member_who_made_it_may_put);
    tcase_add_test(tc, a_record_holds_so_many_parts);
    tcase_add_test(tc, nobody_else_gets_a_popped_part);
    tcase_add_test(tc, the_same_pop_gets_the_same_part_for_a_day);
    tcase_add_test(tc, unknown_record_and_bad_token_answer_alike);
    tcase_add_test(tc, a_stamp_pops_and_its_retry_gets_the_same_part);
    tcase_add_test(tc, a_full_disk_pops_nothing_and_repeats_what_was_popped);
    tcase_add_test(tc, signatures_of_other_keys_and_links_are_refused);
    tcase_add_test(tc, sealed_parts_open_only_as_what_they_are);
}

int main(void)
{
    return unit_main("relay/host_record", add);
}
