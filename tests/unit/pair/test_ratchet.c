/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/ratchet.h"

#include <string.h>

#include "lib/unit.h"

static struct unit_env env;
static struct arena arena;
static struct ratchet a;
static struct ratchet b;
static struct skipped b_skipped;
static const uint8_t ad[32] = "associated";

struct letter {
    uint8_t nonce[PRIM_AEAD_NONCE];
    uint8_t sealed[HEADER_SEALED];
    struct header header;
    struct ratchet_key key;
};

static void setup(void)
{
    struct dh_sk spk;
    struct dh_pk pk;
    static const uint8_t sk[RATCHET_SK] = "the secret of this session......";
    unit_env_init(&env, 5, LIMIT_DAY_MS * 20000);
    arena_init(&arena, (size_t)64 * 1024 * 1024);
    env_random(&env.env, spk.b, sizeof spk.b);
    prim_dh_public(&pk, &spk);
    ratchet_start_initiator(&a, sk, &pk);
    ratchet_start_responder(&b, sk, &spk);
    skipped_init(&b_skipped);
}

static void teardown(void)
{
    skipped_fini(&b_skipped);
    arena_fini(&arena);
}

static struct letter take(struct ratchet *r)
{
    struct letter l;
    ck_assert_ok(ratchet_send(r, &env.env, &l.header, &l.key));
    env_random(&env.env, l.nonce, sizeof l.nonce);
    header_seal(l.sealed, &r->send_head, l.nonce, slice_of(ad, sizeof ad), &l.header);
    return l;
}

static enum err open_letter(struct ratchet *r, struct skipped *skipped, const struct letter *l,
                            struct ratchet_opened *o)
{
    enum err err =
        ratchet_open(r, skipped, &env.env, &arena, slice_of(ad, sizeof ad), l->nonce, l->sealed, o);
    return err == ERR_OK ? ratchet_commit(r, skipped, &env.env, o) : err;
}

static void opens(struct ratchet *r, struct skipped *skipped, const struct letter *l)
{
    struct ratchet_opened o;
    ck_assert_ok(open_letter(r, skipped, l, &o));
    ck_assert_mem_eq(o.message.b, l->key.b, 32);
    ratchet_opened_wipe(&o);
    static const struct ratchet_opened wiped;
    ck_assert_mem_eq(&o, &wiped, sizeof o);
}

START_TEST(both_sides_get_the_same_keys)
{
    struct skipped a_skipped;
    skipped_init(&a_skipped);
    for (unsigned i = 0; i < 30; i++) {
        struct letter l = take(&a);
        opens(&b, &b_skipped, &l);
        if (i % 2 == 0) {
            l = take(&b);
            opens(&a, &a_skipped, &l);
        }
    }
    ck_assert_uint_eq(b_skipped.count, 0);
    ck_assert_uint_eq(b_skipped.chain_count, SKIPPED_EMPTY_CHAINS);
    skipped_fini(&a_skipped);
}
END_TEST

START_TEST(each_step_has_a_new_key_and_header_key)
{
    struct skipped a_skipped;
    skipped_init(&a_skipped);
    struct letter one = take(&a);
    struct aead_key head = a.send_head;
    opens(&b, &b_skipped, &one);
    struct letter back = take(&b);
    opens(&a, &a_skipped, &back);
    struct letter two = take(&a);
    ck_assert_mem_ne(one.header.dh.b, two.header.dh.b, 32);
    ck_assert_mem_ne(head.b, a.send_head.b, 32);
    ck_assert_mem_ne(one.key.b, two.key.b, 32);
    ck_assert_uint_eq(two.header.pn, 1);
    ck_assert_uint_eq(two.header.n, 0);
    skipped_fini(&a_skipped);
}
END_TEST

START_TEST(a_responder_cannot_send_first)
{
    struct header header;
    struct ratchet_key key;
    ck_assert_err(ratchet_send(&b, &env.env, &header, &key), ERR_NOT_NOW);
}
END_TEST

START_TEST(opening_without_commit_moves_nothing)
{
    struct letter l[3] = {take(&a), take(&a), take(&a)};
    struct ratchet before = b;
    struct ratchet_opened o;
    ck_assert_ok(ratchet_open(&b, &b_skipped, &env.env, &arena, slice_of(ad, sizeof ad), l[2].nonce,
                              l[2].sealed, &o));
    ck_assert_uint_eq(o.skipped_count, 2);
    ck_assert_mem_eq(&before, &b, sizeof b);
    ck_assert_uint_eq(b_skipped.count, 0);
    ratchet_opened_wipe(&o);
    opens(&b, &b_skipped, &l[2]);
    ck_assert_uint_eq(b_skipped.count, 2);
    opens(&b, &b_skipped, &l[0]);
    opens(&b, &b_skipped, &l[1]);
    ck_assert_uint_eq(b_skipped.count, 0);
}
END_TEST

START_TEST(unknown_flags_and_epochs_are_malformed)
{
    struct letter l = take(&a);
    struct ratchet_opened o;
    for (unsigned i = 0; i < 2; i++) {
        struct header h = l.header;
        h.flags = i == 0 ? 1 : 0;
        h.kem_epoch = i == 1 ? 1 : 0;
        header_seal(l.sealed, &a.send_head, l.nonce, slice_of(ad, sizeof ad), &h);
        ck_assert_err(open_letter(&b, &b_skipped, &l, &o), ERR_MALFORMED);
    }
    header_seal(l.sealed, &a.send_head, l.nonce, slice_of(ad, sizeof ad), &l.header);
    opens(&b, &b_skipped, &l);
}
END_TEST

START_TEST(a_ratchet_key_of_small_order_is_refused)
{
    struct letter l = take(&a);
    struct header h = l.header;
    struct ratchet_opened o;
    struct ratchet before = b;
    memset(h.dh.b, 0, sizeof h.dh.b);
    header_seal(l.sealed, &a.send_head, l.nonce, slice_of(ad, sizeof ad), &h);
    ck_assert_err(open_letter(&b, &b_skipped, &l, &o), ERR_BAD_KEY);
    ck_assert_mem_eq(&before, &b, sizeof b);
    static const struct ratchet_opened wiped;
    ck_assert_mem_eq(&o, &wiped, sizeof o);
}
END_TEST

START_TEST(huge_numbers_are_too_far_ahead)
{
    struct letter l = take(&a);
    struct ratchet_opened o;
    static const uint32_t far[] = {LIMIT_SKIP_JUMP + 1, UINT32_MAX - 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        struct header h = l.header;
        h.n = far[i];
        header_seal(l.sealed, &a.send_head, l.nonce, slice_of(ad, sizeof ad), &h);
        ck_assert_err(open_letter(&b, &b_skipped, &l, &o), ERR_TOO_FAR_AHEAD);
    }
    header_seal(l.sealed, &a.send_head, l.nonce, slice_of(ad, sizeof ad), &l.header);
    opens(&b, &b_skipped, &l);
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        struct header h = l.header;
        h.n = far[i] == LIMIT_SKIP_JUMP + 1 ? far[i] + 1 : far[i];
        header_seal(l.sealed, &a.send_head, l.nonce, slice_of(ad, sizeof ad), &h);
        ck_assert_err(open_letter(&b, &b_skipped, &l, &o), ERR_TOO_FAR_AHEAD);
    }
}
END_TEST

START_TEST(a_saved_ratchet_is_the_same)
{
    struct letter l = take(&a);
    opens(&b, &b_skipped, &l);
    uint8_t bytes[RATCHET_SAVED];
    struct writer w = writer_of(bytes, sizeof bytes);
    ratchet_save(&b, &w);
    ck_assert_ok(w.err);
    ck_assert_uint_eq(w.len, RATCHET_SAVED);
    struct ratchet back;
    struct reader r = reader_of(writer_done(&w));
    ratchet_load(&back, &r);
    ck_assert_ok(reader_end(&r));
    ck_assert_mem_eq(&back, &b, sizeof b);
    static const uint8_t bad_flags[] = {8, 2, 4, 0x80};
    for (size_t i = 0; i < sizeof bad_flags; i++) {
        bytes[0] = bad_flags[i];
        r = reader_of(writer_done(&w));
        ratchet_load(&back, &r);
        ck_assert_int_eq(r.err, ERR_CORRUPT);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, both_sides_get_the_same_keys);
    tcase_add_test(tc, each_step_has_a_new_key_and_header_key);
    tcase_add_test(tc, a_responder_cannot_send_first);
    tcase_add_test(tc, opening_without_commit_moves_nothing);
    tcase_add_test(tc, unknown_flags_and_epochs_are_malformed);
    tcase_add_test(tc, a_ratchet_key_of_small_order_is_refused);
    tcase_add_test(tc, huge_numbers_are_too_far_ahead);
    tcase_add_test(tc, a_saved_ratchet_is_the_same);
}

int main(void)
{
    return unit_main("pair/ratchet", add);
}
