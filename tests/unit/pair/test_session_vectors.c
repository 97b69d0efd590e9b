/* SPDX-License-Identifier: Apache-2.0
 *
 * Replays tests/data/vectors/session.json: whole conversations with all randomness given. Run as
 * "unit.pair.session_vectors write TESTS_FOLDER" it writes that file, and the seed corpora of the
 * fuzzers of proto/pair, anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>
#include <sodium.h>

#include "lib/pair.h"
#include "pair/body.h"
#include "pair/envelope.h"
#include "pair/pqxdh.h"

/* Randomness that is recorded (writing) or given (replaying). */
struct tape {
    struct unit_env source;
    uint8_t bytes[256];
    size_t len;
    size_t pos;
    bool replay;
};

static void tape_random(void *ctx, uint8_t *out, size_t len)
{
    struct tape *t = ctx;
    if (t->replay) {
        if (len > t->len - t->pos) {
            abort();
        }
        memcpy(out, t->bytes + t->pos, len);
        t->pos += len;
        return;
    }
    env_random(&t->source.env, out, len);
    if (len > sizeof t->bytes - t->len) {
        abort();
    }
    memcpy(t->bytes + t->len, out, len);
    t->len += len;
}

static const uint8_t invite[INVITE_SECRET] = "an invitation's thirty-two bytes";

struct story {
    struct pair_party party[2]; /* a, b */
    struct tape tape[2];
};

static void story_init(struct story *st, bool replay)
{
    for (unsigned i = 0; i < 2; i++) {
        pair_party_init(&st->party[i], 100 + i);
        memset(&st->tape[i], 0, sizeof st->tape[i]);
        unit_env_init(&st->tape[i].source, 200 + i, PAIR_NOW);
        st->tape[i].replay = replay;
        st->party[i].env.env.random = tape_random;
        st->party[i].env.env.random_ctx = &st->tape[i];
    }
}

static void story_fini(struct story *st)
{
    pair_party_fini(&st->party[0]);
    pair_party_fini(&st->party[1]);
}

static json_t *hex(const void *p, size_t len)
{
    char *text = malloc(2 * len + 1);
    if (text == NULL) {
        abort();
    }
    json_t *out = json_string(sodium_bin2hex(text, 2 * len + 1, p, len));
    free(text);
    return out;
}

static struct slice unhex(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    ck_assert_msg(text != NULL, "no member %s", member);
    uint8_t *out = malloc(strlen(text) / 2 + 1);
    ck_assert_ptr_nonnull(out);
    return slice_of(out, unit_hex(text, out, strlen(text) / 2 + 1));
}

static void check_hex(const json_t *object, const char *member, struct slice got)
{
    struct slice want = unhex(object, member);
    ck_assert_msg(slice_equal(want, got), "%s differs", member);
    pair_slice_free(want);
}

/* --- keys --- */

static json_t *party_json(const struct pair_party *p)
{
    uint8_t spk[PREKEY_PART];
    uint8_t otk[PREKEY_PART];
    struct writer w = writer_of(spk, sizeof spk);
    struct writer o = writer_of(otk, sizeof otk);
    if (prekey_write(&w, &p->spk, &p->sign_sk) != ERR_OK ||
        prekey_write(&o, &p->otk, &p->sign_sk) != ERR_OK) {
        abort();
    }
    json_t *out = json_object();
    json_object_set_new(out, "id", hex(p->id.b, 32));
    json_object_set_new(out, "certificate", hex(p->certificate, sizeof p->certificate));
    json_object_set_new(out, "device_list", hex(p->list, sizeof p->list));
    json_object_set_new(out, "sign_seed", hex(p->sign_sk.b, 32));
    json_object_set_new(out, "dh_secret", hex(p->dh_sk.b, 32));
    json_object_set_new(out, "dh_public", hex(p->dh.b, 32));
    json_object_set_new(out, "spk_id", json_integer(p->spk.id));
    json_object_set_new(out, "spk_secret", hex(p->spk.dh.b, 32));
    json_object_set_new(out, "spk_kem_seed", hex(p->spk.kem_seed, PREKEY_KEM_SEED));
    json_object_set_new(out, "created_ms", json_integer((json_int_t)p->spk.created_ms));
    json_object_set_new(out, "spk_part", hex(spk, w.len));
    json_object_set_new(out, "otk_id", json_integer(p->otk.id));
    json_object_set_new(out, "otk_secret", hex(p->otk.dh.b, 32));
    json_object_set_new(out, "otk_kem_seed", hex(p->otk.kem_seed, PREKEY_KEM_SEED));
    json_object_set_new(out, "otk_part", hex(otk, o.len));
    return out;
}

static void copy_hex(const json_t *object, const char *member, void *out, size_t len)
{
    struct slice s = unhex(object, member);
    ck_assert_uint_eq(s.len, len);
    memcpy(out, s.p, len);
    pair_slice_free(s);
}

/* Everything from the file, nothing from the seed. */
static void party_from(const json_t *json, struct pair_party *p)
{
    uint8_t seed[32];
    copy_hex(json, "id", p->id.b, 32);
    copy_hex(json, "certificate", p->certificate, sizeof p->certificate);
    copy_hex(json, "device_list", p->list, sizeof p->list);
    copy_hex(json, "sign_seed", seed, 32);
    prim_sign_keypair(&p->sign, &p->sign_sk, seed);
    copy_hex(json, "dh_secret", p->dh_sk.b, 32);
    prim_dh_public(&p->dh, &p->dh_sk);
    check_hex(json, "dh_public", slice_of(p->dh.b, 32));
    p->spk.id = (uint32_t)json_integer_value(json_object_get(json, "spk_id"));
    p->spk.created_ms = (uint64_t)json_integer_value(json_object_get(json, "created_ms"));
    copy_hex(json, "spk_secret", p->spk.dh.b, 32);
    copy_hex(json, "spk_kem_seed", p->spk.kem_seed, PREKEY_KEM_SEED);
    p->otk.id = (uint32_t)json_integer_value(json_object_get(json, "otk_id"));
    copy_hex(json, "otk_secret", p->otk.dh.b, 32);
    copy_hex(json, "otk_kem_seed", p->otk.kem_seed, PREKEY_KEM_SEED);
    uint8_t part[PREKEY_PART];
    struct writer w = writer_of(part, sizeof part);
    ck_assert_ok(prekey_write(&w, &p->spk, &p->sign_sk));
    check_hex(json, "spk_part", writer_done(&w));
    w = writer_of(part, sizeof part);
    ck_assert_ok(prekey_write(&w, &p->otk, &p->sign_sk));
    check_hex(json, "otk_part", writer_done(&w));
}

/* --- the agreement, from the responder's secrets and the first envelope --- */

struct agreement {
    struct pqxdh_shared shared;
    uint8_t t[SESSION_T];
    uint8_t sk[32];
};

static void agree(struct story *st, bool one_time, bool invited, struct slice envelope,
                  struct agreement *out)
{
    struct envelope e;
    struct prekey_keys keys;
    struct pair_self self = pair_party_self(&st->party[1]);
    struct pair_peer peer = pair_party_peer(&st->party[0]);
    prekey_keys_init(&keys, &st->party[1].spk, one_time ? &st->party[1].otk : NULL);
    if (envelope_parse(envelope, &e) != ERR_OK ||
        pqxdh_respond(&self, &peer.dh, &keys.prekeys, &e.first.ek, e.kem_ct, &out->shared) !=
            ERR_OK) {
        abort();
    }
    struct pqxdh_transcript t = {
        .id_a = peer.id,
        .id_b = self.id,
        .certificate_a = peer.certificate,
        .certificate_b = self.certificate,
        .one_time = one_time,
        .kem_ek = slice_of(keys.kem_dk + 1152, SESSION_KEM_EK),
        .ek = e.first.ek,
        .kem_ct = slice_of(e.kem_ct, SESSION_KEM_CT),
        .invite = invited ? invite : NULL,
    };
    prim_dh_public(&t.spk, &keys.prekeys.spk);
    prim_dh_public(&t.otk, &keys.prekeys.otk);
    pqxdh_transcript(&t, out->t);
    if (invited) {
        memcpy(out->shared.psk, invite, sizeof invite);
    }
    pqxdh_sk(&out->shared, out->t, out->sk);
}

/* --- writing --- */

enum {
    BY_A = 0,
    BY_B = 1,
    LATE = 2, /* opened after all others */
};
/* Who seals what; each is opened at once unless LATE. */
static const struct {
    int by;
    const char *content;
} plan[] = {{BY_A, "hello"},          {BY_A, "are you there?"}, {BY_B, "yes"},
            {BY_A | LATE, "a delay"}, {BY_A, "so am I"},        {BY_B, ""},
            {BY_B, "good night"},     {BY_A, "sleep well"},     {BY_B, "with a KEM step"},
            {BY_A, "and after it"}};
enum {
    PLAN = sizeof plan / sizeof plan[0],
};

static json_t *take_tape(struct tape *t)
{
    json_t *out = hex(t->bytes, t->len);
    t->len = 0;
    return out;
}

static json_t *write_case(bool one_time, bool invited, struct slice *envelopes)
{
    struct story st;
    struct agreement agreement;
    story_init(&st, false);
    json_t *out = json_object();
    json_t *messages = json_array();
    pair_initiate(&st.party[0], &st.party[1], one_time, invited ? invite : NULL);
    json_object_set_new(out, "initiate_random", take_tape(&st.tape[0]));
    for (size_t i = 0; i < PLAN; i++) {
        int by = plan[i].by & 1;
        struct slice e = pair_seal(&st.party[by], plan[i].content);
        json_t *m = json_object();
        json_object_set_new(m, "by", json_string(by == BY_A ? "a" : "b"));
        json_object_set_new(m, "content", json_string(plan[i].content));
        json_object_set_new(m, "random", take_tape(&st.tape[by]));
        json_object_set_new(m, "late", json_boolean((plan[i].by & LATE) != 0));
        json_object_set_new(m, "envelope", hex(e.p, e.len));
        json_array_append_new(messages, m);
        if (i == 0) {
            agree(&st, one_time, invited, e, &agreement);
            if (pair_accept(&st.party[1], &st.party[0], invited ? invite : NULL, e) != ERR_OK) {
                abort();
            }
            json_object_set_new(out, "accept_random", take_tape(&st.tape[1]));
        }
        struct session_in in;
        if ((plan[i].by & LATE) == 0 && pair_open(&st.party[1 - by], e, &in) != ERR_OK) {
            abort();
        }
        json_object_set_new(m, "open_random", take_tape(&st.tape[1 - by]));
        envelopes[i] = slice_of(pair_copy(e), e.len);
    }
    json_object_set_new(out, "one_time", json_boolean(one_time));
    json_object_set_new(out, "invite", invited ? hex(invite, sizeof invite) : json_null());
    json_object_set_new(out, "dh1", hex(agreement.shared.dh1, 32));
    json_object_set_new(out, "dh2", hex(agreement.shared.dh2, 32));
    json_object_set_new(out, "dh3", hex(agreement.shared.dh3, 32));
    json_object_set_new(out, "dh4", hex(agreement.shared.dh4, 32));
    json_object_set_new(out, "ss", hex(agreement.shared.ss, 32));
    json_object_set_new(out, "t", hex(agreement.t, SESSION_T));
    json_object_set_new(out, "sk", hex(agreement.sk, 32));
    json_object_set_new(out, "messages", messages);
    story_fini(&st);
    return out;
}

static void write_file(const char *dir, const char *name, struct slice bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes.p, 1, bytes.len, f) != bytes.len || fclose(f) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

/* Where the seeds of a part go: its target, and its number there (fuzz/fuzz_<target>.c). */
static const struct {
    const char *part;
    const char *target;
    uint8_t number;
} SEEDS[] = {
    {"body", "pair", 0},           {"prekey", "pair", 1},
    {"envelope", "envelopes", 0},  {"envelope_first", "envelopes", 1},
    {"session_load", "stored", 2},
};

/* A seed of a fuzzer: the number of the part, its mode byte, then the bytes. */
static void write_seed(const char *tests, const char *part, const char *name, uint8_t mode,
                       struct slice bytes)
{
    char dir[4000];
    char file[64];
    size_t i = 0;
    while (strcmp(SEEDS[i].part, part) != 0) {
        i++;
    }
    (void)snprintf(dir, sizeof dir, "%.3900s/fuzz/corpus/%s", tests, SEEDS[i].target);
    (void)snprintf(file, sizeof file, "%.20s-%.20s", part, name);
    (void)mkdir(dir, 0777);
    uint8_t *seed = malloc(bytes.len + 2);
    if (seed == NULL) {
        abort();
    }
    seed[0] = SEEDS[i].number;
    seed[1] = mode;
    memcpy(seed + 2, bytes.p, bytes.len);
    write_file(dir, file, slice_of(seed, bytes.len + 2));
    free(seed);
}

/* Bodies with every field, and few. */
static void write_bodies(const char *tests)
{
    static uint8_t plain[4096];
    static uint8_t ek[SESSION_KEM_EK];
    static uint8_t ct[SESSION_KEM_CT];
    struct body b;
    memset(&b, 0, sizeof b);
    if (body_write(plain, 64, &b) != ERR_OK) {
        abort();
    }
    write_seed(tests, "body", "ack-only", 0, slice_of(plain, 64));
    b.seq = 2;
    b.content = unit_str("content");
    b.tokens = unit_str("tokens");
    b.route = unit_str("route");
    b.has_ack = true;
    b.settled = 1;
    if (!ack_from(&b.ack, 3, slice_of("\x04\x01", 2)) || body_write(plain, 200, &b) != ERR_OK) {
        abort();
    }
    write_seed(tests, "body", "content", 0, slice_of(plain, 200));
    b.offer = (struct kem_part){.epoch = 1, .bytes = slice_of(ek, sizeof ek)};
    b.answer = (struct kem_part){.epoch = 2, .bytes = slice_of(ct, sizeof ct)};
    if (body_write(plain, 2500, &b) != ERR_OK) {
        abort();
    }
    write_seed(tests, "body", "kem", 0, slice_of(plain, 2500));
}

/* Sessions: begun, running, with skipped keys. */
static void write_sessions(const char *tests)
{
    struct pair_party a;
    struct pair_party b;
    pair_party_init(&a, 1);
    pair_party_init(&b, 2);
    pair_initiate(&a, &b, true, NULL);
    struct slice saved = pair_saved(a.session);
    write_seed(tests, "session_load", "begun", 0, saved);
    pair_slice_free(saved);
    pair_established(&a, &b);
    write_seed(tests, "envelope", "next", 0, pair_seal(&a, "next"));
    (void)pair_seal(&a, "skipped");
    pair_open_text(&b, pair_seal(&a, "x"), "x");
    saved = pair_saved(b.session);
    write_seed(tests, "session_load", "skipped", 0, saved);
    pair_slice_free(saved);
    saved = pair_saved(a.session);
    write_seed(tests, "session_load", "answered", 0, saved);
    pair_slice_free(saved);
    saved = pair_saved(b.session);
    write_seed(tests, "session_load", "ready", 0, saved);
    pair_slice_free(saved);
    pair_kem_step(&a, &b);
    saved = pair_saved(a.session);
    write_seed(tests, "session_load", "running", 0, saved);
    pair_slice_free(saved);
    pair_party_fini(&a);
    pair_party_fini(&b);
}

static void write_prekeys(const char *tests)
{
    struct pair_party p;
    pair_party_init(&p, 1);
    uint8_t part[PREKEY_PART];
    struct writer w = writer_of(part, sizeof part);
    if (prekey_write(&w, &p.spk, &p.sign_sk) != ERR_OK) {
        abort();
    }
    write_seed(tests, "prekey", "signed", 0, writer_done(&w));
    /* [bin 16, ...]: 1 + 3 bytes of head, the signature's 66 at the end */
    write_seed(tests, "prekey", "body", 1, slice_of(part + 4, w.len - 4 - 66));
    uint8_t row[PREKEY_SECRET];
    prekey_secret_encode(&p.spk, row);
    write_seed(tests, "prekey", "secret", 2, slice_of(row, sizeof row));
    pair_party_fini(&p);
}

static void write_introduction(const char *tests)
{
    static uint8_t map[600];
    static const uint8_t bytes[480] = {1};
    struct writer w = writer_of(map, sizeof map);
    pack_map(&w, 4);
    pack_uint(&w, 0);
    pack_bin(&w, bytes, 32);
    pack_uint(&w, 1);
    pack_bin(&w, bytes, sizeof bytes);
    pack_uint(&w, 2);
    pack_uint(&w, 1);
    pack_uint(&w, 3);
    pack_bin(&w, bytes, INVITE_ID);
    write_seed(tests, "envelope_first", "introduction", 1, writer_done(&w));
}

static int write_all(const char *tests)
{
    struct story st;
    struct slice envelopes[PLAN];
    char path[4096];
    story_init(&st, false);
    json_t *root = json_object();
    json_object_set_new(root, "what",
                        json_string("Conversations of two devices, docs/protocol/05-session.md. "
                                    "Randomness is drawn in the order that section 12 gives."));
    json_object_set_new(root, "a", party_json(&st.party[0]));
    json_object_set_new(root, "b", party_json(&st.party[1]));
    story_fini(&st);
    json_t *cases = json_array();
    json_array_append_new(cases, write_case(true, true, envelopes));
    write_seed(tests, "envelope_first", "one-time", 0, envelopes[0]);
    for (size_t i = 0; i < PLAN; i++) {
        pair_slice_free(envelopes[i]);
    }
    json_array_append_new(cases, write_case(false, false, envelopes));
    write_seed(tests, "envelope_first", "last-resort", 0, envelopes[0]);
    for (size_t i = 0; i < PLAN; i++) {
        pair_slice_free(envelopes[i]);
    }
    json_object_set_new(root, "cases", cases);
    write_bodies(tests);
    write_sessions(tests);
    write_prekeys(tests);
    write_introduction(tests);
    snprintf(path, sizeof path, "%s/data/vectors/session.json", tests);
    int bad = json_dump_file(root, path, JSON_INDENT(1));
    json_decref(root);
    return bad != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- replaying --- */

static void give_tape(struct tape *t, const json_t *object, const char *member)
{
    struct slice s = unhex(object, member);
    ck_assert_uint_le(s.len, sizeof t->bytes);
    memcpy(t->bytes, s.p, s.len);
    t->len = s.len;
    t->pos = 0;
    pair_slice_free(s);
}

static void open_message(struct story *st, const json_t *m)
{
    struct session_in in;
    int by = strcmp(json_string_value(json_object_get(m, "by")), "a") == 0 ? BY_A : BY_B;
    struct slice e = unhex(m, "envelope");
    give_tape(&st->tape[1 - by], m, "open_random");
    ck_assert_ok(pair_open(&st->party[1 - by], e, &in));
    ck_assert_uint_eq(st->tape[1 - by].pos, st->tape[1 - by].len);
    ck_assert(slice_equal(in.content, unit_str(json_string_value(json_object_get(m, "content")))));
    pair_slice_free(e);
}

static void replay_message(struct story *st, const json_t *c, const json_t *m, size_t i)
{
    const uint8_t *s = json_is_null(json_object_get(c, "invite")) ? NULL : invite;
    int by = strcmp(json_string_value(json_object_get(m, "by")), "a") == 0 ? BY_A : BY_B;
    give_tape(&st->tape[by], m, "random");
    struct slice e = pair_seal(&st->party[by], json_string_value(json_object_get(m, "content")));
    ck_assert_uint_eq(st->tape[by].pos, st->tape[by].len);
    check_hex(m, "envelope", e);
    if (i == 0) {
        struct agreement got;
        agree(st, json_is_true(json_object_get(c, "one_time")), s != NULL, e, &got);
        check_hex(c, "dh1", slice_of(got.shared.dh1, 32));
        check_hex(c, "dh2", slice_of(got.shared.dh2, 32));
        check_hex(c, "dh3", slice_of(got.shared.dh3, 32));
        check_hex(c, "dh4", slice_of(got.shared.dh4, 32));
        check_hex(c, "ss", slice_of(got.shared.ss, 32));
        check_hex(c, "t", slice_of(got.t, SESSION_T));
        check_hex(c, "sk", slice_of(got.sk, 32));
        give_tape(&st->tape[BY_B], c, "accept_random");
        ck_assert_ok(pair_accept(&st->party[1], &st->party[0], s, e));
        ck_assert_mem_eq(session_id(st->party[1].session), got.t, SESSION_T);
    }
    if (!json_is_true(json_object_get(m, "late"))) {
        open_message(st, m);
    }
}

START_TEST(the_checked_in_conversations_are_reproduced)
{
    json_error_t error;
    json_t *root = json_load_file(PETREL_TEST_DIR "/data/vectors/session.json", 0, &error);
    ck_assert_msg(root != NULL, "session.json: %s", error.text);
    const json_t *cases = json_object_get(root, "cases");
    ck_assert_uint_eq(json_array_size(cases), 2);
    for (size_t k = 0; k < json_array_size(cases); k++) {
        struct story st;
        const json_t *c = json_array_get(cases, k);
        const json_t *messages = json_object_get(c, "messages");
        story_init(&st, true);
        party_from(json_object_get(root, "a"), &st.party[0]);
        party_from(json_object_get(root, "b"), &st.party[1]);
        give_tape(&st.tape[BY_A], c, "initiate_random");
        pair_initiate(&st.party[0], &st.party[1], json_is_true(json_object_get(c, "one_time")),
                      json_is_null(json_object_get(c, "invite")) ? NULL : invite);
        ck_assert_uint_eq(json_array_size(messages), PLAN);
        for (size_t i = 0; i < json_array_size(messages); i++) {
            replay_message(&st, c, json_array_get(messages, i), i);
        }
        for (size_t i = 0; i < json_array_size(messages); i++) {
            if (json_is_true(json_object_get(json_array_get(messages, i), "late"))) {
                open_message(&st, json_array_get(messages, i));
            }
        }
        ck_assert_uint_eq(session_kem_epoch(st.party[0].session), 1);
        ck_assert_uint_eq(session_kem_epoch(st.party[1].session), 1);
        story_fini(&st);
    }
    json_decref(root);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, the_checked_in_conversations_are_reproduced);
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        return EXIT_FAILURE;
    }
    return argc == 3 && strcmp(argv[1], "write") == 0 ? write_all(argv[2])
                                                      : unit_main("pair/session_vectors", add);
}
