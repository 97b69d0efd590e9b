/* SPDX-License-Identifier: Apache-2.0
 *
 * First contact: PQXDH, the introduction, and what stolen keys are good for.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/forge.h"
#include "pair/pqxdh.h"

static struct pair_party a;
static struct pair_party b;
static const uint8_t secret[INVITE_SECRET] = "an invitation's thirty-two bytes";

static void setup(void)
{
    pair_party_init(&a, 11);
    pair_party_init(&b, 12);
}

static void teardown(void)
{
    pair_party_fini(&a);
    pair_party_fini(&b);
}

static enum err open_intro(struct slice envelope, bool one_time, struct session_intro *intro)
{
    struct prekey_keys keys;
    struct pair_self self = pair_party_self(&b);
    prekey_keys_init(&keys, &b.spk, one_time ? &b.otk : NULL);
    enum err err = session_first_open(&b.arena, &self, &keys.prekeys, envelope, intro);
    prekey_keys_wipe(&keys);
    return err;
}

static void starts(bool one_time, const uint8_t *invite)
{
    pair_initiate(&a, &b, one_time, invite);
    struct slice e = pair_seal(&a, "hello");
    struct session_first first;
    struct session_intro intro;
    ck_assert_ok(session_first_read(e, &first));
    ck_assert_uint_eq(first.spk_id, PAIR_SPK_ID);
    ck_assert_uint_eq(first.one_time_id, one_time ? PAIR_OTK_ID : 0);
    ck_assert_mem_eq(first.ek.b, e.p + 9, 32);
    ck_assert_ok(open_intro(e, one_time, &intro));
    ck_assert_mem_eq(intro.id.b, a.id.b, 32);
    ck_assert(slice_equal(intro.device_list, slice_of(a.list, sizeof a.list)));
    ck_assert_uint_eq(intro.device, 0);
    ck_assert(intro.has_invite == (invite != NULL));
    if (invite != NULL) {
        uint8_t id[INVITE_ID];
        pqxdh_invite_id(invite, id);
        ck_assert_mem_eq(intro.invite_id, id, sizeof id);
    }
    ck_assert_ok(pair_accept(&b, &a, invite, e));
    ck_assert_mem_eq(session_id(a.session), session_id(b.session), SESSION_T);
    pair_open_text(&b, e, "hello");
    pair_open_text(&a, pair_seal(&b, "answer"), "answer");
}

START_TEST(a_session_starts_with_and_without_each_part)
{
    starts((_i & 1) != 0, (_i & 2) != 0 ? secret : NULL);
}
END_TEST

START_TEST(every_input_changes_t_and_sk)
{
    uint8_t seen[12][SESSION_T];
    uint8_t ek[SESSION_KEM_EK] = {1};
    uint8_t ct[SESSION_KEM_CT] = {2};
    struct pqxdh_shared shared = {.dh1 = {1}};
    for (size_t i = 0; i < 12; i++) {
        struct pqxdh_transcript t = {
            .id_a = a.id,
            .id_b = b.id,
            .certificate_a = slice_of(a.certificate, i == 3 ? 100 : PAIR_CERTIFICATE),
            .certificate_b = slice_of(b.certificate, i == 4 ? 100 : PAIR_CERTIFICATE),
            .one_time = i == 6,
            .kem_ek = slice_of(ek, sizeof ek),
            .kem_ct = slice_of(ct, sizeof ct),
            .invite = i == 10 ? secret : NULL,
        };
        t.id_a.b[0] ^= i == 1;
        t.id_b.b[0] ^= i == 2;
        t.spk.b[0] ^= i == 5;
        ek[7] ^= i == 7;
        t.ek.b[0] ^= i == 8;
        ct[9] ^= i == 9;
        if (i == 11) { /* a byte that moves from one certificate to the other */
            t.certificate_a.len--;
        }
        pqxdh_transcript(&t, seen[i]);
        ek[7] = 0;
        ct[9] = 0;
        for (size_t k = 0; k < i; k++) {
            ck_assert_mem_ne(seen[k], seen[i], SESSION_T);
        }
        uint8_t sk[2][32];
        pqxdh_sk(&shared, seen[i], sk[0]);
        pqxdh_sk(&shared, seen[(i + 11) % 12], sk[1]);
        if (i > 0) {
            ck_assert_mem_ne(sk[0], sk[1], 32);
        }
    }
}
END_TEST

START_TEST(every_secret_changes_sk)
{
    struct pqxdh_shared shared;
    uint8_t t[SESSION_T] = {1};
    uint8_t sk[7][32];
    for (size_t i = 0; i < 7; i++) {
        memset(&shared, 5, sizeof shared);
        shared.dh1[0] ^= i == 1;
        shared.dh2[0] ^= i == 2;
        shared.dh3[0] ^= i == 3;
        shared.dh4[0] ^= i == 4;
        shared.ss[0] ^= i == 5;
        shared.psk[0] ^= i == 6;
        pqxdh_sk(&shared, t, sk[i]);
        for (size_t k = 0; k < i; k++) {
            ck_assert_mem_ne(sk[k], sk[i], 32);
        }
    }
}
END_TEST

/* Accepting succeeds with a wrong secret, but the body does not open. */
static void accept_must_fail(struct slice e, const uint8_t *invite)
{
    struct session_in in;
    ck_assert_ok(pair_accept(&b, &a, invite, e));
    ck_assert_err(pair_open(&b, e, &in), ERR_DECRYPT);
    ck_assert(!session_established(b.session));
}

START_TEST(a_wrong_or_missing_invitation_does_not_open)
{
    uint8_t other[INVITE_SECRET];
    memcpy(other, secret, sizeof other);
    other[31] ^= 1;
    pair_initiate(&a, &b, true, secret);
    struct slice e = pair_seal(&a, "hello");
    accept_must_fail(e, other);
    accept_must_fail(e, NULL);
    pair_initiate(&a, &b, true, NULL);
    accept_must_fail(pair_seal(&a, "hello"), secret);
}
END_TEST

START_TEST(another_sender_or_certificate_does_not_open)
{
    struct pair_party c;
    struct session_in in;
    pair_party_init(&c, 13);
    pair_initiate(&a, &b, true, NULL);
    struct slice e = pair_seal(&a, "hello");
    ck_assert_ok(pair_accept(&b, &c, NULL, e));
    ck_assert_err(pair_open(&b, e, &in), ERR_DECRYPT);
    a.certificate[0] ^= 1;
    accept_must_fail(e, NULL);
    a.certificate[0] ^= 1;
    ck_assert_ok(pair_accept(&b, &a, NULL, e));
    pair_open_text(&b, e, "hello");
    pair_party_fini(&c);
}
END_TEST

START_TEST(the_introduction_opens_only_for_the_right_prekeys)
{
    struct session_intro intro;
    pair_initiate(&a, &b, true, NULL);
    struct slice e = pair_seal(&a, "hello");
    ck_assert_err(open_intro(e, false, &intro), ERR_DECRYPT);
    b.otk.kem_seed[3] ^= 1;
    ck_assert_err(open_intro(e, true, &intro), ERR_DECRYPT);
    b.otk.kem_seed[3] ^= 1;
    b.dh_sk.b[3] ^= 1;
    ck_assert_err(open_intro(e, true, &intro), ERR_DECRYPT);
    b.dh_sk.b[3] ^= 1;
    ck_assert_ok(open_intro(e, true, &intro));
}
END_TEST

START_TEST(a_changed_byte_before_the_tail_closes_the_introduction)
{
    pair_initiate(&a, &b, true, NULL);
    struct slice e = pair_seal(&a, "hello");
    struct session_intro intro;
    size_t sealed = (size_t)e.p[1129] << 8 | e.p[1130];
    const size_t at[] = {1, 5, 9, 40, 41, 1128, 1129, 1130, 1131, 1131 + sealed - 1};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        uint8_t *bad = pair_copy(e);
        bad[at[i]] ^= 0x20;
        enum err err = open_intro(slice_of(bad, e.len), true, &intro);
        ck_assert_msg(err == ERR_DECRYPT || err == ERR_MALFORMED, "byte %zu: %s", at[i],
                      err_name(err));
        free(bad);
    }
}
END_TEST

START_TEST(keys_of_small_order_are_refused)
{
    struct pair_bundle bundle;
    struct pair_self self = pair_party_self(&a);
    struct pair_peer peer = pair_party_peer(&b);
    struct slice list = slice_of(a.list, sizeof a.list);
    for (unsigned i = 0; i < 4; i++) {
        pair_party_bundle(&b, true, &bundle);
        peer.dh = b.dh;
        memset(i == 0   ? bundle.spk.b
               : i == 1 ? bundle.otk.b
               : i == 2 ? peer.dh.b
                        : bundle.kem_ek,
               i == 3 ? 0xff : 0, 32);
        ck_assert_err(
            session_initiate(a.session, &a.env.env, &a.arena, &self, &peer, &bundle, NULL, list, 0),
            ERR_BAD_KEY);
    }
    pair_initiate(&a, &b, true, NULL);
    struct slice e = pair_seal(&a, "hello");
    uint8_t *bad = pair_copy(e);
    struct session_intro intro;
    memset(bad + 9, 0, 32); /* EK */
    ck_assert_err(open_intro(slice_of(bad, e.len), true, &intro), ERR_BAD_KEY);
    ck_assert_err(pair_accept(&b, &a, NULL, slice_of(bad, e.len)), ERR_BAD_KEY);
    free(bad);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    struct pair_bundle bundle;
    struct pair_self self = pair_party_self(&a);
    struct pair_peer peer = pair_party_peer(&b);
    static const uint8_t long_list[LIMIT_DEVICE_LIST + 1];
    struct slice list = slice_of(a.list, sizeof a.list);
    pair_party_bundle(&b, true, &bundle);
    ck_assert_err(session_initiate(a.session, &a.env.env, &a.arena, &self, &peer, &bundle, NULL,
                                   list, LIMIT_DEVICES),
                  ERR_ARGUMENT);
    ck_assert_err(session_initiate(a.session, &a.env.env, &a.arena, &self, &peer, &bundle, NULL,
                                   slice_of(long_list, sizeof long_list), 0),
                  ERR_TOO_LARGE);
    bundle.one_time = false;
    ck_assert_err(
        session_initiate(a.session, &a.env.env, &a.arena, &self, &peer, &bundle, NULL, list, 0),
        ERR_ARGUMENT);
    ck_assert_ok(session_initiate(a.session, &a.env.env, &a.arena, &self, &peer,
                                  (bundle.one_time = true, &bundle), NULL,
                                  slice_of(long_list, LIMIT_DEVICE_LIST), 7));
    struct session_intro intro;
    struct slice e = pair_seal(&a, "hello");
    ck_assert_uint_eq(e.len, 16384);
    ck_assert_ok(open_intro(e, true, &intro));
    ck_assert_uint_eq(intro.device_list.len, LIMIT_DEVICE_LIST);
    ck_assert_uint_eq(intro.device, 7);
}
END_TEST

/* All of the agreement but DH1 is computed rightly, DH1 from what the thief has. */
static struct slice forge(struct pair_party *thief, const struct dh_sk *for_dh1,
                          const struct dh_pk *with)
{
    uint8_t dh1[32];
    ck_assert_ok(prim_dh(dh1, for_dh1, with));
    return forge_first(thief, &a, &b, dh1);
}

START_TEST(a_stolen_device_key_does_not_impersonate_others_to_its_owner)
{
    /* The thief has b's device DH secret, knows a's public keys, but neither a's secret nor b's
     * signed prekey. The introduction opens; the body does not. */
    struct pair_party thief;
    struct session_intro intro;
    struct session_in in;
    pair_party_init(&thief, 99);
    const struct dh_sk *has[] = {&b.dh_sk, &thief.dh_sk};
    struct dh_pk spk;
    prim_dh_public(&spk, &b.spk.dh);
    const struct dh_pk *with[] = {&a.dh, &spk};
    for (size_t i = 0; i < 2; i++) {
        struct slice e = forge(&thief, has[i], with[i]);
        ck_assert_ok(open_intro(e, true, &intro));
        ck_assert_ok(pair_accept(&b, &a, NULL, e));
        ck_assert_err(pair_open(&b, e, &in), ERR_DECRYPT);
    }
    /* That the forgery is otherwise right: with a's own secret it opens. */
    struct slice e = forge(&thief, &a.dh_sk, &spk);
    ck_assert_ok(pair_accept(&b, &a, NULL, e));
    pair_open_text(&b, e, "I am a");
    /* And with b's signed prekey the thief can: why prekeys rotate. */
    e = forge(&thief, &b.spk.dh, &a.dh);
    ck_assert_ok(pair_accept(&b, &a, NULL, e));
    pair_open_text(&b, e, "I am a");
    pair_party_fini(&thief);
}
END_TEST

START_TEST(a_stolen_device_key_does_not_answer_in_its_owners_name)
{
    /* a's device DH secret is stolen; a starts with b; the thief, between them, cannot take part:
     * without b's signed prekey secret nothing of the session is known. */
    struct pair_party thief;
    struct session_in in;
    pair_party_init(&thief, 98);
    pair_initiate(&a, &b, true, NULL);
    struct slice e = pair_seal(&a, "hello");
    struct prekey_keys keys;
    struct pair_self self = pair_party_self(&b);
    struct pair_peer peer = pair_party_peer(&a);
    prekey_keys_init(&keys, &thief.spk, &thief.otk);
    self.dh = thief.dh_sk;
    ck_assert_ok(session_accept(thief.session, &thief.env.env, &thief.arena, &self, &peer,
                                &keys.prekeys, NULL, e));
    ck_assert_err(pair_open(&thief, e, &in), ERR_DECRYPT);
    prekey_keys_wipe(&keys);
    pair_party_fini(&thief);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_session_starts_with_and_without_each_part, 0, 4);
    tcase_add_test(tc, every_input_changes_t_and_sk);
    tcase_add_test(tc, every_secret_changes_sk);
    tcase_add_test(tc, a_wrong_or_missing_invitation_does_not_open);
    tcase_add_test(tc, another_sender_or_certificate_does_not_open);
    tcase_add_test(tc, the_introduction_opens_only_for_the_right_prekeys);
    tcase_add_test(tc, a_changed_byte_before_the_tail_closes_the_introduction);
    tcase_add_test(tc, keys_of_small_order_are_refused);
    tcase_add_test(tc, wrong_arguments_are_refused);
    tcase_add_test(tc, a_stolen_device_key_does_not_impersonate_others_to_its_owner);
    tcase_add_test(tc, a_stolen_device_key_does_not_answer_in_its_owners_name);
}

int main(void)
{
    return unit_main("pair/first", add);
}
