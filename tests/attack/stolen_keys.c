/* SPDX-License-Identifier: Apache-2.0
 *
 * What long-term keys of the victim are good for to a thief (key compromise impersonation), and who
 * can be made to believe that somebody else is at the other end (unknown key share).
 * docs/protocol/05-session.md, sections 3, 4 and 13. a begins, b is called; the thief has what the
 * test says, all public keys, and every envelope.
 */
#include <string.h>

#include "attack/attack.h"
#include "lib/forge.h"
#include "pair/pqxdh.h"
#include "pair/session_state.h"

static struct pair_party a;
static struct pair_party b;
static struct pair_party thief;

static void setup(void)
{
    pair_party_init(&a, 21);
    pair_party_init(&b, 22);
    pair_party_init(&thief, 23);
}

static void teardown(void)
{
    pair_party_fini(&a);
    pair_party_fini(&b);
    pair_party_fini(&thief);
}

/* Whether b takes the envelope for a message of a's. */
static bool b_believes(struct slice envelope)
{
    struct session_in in;
    ck_assert_ok(pair_accept(&b, &a, NULL, envelope));
    return pair_open(&b, envelope, &in) == ERR_OK;
}

/* --- posing as others to the owner of a stolen key --- */

/* First envelopes in a's name with everything for DH1 that the leaked secret gives. */
static bool poses_as_others(const uint8_t leaked[static 32])
{
    uint8_t dh1[32] = {0};
    struct dh_sk secret;
    struct dh_pk with[4] = {a.dh, b.dh};
    memcpy(secret.b, leaked, sizeof secret.b);
    prim_dh_public(&with[2], &b.spk.dh);
    prim_dh_public(&with[3], &b.otk.dh);
    bool believed = b_believes(forge_first(&thief, &a, &b, dh1)) ||
                    b_believes(forge_first(&thief, &a, &b, leaked));
    for (size_t i = 0; i < 4; i++) {
        ck_assert_ok(prim_dh(dh1, &secret, &with[i]));
        believed = b_believes(forge_first(&thief, &a, &b, dh1)) || believed;
    }
    return believed;
}

START_TEST(a_stolen_device_key_poses_as_nobody_to_its_owner)
{
    attack_must_fail(poses_as_others(b.dh_sk.b), "the device's key gives DH1");
}
END_TEST

START_TEST(a_stolen_signed_prekey_poses_as_nobody_once_it_was_dropped)
{
    struct prekey_secret old = b.spk;
    uint8_t dh1[32];
    ck_assert_ok(prim_dh(dh1, &old.dh, &a.dh));
    struct slice forged = forge_first(&thief, &a, &b, dh1);
    ck_assert(b_believes(forged)); /* why it is replaced, and then dropped */
    prekey_generate(&b.spk, PREKEY_SIGNED, PAIR_SPK_ID + 1, &b.env.env);
    attack_must_fail(b_believes(forged), "a forgery of before opens");
    attack_must_fail(poses_as_others(old.dh.b), "a signed prekey of before gives DH1");
}
END_TEST

START_TEST(a_stolen_last_resort_key_poses_as_nobody_to_its_owner)
{
    attack_must_fail(poses_as_others(b.spk.kem_seed), "the last resort's seed gives DH1");
}
END_TEST

START_TEST(stolen_one_time_parts_pose_as_nobody_to_their_owner)
{
    attack_must_fail(poses_as_others(b.otk.dh.b) || poses_as_others(b.otk.kem_seed),
                     "a one-time part gives DH1");
}
END_TEST

START_TEST(a_stolen_sign_key_poses_as_nobody_to_its_owner)
{
    attack_must_fail(poses_as_others(b.sign_sk.b), "the sign key gives DH1");
}
END_TEST

/* --- answering in the owner's name --- */

/* A bundle with the thief's prekeys under b's name. */
static enum err false_bundle(const struct sign_sk *signed_with, struct pair_bundle *bundle)
{
    uint8_t spk[PREKEY_PART];
    uint8_t otk[PREKEY_PART];
    uint64_t created;
    struct writer w = writer_of(spk, sizeof spk);
    struct writer o = writer_of(otk, sizeof otk);
    ck_assert_ok(prekey_write(&w, &thief.spk, signed_with));
    ck_assert_ok(prekey_write(&o, &thief.otk, signed_with));
    return prekey_bundle_open(writer_done(&w), writer_done(&o), &b.sign, PAIR_NOW, bundle,
                              &created);
}

/* a begins with b by that bundle; whether the thief, with this device key, reads what it says. */
static bool answers_for_b(const struct pair_bundle *bundle, const struct dh_sk *device)
{
    struct pair_self self = pair_party_self(&a);
    struct pair_peer peer = pair_party_peer(&b);
    ck_assert_ok(session_initiate(a.session, &a.env.env, &a.arena, &self, &peer, bundle, NULL,
                                  slice_of(a.list, sizeof a.list), 0));
    struct slice e = pair_seal(&a, "for b");
    struct pair_self b_self = pair_party_self(&b);
    struct pair_peer a_peer = pair_party_peer(&a);
    struct prekey_keys keys;
    struct session_in in;
    b_self.dh = *device;
    prekey_keys_init(&keys, &thief.spk, &thief.otk);
    ck_assert_ok(session_accept(thief.session, &thief.env.env, &thief.arena, &b_self, &a_peer,
                                &keys.prekeys, NULL, e));
    prekey_keys_wipe(&keys);
    return session_open(thief.session, &thief.env.env, &thief.arena, e, &in) == ERR_OK;
}

START_TEST(a_stolen_device_key_does_not_answer_for_its_owner)
{
    struct pair_bundle bundle;
    enum err err = false_bundle(&thief.sign_sk, &bundle);
    attack_must_fail(err == ERR_OK && answers_for_b(&bundle, &b.dh_sk),
                     "prekeys that the device did not sign are taken");
    ck_assert_err(err, ERR_BAD_SIGNATURE);
    /* With both keys it does: that is being the device. */
    ck_assert_ok(false_bundle(&b.sign_sk, &bundle));
    ck_assert(answers_for_b(&bundle, &b.dh_sk));
}
END_TEST

START_TEST(a_stolen_sign_key_does_not_answer_for_its_owner)
{
    struct pair_bundle bundle;
    ck_assert_ok(false_bundle(&b.sign_sk, &bundle));
    attack_must_fail(answers_for_b(&bundle, &thief.dh_sk), "the sign key stands for the device");
}
END_TEST

/* --- forward secrecy of the first envelope --- */

/* All that b has after it dropped the one-time part: device key, signed prekey, last resort. */
START_TEST(all_long_term_keys_do_not_open_a_first_envelope_with_a_one_time_part)
{
    struct pair_bundle bundle;
    struct envelope e;
    struct pqxdh_shared shared;
    struct prekey_keys keys;
    uint8_t sk[RATCHET_SK];
    pair_initiate(&a, &b, true, NULL);
    struct slice bytes = pair_seal(&a, "hello");
    pair_party_bundle(&b, true, &bundle);
    ck_assert_ok(envelope_parse(bytes, &e));
    prekey_keys_init(&keys, &b.spk, NULL);
    struct pair_self self = pair_party_self(&b);
    ck_assert_ok(pqxdh_respond(&self, &a.dh, &keys.prekeys, &e.first.ek, e.kem_ct, &shared));
    prekey_keys_wipe(&keys);
    struct pqxdh_transcript transcript = {
        .id_a = a.id,
        .id_b = b.id,
        .certificate_a = slice_of(a.certificate, sizeof a.certificate),
        .certificate_b = slice_of(b.certificate, sizeof b.certificate),
        .spk = bundle.spk,
        .one_time = true,
        .otk = bundle.otk,
        .kem_ek = slice_of(bundle.kem_ek, SESSION_KEM_EK),
        .ek = e.first.ek,
        .kem_ct = slice_of(e.kem_ct, SESSION_KEM_CT),
    };
    struct session *s = thief.session;
    struct session_in in;
    pqxdh_transcript(&transcript, s->t);
    ck_assert_mem_eq(s->t, session_id(a.session), SESSION_T); /* all of T is known */
    pqxdh_sk(&shared, s->t, sk);
    ratchet_start_responder(&s->ratchet, sk, &b.spk.dh);
    attack_must_fail(session_open(s, &thief.env.env, &thief.arena, bytes, &in) == ERR_OK,
                     "the one-time part is not needed");
    /* Without a one-time part it opens, until the signed prekey is gone. */
    pair_initiate(&a, &b, false, NULL);
    ck_assert(b_believes(pair_seal(&a, "hello")));
}
END_TEST

/* --- unknown key share --- */

/* Whether b, who is told that the caller is one with this name and paper, opens what a sealed for
 * one with that name and paper. */
static bool meets(const struct pair_peer *caller, const struct pair_peer *called)
{
    struct pair_bundle bundle;
    struct pair_self self = pair_party_self(&a);
    struct pair_self b_self = pair_party_self(&b);
    struct prekey_keys keys;
    struct session_in in;
    pair_party_bundle(&b, true, &bundle);
    ck_assert_ok(session_initiate(a.session, &a.env.env, &a.arena, &self, called, &bundle, NULL,
                                  slice_of(a.list, sizeof a.list), 0));
    struct slice e = pair_seal(&a, "hello");
    prekey_keys_init(&keys, &b.spk, &b.otk);
    ck_assert_ok(
        session_accept(b.session, &b.env.env, &b.arena, &b_self, caller, &keys.prekeys, NULL, e));
    prekey_keys_wipe(&keys);
    return pair_open(&b, e, &in) == ERR_OK;
}

/* The thief signed a device list with the device key of another in it: a's, so that b takes a's
 * words for the thief's; b's, so that a takes b for the thief. */
START_TEST(nobody_is_taken_for_another_identity_with_the_same_device_key)
{
    struct pair_peer caller = pair_party_peer(&a);
    struct pair_peer called = pair_party_peer(&b);
    ck_assert(meets(&caller, &called));
    caller.id = thief.id;
    attack_must_fail(meets(&caller, &called), "b takes a for the thief");
    caller.id = a.id;
    called.id = thief.id;
    attack_must_fail(meets(&caller, &called), "a takes b for the thief");
}
END_TEST

START_TEST(nobody_is_taken_for_another_certificate_with_the_same_device_key)
{
    struct pair_peer caller = pair_party_peer(&a);
    struct pair_peer called = pair_party_peer(&b);
    struct slice other = slice_of(thief.certificate, sizeof thief.certificate);
    ck_assert(meets(&caller, &called));
    caller.certificate = other;
    attack_must_fail(meets(&caller, &called), "b takes a's certificate for the thief's");
    caller = pair_party_peer(&a);
    called.certificate = other;
    attack_must_fail(meets(&caller, &called), "a takes b's certificate for the thief's");
}
END_TEST

void add_stolen_keys(Suite *suite)
{
    attack_add(suite, a_stolen_device_key_poses_as_nobody_to_its_owner, setup, teardown);
    attack_add(suite, a_stolen_signed_prekey_poses_as_nobody_once_it_was_dropped, setup, teardown);
    attack_add(suite, a_stolen_last_resort_key_poses_as_nobody_to_its_owner, setup, teardown);
    attack_add(suite, stolen_one_time_parts_pose_as_nobody_to_their_owner, setup, teardown);
    attack_add(suite, a_stolen_sign_key_poses_as_nobody_to_its_owner, setup, teardown);
    attack_add(suite, a_stolen_device_key_does_not_answer_for_its_owner, setup, teardown);
    attack_add(suite, a_stolen_sign_key_does_not_answer_for_its_owner, setup, teardown);
    attack_add(suite, all_long_term_keys_do_not_open_a_first_envelope_with_a_one_time_part, setup,
               teardown);
    attack_add(suite, nobody_is_taken_for_another_identity_with_the_same_device_key, setup,
               teardown);
    attack_add(suite, nobody_is_taken_for_another_certificate_with_the_same_device_key, setup,
               teardown);
}
