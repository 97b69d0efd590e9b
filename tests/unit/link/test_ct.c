/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time, see lib/ct.h: the handshake of a link, its cipher and its records.
 */
#include <string.h>

#include "lib/ct.h"
#include "link/link.h"
#include "link/noise.h"
#include "link/sealer.h"

struct end {
    struct noise noise;
    struct cipher send;
    struct cipher receive;
    uint8_t hash[NOISE_HASH];
    struct dh_pk remote;
};

static void end_init(struct end *e, bool initiator, uint8_t with, const struct dh_sk *s,
                     const struct dh_pk *rs)
{
    struct noise_ephemeral ephemeral;
    ct_fill(&ephemeral, sizeof ephemeral, with);
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .initiator = initiator,
                                  .prologue = unit_str("prologue"),
                                  .s = s,
                                  .rs = rs,
                                  .ephemeral = &ephemeral};
    ck_assert_ok(noise_init(&e->noise, &config));
}

/* Message from one to the other; damage: of one byte, which is refused. */
static void say(struct end *from, struct end *to, bool damage)
{
    uint8_t bytes[NOISE_XKHFS_MAX];
    uint8_t none[16];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct writer payload = writer_of(none, sizeof none);
    ck_assert_ok(noise_write(&from->noise, slice_of(NULL, 0), &w));
    bytes[w.len - 1] ^= damage ? 1 : 0;
    ck_assert_err(noise_read(&to->noise, writer_done(&w), &payload),
                  damage ? ERR_HANDSHAKE : ERR_OK);
}

static void ends_init(struct end *a, struct end *b)
{
    struct dh_sk as;
    struct dh_sk bs;
    struct dh_pk b_pk;
    ct_fill(as.b, sizeof as.b, 1);
    ct_fill(bs.b, sizeof bs.b, 2);
    prim_dh_public(&b_pk, &bs);
    end_init(a, true, 3, &as, &b_pk);
    end_init(b, false, 4, &bs, NULL);
}

static void ends_shake(struct end *a, struct end *b)
{
    ends_init(a, b);
    say(a, b, false);
    say(b, a, false);
    say(a, b, false);
    ck_assert_ok(noise_split(&a->noise, &a->send, &a->receive, a->hash, &a->remote));
    ck_assert_ok(noise_split(&b->noise, &b->send, &b->receive, b->hash, &b->remote));
}

START_TEST(a_handshake_at_both_ends)
{
    struct end a;
    struct end b;
    ends_shake(&a, &b);
    ck_assert_mem_eq(a.hash, b.hash, sizeof a.hash);
    CT_PUBLIC(&a.send, sizeof a.send);
    CT_PUBLIC(&b.receive, sizeof b.receive);
    ck_assert_mem_eq(a.send.key, b.receive.key, CIPHER_KEY);
}
END_TEST

START_TEST(a_handshake_message_that_was_changed)
{
    for (unsigned message = 0; message < 3; message++) {
        struct end a;
        struct end b;
        ends_init(&a, &b);
        for (unsigned i = 0; i <= message; i++) {
            say(i == 1 ? &b : &a, i == 1 ? &a : &b, i == message);
        }
        noise_fini(&a.noise);
        noise_fini(&b.noise);
    }
}
END_TEST

/* The frame, too, is a secret. Keys are replaced after every second record. */
START_TEST(records_sealed_opened_and_refused)
{
    struct end a;
    struct end b;
    struct sealer out;
    struct sealer in;
    uint8_t frame[300];
    uint8_t wire[1024];
    uint8_t plain[1024];
    struct slice got;
    ends_shake(&a, &b);
    sealer_init(&out, &a.send, 2);
    sealer_init(&in, &b.receive, 2);
    for (unsigned i = 0; i < 5; i++) {
        size_t size = sealer_size(sizeof frame);
        ct_fill(frame, sizeof frame, (uint8_t)i);
        ck_assert_uint_le(size, sizeof wire);
        ck_assert_ok(sealer_seal(&out, slice_of(frame, sizeof frame), wire));
        struct slice sealed = slice_of(wire + RECORD_HEADER, size - RECORD_HEADER);
        wire[size - 1] ^= 1;
        ck_assert_err(sealer_open(&in, sealed, plain, &got), ERR_DECRYPT);
        wire[size - 1] ^= 1;
        ck_assert_ok(sealer_open(&in, sealed, plain, &got));
        ck_assert_uint_eq(got.len, sizeof frame);
        CT_PUBLIC(frame, sizeof frame);
        CT_PUBLIC(got.p, got.len);
        ck_assert_mem_eq(got.p, frame, sizeof frame);
    }
    sealer_fini(&out);
    sealer_fini(&in);
}
END_TEST

START_TEST(the_symmetric_state_and_its_cipher)
{
    static const enum symmetric_hash hashes[] = {SYMMETRIC_BLAKE2B, SYMMETRIC_SHA256};
    for (unsigned i = 0; i < 2; i++) {
        struct symmetric s;
        struct symmetric r;
        struct cipher c;
        struct cipher d;
        uint8_t secret[32];
        uint8_t bytes[64];
        uint8_t plain[20];
        uint8_t got[20];
        ct_fill(secret, sizeof secret, 1);
        ct_fill(plain, sizeof plain, 2);
        symmetric_init(&s, hashes[i], "name");
        symmetric_mix_hash(&s, unit_str("prologue"));
        symmetric_mix_key(&s, secret);
        r = s;
        struct writer w = writer_of(bytes, sizeof bytes);
        symmetric_encrypt(&s, slice_of(plain, sizeof plain), &w);
        ck_assert_uint_eq(w.len, sizeof plain + symmetric_overhead(&s));
        ck_assert_ok(symmetric_decrypt(&r, writer_done(&w), got));
        CT_PUBLIC(plain, sizeof plain);
        CT_PUBLIC(got, sizeof got);
        ck_assert_mem_eq(got, plain, sizeof got);
        ck_assert_err(symmetric_decrypt(&r, writer_done(&w), got), ERR_DECRYPT);

        symmetric_split(&s, &c, &d);
        d = c;
        cipher_rekey(&c);
        cipher_rekey(&d);
        CT_SECRET(plain, sizeof plain);
        ck_assert_ok(cipher_encrypt(&c, unit_str("ad"), slice_of(plain, sizeof plain), bytes));
        ck_assert_ok(
            cipher_decrypt(&d, unit_str("ad"), slice_of(bytes, sizeof plain + CIPHER_TAG), got));
        cipher_init(&c, secret);
        cipher_fini(&c);
        cipher_fini(&d);
    }
}
END_TEST

/* Whatever lies in its output goes to the other one. */
static void move(struct link *from, struct link *to, const struct env *env)
{
    struct slice out = link_output(from);
    link_receive(to, env, out);
    link_output_done(from, out.len);
}

START_TEST(two_links_from_secret_keys)
{
    struct unit_env u;
    struct ct_env c;
    struct link_config a = {.initiator = true};
    struct link_config b = {.initiator = false};
    struct sign_sk node;
    struct link *x;
    struct link *y;
    struct slice frame;
    uint8_t seed[32];
    unit_env_init(&u, 1, 1000);
    struct env env = ct_env_of(&c, &u.env);
    ct_fill(seed, sizeof seed, 1);
    ct_fill(a.static_key.b, sizeof a.static_key.b, 2);
    prim_sign_keypair(&a.node_id, &node, seed);
    b.node_id = a.node_id;
    prim_sign_sk_to_dh(&b.static_key, &node);
    ck_assert_ok(link_new(&x, &a, &env));
    ck_assert_ok(link_new(&y, &b, &env));
    for (unsigned i = 0; i < 3; i++) {
        move(x, y, &env);
        move(y, x, &env);
    }
    ck_assert_int_eq(link_next(x, &env, &frame), LINK_OPENED);
    ck_assert_int_eq(link_next(y, &env, &frame), LINK_OPENED);
    ck_assert_ok(link_send(x, unit_str("\x93\x13\x01\xc0")));
    move(x, y, &env);
    ck_assert_int_eq(link_next(y, &env, &frame), LINK_FRAME);
    link_free(x);
    link_free(y);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_handshake_at_both_ends);
    tcase_add_test(tc, a_handshake_message_that_was_changed);
    tcase_add_test(tc, records_sealed_opened_and_refused);
    tcase_add_test(tc, the_symmetric_state_and_its_cipher);
    tcase_add_test(tc, two_links_from_secret_keys);
}

int main(void)
{
    return ct_main("link/ct", add_tests);
}
