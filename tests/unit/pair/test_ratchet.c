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
static struct kem_mix kem; /* what both sides have ready */

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
    kem = (struct kem_mix){.epoch = 0};
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
    ck_assert_ok(ratchet_send(r, &env.env, &kem, &l.header, &l.key));
    env_random(&env.env, l.nonce, sizeof l.nonce);
    header_seal(l.sealed, &r->send_head, l.nonce, slice_of(ad, sizeof ad), &l.header);
    return l;
}

static enum err open_letter(struct ratchet *r, struct skipped *skipped, const struct letter *l,
                            struct ratchet_opened *o)
{
    enum err err = ratchet_open(r, skipped, &env.env, &kem, &arena, slice_of(ad, sizeof ad),
                                l->nonce, l->sealed, o);
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
    ck_assert_err(ratchet_send(&b, &env.env, &kem, &header, &key), ERR_NOT_NOW);
}
END_TEST

START_TEST(opening_without_commit_moves_nothing)
{
    struct letter l[3] = {take(&a), take(&a), take(&a)};
    struct ratchet before = b;
    struct ratchet_opened o;
    ck_assert_ok(ratchet_open(&b, &b_skipped, &env.env, &kem, &arena, slice_of(ad, sizeof ad),
                              l[2].nonce, l[2].sealed, &o));
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

START_TEST(unknown_flags_and_epochs_are_refused)
{
    struct letter l = take(&a);
    struct ratchet_opened o;
    for (unsigned i = 0; i < 2; i++) {
        struct header h = l.header;
        h.flags = i == 0 ? 1 : 0;
        h.kem_epoch = i == 1 ? 1 : 0;
        header_seal(l.sealed, &a.send_head, l.nonce, slice_of(ad, sizeof ad), &h);
        ck_assert_err(open_letter(&b, &b_skipped, &l, &o), i == 0 ? ERR_MALFORMED : ERR_DECRYPT);
    }
    header_seal(l.sealed, &a.send_head, l.nonce, slice_of(ad, sizeof ad), &l.header);
    opens(&b, &b_skipped, &l);
}
END_TEST

START_TEST(a_kem_secret_goes_into_the_step_that_names_its_epoch)
{
    static const uint8_t secret[2][KEM_SECRET] = {"one", "two"};
    struct ratchet_opened o;
    struct letter l = take(&a);
    opens(&b, &b_skipped, &l);
    struct skipped a_skipped;
    skipped_init(&a_skipped);
    struct ratchet plain = b;
    kem = (struct kem_mix){.epoch = 1, .secret = secret[0]};
    struct letter step = take(&b);
    ck_assert_uint_eq(step.header.kem_epoch, 1);
    ck_assert_uint_eq(b.kem, 1);
    ck_assert_mem_ne(plain.root.b, b.root.b, sizeof b.root.b);
    /* Without the secret, and with another one. */
    kem = (struct kem_mix){.epoch = 0};
    ck_assert_err(open_letter(&a, &a_skipped, &step, &o), ERR_DECRYPT);
    struct ratchet other = a;
    kem = (struct kem_mix){.epoch = 1, .secret = secret[1]};
    ck_assert_ok(open_letter(&other, &a_skipped, &step, &o));
    ck_assert_mem_ne(o.message.b, step.key.b, sizeof o.message.b);
    kem.secret = secret[0];
    opens(&a, &a_skipped, &step);
    ck_assert_uint_eq(a.kem, 1);
    /* The other direction's chain of before goes on under the old epoch, the next step has it. */
    kem = (struct kem_mix){.epoch = 0};
    struct letter next = take(&a);
    ck_assert_uint_eq(next.header.kem_epoch, 1);
    opens(&b, &b_skipped, &next);
    ck_assert_uint_eq(b.kem, 1);
    skipped_fini(&a_skipped);
}
END_TEST

static void random_of_a(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    ck_assert_uint_eq(len, sizeof a.dh.b);
    memcpy(out, a.dh.b, len);
}

/* Takes a's sending step over: its new ratchet secret was computed from the public key. */
static void thief_steps(struct ratchet *thief)
{
    struct env broken = env.env;
    struct header header;
    struct ratchet_key key;
    broken.random = random_of_a;
    ck_assert_ok(ratchet_send(thief, &broken, &kem, &header, &key));
    ck_assert_mem_eq(header.dh.b, a.dh_public.b, sizeof header.dh.b);
}

/* The thief copied a's state, hears everything, and computes X25519 secrets from public keys; what
 * it does not have is what went into the KEM step. */
START_TEST(who_breaks_x25519_is_out_after_a_kem_step)
{
    static const uint8_t secret[KEM_SECRET] = "fresh";
    static const uint8_t guess[KEM_SECRET] = "a guess";
    struct ratchet_opened o;
    struct skipped a_skipped;
    struct skipped t_skipped;
    struct letter l = take(&a);
    opens(&b, &b_skipped, &l);
    skipped_init(&a_skipped);
    skipped_init(&t_skipped);
    struct ratchet thief = a;
    for (unsigned i = 0; i < 4; i++) { /* without a KEM step it follows for ever */
        l = take(&b);
        opens(&a, &a_skipped, &l);
        opens(&thief, &t_skipped, &l);
        bool last = i == 3;
        kem = (struct kem_mix){.epoch = last ? 1 : 0, .secret = secret};
        l = take(&a);
        opens(&b, &b_skipped, &l);
        kem.secret = guess;
        thief_steps(&thief);
        ck_assert_int_eq(memcmp(thief.root.b, a.root.b, sizeof a.root.b) != 0, last);
    }
    kem = (struct kem_mix){.epoch = 0};
    l = take(&b); /* its header's key is one step older; the message's is not */
    opens(&a, &a_skipped, &l);
    ck_assert_ok(open_letter(&thief, &t_skipped, &l, &o));
    ck_assert_mem_ne(o.message.b, l.key.b, sizeof l.key.b);
    l = take(&a);
    opens(&b, &b_skipped, &l);
    thief_steps(&thief);
    l = take(&b);
    ck_assert_err(open_letter(&thief, &t_skipped, &l, &o), ERR_DECRYPT);
    skipped_fini(&a_skipped);
    skipped_fini(&t_skipped);
}
END_TEST

/* No honest peer takes one; ours is used up, so it would be made with no key at all. */
START_TEST(no_second_step_of_theirs_before_ours)
{
    struct ratchet_opened o;
    struct letter l = take(&a);
    opens(&b, &b_skipped, &l);
    static const struct dh_sk used_up;
    ck_assert_mem_eq(b.dh.b, used_up.b, sizeof b.dh.b);
    a.step_due = true;
    l = take(&a);
    ck_assert_err(open_letter(&b, &b_skipped, &l, &o), ERR_DECRYPT);
}
END_TEST

START_TEST(a_chain_of_before_a_kem_step_goes_on)
{
    static const uint8_t secret[KEM_SECRET] = "one";
    struct letter l = take(&a);
    opens(&b, &b_skipped, &l);
    kem = (struct kem_mix){.epoch = 1, .secret = secret};
    (void)take(&b);
    kem = (struct kem_mix){.epoch = 0};
    l = take(&a); /* a has not heard of it */
    ck_assert_uint_eq(l.header.kem_epoch, 0);
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
    tcase_add_test(tc, unknown_flags_and_epochs_are_refused);
    tcase_add_test(tc, a_kem_secret_goes_into_the_step_that_names_its_epoch);
    tcase_add_test(tc, who_breaks_x25519_is_out_after_a_kem_step);
    tcase_add_test(tc, no_second_step_of_theirs_before_ours);
    tcase_add_test(tc, a_chain_of_before_a_kem_step_goes_on);
    tcase_add_test(tc, a_ratchet_key_of_small_order_is_refused);
    tcase_add_test(tc, huge_numbers_are_too_far_ahead);
    tcase_add_test(tc, a_saved_ratchet_is_the_same);
}

int main(void)
{
    return unit_main("pair/ratchet", add);
}
