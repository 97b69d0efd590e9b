/* SPDX-License-Identifier: Apache-2.0
 *
 * All requests and replies against tests/data/vectors/relay.json, which tests/peers/relay makes:
 * the fields of a case encode to its bytes, and what is read of the bytes encodes to them again.
 */
#include "relay/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/blind.h"
#include "lib/data.h"
#include "lib/unit.h"
#include "link/frame.h"
#include "relay/descriptor_record.h"
#include "relay/member.h"
#include "relay/queue.h"
#include "relay/record.h"

static_assert((int)RELAY_MEMBER_JOIN == (int)FRAME_MEMBER_JOIN &&
                  (int)RELAY_QUEUE_REGISTER == (int)FRAME_QUEUE_REGISTER &&
                  (int)RELAY_QUEUE_ATTACH == (int)FRAME_QUEUE_ATTACH &&
                  (int)RELAY_QUEUE_DEPOSIT == (int)FRAME_QUEUE_DEPOSIT &&
                  (int)RELAY_QUEUE_PUSH == (int)FRAME_QUEUE_PUSH &&
                  (int)RELAY_QUEUE_ACK == (int)FRAME_QUEUE_ACK &&
                  (int)RELAY_QUEUE_VOID == (int)FRAME_QUEUE_VOID &&
                  (int)RELAY_MEMBER_LEAVE == (int)FRAME_MEMBER_LEAVE &&
                  (int)RELAY_RECORD_PUT == (int)FRAME_RECORD_PUT &&
                  (int)RELAY_RECORD_GET == (int)FRAME_RECORD_GET &&
                  (int)RELAY_RECORD_POP == (int)FRAME_RECORD_POP &&
                  (int)RELAY_RECORD_STATUS == (int)FRAME_RECORD_STATUS &&
                  (int)RELAY_DESCRIPTOR_PUT == (int)FRAME_DESCRIPTOR_PUT &&
                  (int)RELAY_DESCRIPTOR_GET == (int)FRAME_DESCRIPTOR_GET,
              "the relay's kinds are frame kinds");

static struct arena A;
static uint8_t SPACE[LIMIT_FRAME]; /* slices of a case */
static size_t SPACE_USED;

static bool has(const json_t *c, const char *member)
{
    return json_object_get(c, member) != NULL;
}

static uint64_t number_or_0(const json_t *c, const char *member)
{
    return has(c, member) ? data_u64(c, member) : 0;
}

static struct slice slice_in(const json_t *c, const char *member)
{
    struct slice s = data_hex(c, member, SPACE + SPACE_USED, sizeof SPACE - SPACE_USED);
    SPACE_USED += s.len;
    return s;
}

static struct slice filled(uint64_t fill, uint64_t size)
{
    uint8_t *p = SPACE + SPACE_USED;
    ck_assert_uint_le(size, sizeof SPACE - SPACE_USED);
    memset(p, (int)fill, size);
    SPACE_USED += size;
    return slice_of(p, size);
}

static void key_in(const json_t *c, const char *member, struct sign_sk *sk)
{
    uint8_t seed[32];
    struct sign_pk pk;
    data_bytes(c, member, seed, sizeof seed);
    prim_sign_keypair(&pk, sk, seed);
}

static struct relay_reply head_in(const json_t *c)
{
    return (struct relay_reply){.err = (enum err)number_or_0(c, "code"),
                                .retry_after_ms = (uint32_t)number_or_0(c, "retry_after_ms")};
}

static struct relay_admission admission_in(const json_t *c)
{
    struct relay_admission a = {.stamp = !has(c, "token")};
    if (!a.stamp) {
        data_bytes(c, "token", a.token.b, sizeof a.token.b);
        return a;
    }
    a.stamp_minute = (uint32_t)data_u64(c, "stamp_minute");
    a.stamp_nonce = data_u64(c, "stamp_nonce");
    return a;
}

static struct record_part part_in(const json_t *c, size_t i)
{
    const json_t *part = json_array_get(json_object_get(c, "parts"), i);
    return (struct record_part){.id = (uint32_t)json_integer_value(json_array_get(part, 0)),
                                .sealed =
                                    filled((uint64_t)json_integer_value(json_array_get(part, 1)),
                                           (uint64_t)json_integer_value(json_array_get(part, 2)))};
}

static void item_in(const json_t *c, struct bep44_item *item)
{
    uint64_t fill = data_u64(c, "fill");
    if (has(c, "blinded")) {
        data_bytes(c, "blinded", item->key.b, sizeof item->key.b);
    }
    item->seq = data_u64(c, "seq");
    memset(item->value, (int)fill, sizeof item->value);
    memset(item->sig, (int)(fill ^ 0xff), sizeof item->sig);
}

/* Each case function: with bytes.p == NULL fills a struct from the case, otherwise reads it from
 * bytes; then writes it to w. */
typedef enum err case_fn(const json_t *c, struct slice bytes, struct writer *w);

#define READ_OR_RETURN(expression)                                                                 \
    do {                                                                                           \
        enum err read_err = (expression);                                                          \
        if (read_err != ERR_OK) {                                                                  \
            return read_err;                                                                       \
        }                                                                                          \
    } while (0)

/* The handshake hash and keys that signed cases need. */
struct signer {
    uint8_t hash[RELAY_HASH];
    struct sign_sk key;
    struct sign_sk member;
};

static struct signer signer_in(const json_t *c)
{
    struct signer s;
    memset(&s, 0, sizeof s);
    data_bytes(c, "hash", s.hash, sizeof s.hash);
    key_in(c, "seed", &s.key);
    if (has(c, "member_seed")) {
        key_in(c, "member_seed", &s.member);
    }
    return s;
}

static enum err case_member_join(const json_t *c, struct slice bytes, struct writer *w)
{
    struct signer s = signer_in(c);
    struct member_join v = {.has_code = has(c, "join_code")};
    if (v.has_code) {
        data_bytes(c, "join_code", v.code, sizeof v.code);
    }
    if (bytes.p != NULL) {
        READ_OR_RETURN(member_join_read(bytes, &A, s.hash, &v));
    }
    return member_join_write(w, &A, s.hash, &v, &s.key);
}

static enum err case_member_leave(const json_t *c, struct slice bytes, struct writer *w)
{
    struct signer s = signer_in(c);
    struct member_leave v;
    if (bytes.p != NULL) {
        READ_OR_RETURN(member_leave_read(bytes, &A, s.hash, &v));
        ck_assert_mem_eq(v.member.b, s.key.b + 32, 32);
    }
    return member_leave_write(w, &A, s.hash, &s.key);
}

static enum err case_queue_register(const json_t *c, struct slice bytes, struct writer *w)
{
    struct signer s = signer_in(c);
    struct queue_register v = {0};
    data_bytes(c, "k", v.k.b, sizeof v.k.b);
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_register_read(bytes, &A, s.hash, &v));
        ck_assert_mem_eq(v.queue.b, s.key.b + 32, 32);
        ck_assert_mem_eq(v.member.b, s.member.b + 32, 32);
    }
    return queue_register_write(w, &A, s.hash, &v, &s.key, &s.member);
}

static enum err case_queue_attach(const json_t *c, struct slice bytes, struct writer *w)
{
    struct signer s = signer_in(c);
    struct queue_attach v;
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_attach_read(bytes, &A, s.hash, &v));
        ck_assert_mem_eq(v.queue.b, s.key.b + 32, 32);
    }
    return queue_attach_write(w, &A, s.hash, &s.key);
}

static enum err case_queue_deposit(const json_t *c, struct slice bytes, struct writer *w)
{
    struct queue_deposit v = {.admission = admission_in(c),
                              .lifetime = (uint8_t)data_u64(c, "lifetime"),
                              .volatile_only = json_is_true(json_object_get(c, "volatile")),
                              .envelope = filled(data_u64(c, "fill"), data_u64(c, "size"))};
    data_bytes(c, "target", v.queue.b, sizeof v.queue.b);
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_deposit_read(bytes, &v));
    }
    queue_deposit_write(w, &v);
    return ERR_OK;
}

static enum err case_queue_push(const json_t *c, struct slice bytes, struct writer *w)
{
    struct queue_push v = {.number = data_u64(c, "number"),
                           .has_nonce = has(c, "nonce"),
                           .deposited_ms = data_u64(c, "deposited_ms"),
                           .envelope = filled(data_u64(c, "fill"), data_u64(c, "size"))};
    data_bytes(c, "target", v.queue.b, sizeof v.queue.b);
    if (v.has_nonce) {
        data_bytes(c, "nonce", v.nonce, sizeof v.nonce);
    }
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_push_read(bytes, &v));
    }
    queue_push_write(w, &v);
    return ERR_OK;
}

static enum err case_queue_ack(const json_t *c, struct slice bytes, struct writer *w)
{
    struct queue_ack v = {.number = data_u64(c, "number")};
    data_bytes(c, "target", v.queue.b, sizeof v.queue.b);
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_ack_read(bytes, &v));
    }
    queue_ack_write(w, &v);
    return ERR_OK;
}

static enum err case_queue_void(const json_t *c, struct slice bytes, struct writer *w)
{
    struct queue_void v = {.nonces =
                               filled(data_u64(c, "fill"), data_u64(c, "count") * TOKEN_NONCE)};
    data_bytes(c, "target", v.queue.b, sizeof v.queue.b);
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_void_read(bytes, &v));
    }
    queue_void_write(w, &v);
    return ERR_OK;
}

static enum err case_record_put(const json_t *c, struct slice bytes, struct writer *w)
{
    struct signer s = signer_in(c);
    struct record_put v = {.seq = data_u64(c, "seq"),
                           .has_body = has(c, "body"),
                           .drop_below = (uint32_t)number_or_0(c, "drop_below"),
                           .nparts = json_array_size(json_object_get(c, "parts"))};
    data_bytes(c, "k", v.k.b, sizeof v.k.b);
    if (v.has_body) {
        v.body = slice_in(c, "body");
    }
    for (size_t i = 0; i < v.nparts; i++) {
        v.parts[i] = part_in(c, i);
    }
    if (bytes.p != NULL) {
        READ_OR_RETURN(record_put_read(bytes, &A, s.hash, &v));
    }
    return record_put_write(w, &A, s.hash, &v, &s.key, &s.member);
}

static enum err case_record_get(const json_t *c, struct slice bytes, struct writer *w)
{
    struct record_get v;
    data_bytes(c, "target", v.record.b, sizeof v.record.b);
    if (bytes.p != NULL) {
        READ_OR_RETURN(record_get_read(bytes, &v));
    }
    record_get_write(w, &v);
    return ERR_OK;
}

static enum err case_record_pop(const json_t *c, struct slice bytes, struct writer *w)
{
    struct record_pop v = {.admission = admission_in(c)};
    data_bytes(c, "target", v.record.b, sizeof v.record.b);
    data_bytes(c, "pop_nonce", v.pop_nonce, sizeof v.pop_nonce);
    if (bytes.p != NULL) {
        READ_OR_RETURN(record_pop_read(bytes, &v));
    }
    record_pop_write(w, &v);
    return ERR_OK;
}

static enum err case_record_status(const json_t *c, struct slice bytes, struct writer *w)
{
    struct signer s = signer_in(c);
    struct record_status v;
    if (bytes.p != NULL) {
        READ_OR_RETURN(record_status_read(bytes, &A, s.hash, &v));
        ck_assert_mem_eq(v.record.b, s.key.b + 32, 32);
    }
    return record_status_write(w, &A, s.hash, &s.key);
}

static enum err case_descriptor_put(const json_t *c, struct slice bytes, struct writer *w)
{
    struct signer s = signer_in(c);
    struct descriptor_put v = {.period = (uint32_t)data_u64(c, "period"),
                               .quiet = json_is_true(json_object_get(c, "quiet"))};
    const struct relay_signer blinded = {.sk = &s.key, .blinded = true, .period = v.period};
    struct sign_pk id;
    memcpy(id.b, s.key.b + 32, sizeof id.b);
    item_in(c, &v.item);
    ck_assert_ok(blind_public(&id, v.period, &v.item.key));
    if (bytes.p != NULL) {
        READ_OR_RETURN(descriptor_put_read(bytes, &A, s.hash, &v));
        ck_assert_mem_eq(v.member.b, s.member.b + 32, 32);
    }
    return descriptor_put_write(w, &A, s.hash, &v, &blinded, &s.member);
}

static enum err case_descriptor_get(const json_t *c, struct slice bytes, struct writer *w)
{
    struct descriptor_get v;
    data_bytes(c, "target", v.blinded.b, sizeof v.blinded.b);
    if (bytes.p != NULL) {
        READ_OR_RETURN(descriptor_get_read(bytes, &v));
    }
    descriptor_get_write(w, &v);
    return ERR_OK;
}

static enum err case_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct relay_reply v = head_in(c);
    if (bytes.p != NULL) {
        bool known = err_from_code((unsigned)v.err) == v.err;
        READ_OR_RETURN(relay_reply_read(bytes, &v));
        if (!known) {
            ck_assert_err(v.err, ERR_PROTOCOL);
            v = head_in(c);
        }
    }
    relay_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_member_join_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct member_join_reply v = {.head = head_in(c),
                                  .queues = (uint16_t)data_u64(c, "queues"),
                                  .records = (uint16_t)data_u64(c, "records")};
    if (bytes.p != NULL) {
        READ_OR_RETURN(member_join_reply_read(bytes, &v));
    }
    member_join_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_queue_register_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct queue_register_reply v = {.head = head_in(c),
                                     .envelopes = (uint32_t)data_u64(c, "envelopes"),
                                     .bytes = data_u64(c, "bytes"),
                                     .days = (uint16_t)data_u64(c, "days")};
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_register_reply_read(bytes, &v));
    }
    queue_register_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_queue_attach_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct queue_attach_reply v = {.head = head_in(c),
                                   .waiting = (uint32_t)data_u64(c, "waiting"),
                                   .time_ms = number_or_0(c, "time"),
                                   .dht_port = (uint16_t)number_or_0(c, "dht_port")};
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_attach_reply_read(bytes, &v));
    }
    queue_attach_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_queue_deposit_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct queue_deposit_reply v = {.head = head_in(c),
                                    .stamp_bits = (uint8_t)number_or_0(c, "stamp_bits"),
                                    .outcome = (enum queue_outcome)number_or_0(c, "outcome")};
    if (has(c, "receipt")) {
        v.receipt = slice_in(c, "receipt");
    }
    if (bytes.p != NULL) {
        READ_OR_RETURN(queue_deposit_reply_read(bytes, &v));
    }
    queue_deposit_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_record_put_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct record_put_reply v = {.head = head_in(c),
                                 .parts_left = (uint16_t)data_u64(c, "parts_left")};
    if (bytes.p != NULL) {
        READ_OR_RETURN(record_put_reply_read(bytes, &v));
    }
    record_put_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_record_get_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct record_get_reply v = {
        .head = head_in(c), .seq = data_u64(c, "seq"), .body = slice_in(c, "body")};
    if (bytes.p != NULL) {
        READ_OR_RETURN(record_get_reply_read(bytes, &v));
    }
    record_get_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_record_pop_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct record_pop_reply v = {.head = head_in(c),
                                 .stamp_bits = (uint8_t)number_or_0(c, "stamp_bits"),
                                 .seq = number_or_0(c, "seq"),
                                 .has_part = has(c, "parts")};
    if (has(c, "body")) {
        v.body = slice_in(c, "body");
    }
    if (v.has_part) {
        v.part = part_in(c, 0);
    }
    if (bytes.p != NULL) {
        READ_OR_RETURN(record_pop_reply_read(bytes, &v));
    }
    record_pop_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_record_status_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct record_status_reply v = {.head = head_in(c),
                                    .seq = data_u64(c, "seq"),
                                    .parts_left = (uint16_t)data_u64(c, "parts_left"),
                                    .last_part = (uint32_t)data_u64(c, "last_part")};
    if (bytes.p != NULL) {
        READ_OR_RETURN(record_status_reply_read(bytes, &v));
    }
    record_status_reply_write(w, &v);
    return ERR_OK;
}

static enum err case_descriptor_get_reply(const json_t *c, struct slice bytes, struct writer *w)
{
    struct descriptor_get_reply v = {.head = head_in(c)};
    item_in(c, &v.item);
    if (bytes.p != NULL) {
        READ_OR_RETURN(descriptor_get_reply_read(bytes, &v));
    }
    descriptor_get_reply_write(w, &v);
    return ERR_OK;
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, case_##name                                                                         \
    }
static const struct {
    const char *kind;
    case_fn *fn;
} CASES[] = {CASE(member_join),         CASE(member_leave),         CASE(queue_register),
             CASE(queue_attach),        CASE(queue_deposit),        CASE(queue_push),
             CASE(queue_ack),           CASE(queue_void),           CASE(record_put),
             CASE(record_get),          CASE(record_pop),           CASE(record_status),
             CASE(descriptor_put),      CASE(descriptor_get),       CASE(reply),
             CASE(member_join_reply),   CASE(queue_register_reply), CASE(queue_attach_reply),
             CASE(queue_deposit_reply), CASE(record_put_reply),     CASE(record_get_reply),
             CASE(record_pop_reply),    CASE(record_status_reply),  CASE(descriptor_get_reply)};
#undef CASE

static case_fn *find(const char *kind)
{
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        if (strcmp(CASES[i].kind, kind) == 0) {
            return CASES[i].fn;
        }
    }
    return NULL;
}

static uint8_t BYTES[LIMIT_FRAME];
static uint8_t OUT[LIMIT_FRAME];

static enum err run(case_fn *fn, const json_t *c, struct slice bytes, struct slice *out)
{
    struct writer w = writer_of(OUT, sizeof OUT);
    SPACE_USED = 0;
    arena_reset(&A);
    enum err err = fn(c, bytes, &w);
    *out = writer_done(&w);
    return err;
}

START_TEST(every_body_is_as_in_the_vectors)
{
    json_t *all = data_vectors("relay");
    size_t i;
    json_t *c;
    unsigned checked = 0;
    json_array_foreach(all, i, c)
    {
        case_fn *fn = find(data_text(c, "kind"));
        if (fn == NULL) {
            continue;
        }
        struct slice out;
        struct slice bytes = data_hex(c, "encoded", BYTES, sizeof BYTES);
        ck_assert_ok(run(fn, c, slice_of(NULL, 0), &out));
        ck_assert_msg(slice_equal(out, bytes), "case %zu is written otherwise", i);
        ck_assert_ok(run(fn, c, bytes, &out));
        ck_assert_msg(slice_equal(out, bytes), "case %zu is read otherwise", i);
        checked++;
    }
    ck_assert_uint_ge(checked, 39);
    json_decref(all);
}
END_TEST

START_TEST(a_short_or_long_body_is_malformed_and_an_unknown_field_is_skipped)
{
    static const uint8_t unknown[] = {60, 0x91, 0x81, 0x00, 0xc0};
    json_t *all = data_vectors("relay");
    size_t i;
    json_t *c;
    json_array_foreach(all, i, c)
    {
        case_fn *fn = find(data_text(c, "kind"));
        if (fn == NULL) {
            continue;
        }
        struct slice out;
        struct slice bytes = data_hex(c, "encoded", BYTES, sizeof BYTES);
        size_t step = bytes.len > 200 ? 37 : 1;
        for (size_t len = 1; len < bytes.len; len += step) {
            uint8_t *cut = malloc(len);
            ck_assert_ptr_nonnull(cut);
            memcpy(cut, BYTES, len);
            enum err err = run(fn, c, slice_of(cut, len), &out);
            ck_assert_msg(err == ERR_MALFORMED, "case %zu cut to %zu gave %s", i, len,
                          err_name(err));
            free(cut);
        }
        BYTES[bytes.len] = 0;
        ck_assert_err(run(fn, c, slice_of(BYTES, bytes.len + 1), &out), ERR_MALFORMED);
        BYTES[0]++; /* one more pair */
        memcpy(BYTES + bytes.len, unknown, sizeof unknown);
        ck_assert_ok(run(fn, c, slice_of(BYTES, bytes.len + sizeof unknown), &out));
    }
    json_decref(all);
}
END_TEST

START_TEST(tokens_are_as_in_the_vectors)
{
    json_t *all = data_vectors("relay");
    size_t i;
    json_t *c;
    unsigned checked = 0;
    json_array_foreach(all, i, c)
    {
        if (strcmp(data_text(c, "kind"), "token") != 0) {
            continue;
        }
        struct token_key k;
        struct token_siv_key siv;
        struct sign_pk target;
        struct token want;
        struct token got;
        data_bytes(c, "k", k.b, sizeof k.b);
        data_bytes(c, "siv", siv.b, sizeof siv.b);
        data_bytes(c, "target", target.b, sizeof target.b);
        data_bytes(c, "encoded", want.b, sizeof want.b);
        token_mint(&k, &siv, &target, (uint32_t)data_u64(c, "contact"),
                   (uint32_t)data_u64(c, "counter"), (uint32_t)data_u64(c, "epoch"), &got);
        ck_assert_mem_eq(got.b, want.b, sizeof want.b);
        checked++;
    }
    ck_assert_uint_eq(checked, 2);
    json_decref(all);
}
END_TEST

/* Gives the bytes of a vector where randomness is asked for. */
static void given_random(void *ctx, uint8_t *out, size_t len)
{
    ck_assert_uint_eq(len, PRIM_AEAD_NONCE);
    memcpy(out, ctx, len);
}

START_TEST(sealed_records_are_as_in_the_vectors)
{
    json_t *all = data_vectors("relay");
    size_t i;
    json_t *c;
    unsigned checked = 0;
    json_array_foreach(all, i, c)
    {
        if (strcmp(data_text(c, "kind"), "record_seal") != 0) {
            continue;
        }
        struct sign_pk id;
        struct sign_pk record;
        struct aead_key key;
        uint8_t nonce[PRIM_AEAD_NONCE];
        uint8_t want[256];
        uint8_t got[256];
        struct env env = {.random = given_random, .random_ctx = nonce};
        SPACE_USED = 0;
        data_bytes(c, "identity", id.b, sizeof id.b);
        data_bytes(c, "target", record.b, sizeof record.b);
        data_bytes(c, "nonce", nonce, sizeof nonce);
        struct slice plain = slice_in(c, "plain");
        struct slice bytes = data_hex(c, "encoded", want, sizeof want);
        record_key(&key, &id, &record);
        record_seal(got, &key, &env, (uint32_t)data_u64(c, "part"), plain);
        ck_assert_uint_eq(bytes.len, plain.len + RECORD_OVERHEAD);
        ck_assert_mem_eq(got, want, bytes.len);
        checked++;
    }
    ck_assert_uint_eq(checked, 3);
    json_decref(all);
}
END_TEST

START_TEST(a_signature_holds_for_its_label_hash_and_keys_only)
{
    struct sign_sk sk[2];
    struct sign_pk pk[2];
    uint8_t hash[RELAY_HASH] = {1};
    uint8_t seed[32] = {2};
    uint8_t buf[512];
    struct relay_signed s;
    struct writer w = writer_of(buf, sizeof buf);
    prim_sign_keypair(&pk[0], &sk[0], seed);
    seed[0] = 3;
    prim_sign_keypair(&pk[1], &sk[1], seed);
    ck_assert_ok(relay_signed_write(&w, &A, hash, "petrel/1 a", unit_str("body"), &sk[0], &sk[1]));
    ck_assert_ok(relay_signed_read(writer_done(&w), true, &s));
    ck_assert_ok(relay_signed_verify(&s, &A, "petrel/1 a", hash));
    ck_assert_err(relay_signed_verify(&s, &A, "petrel/1 b", hash), ERR_BAD_SIGNATURE);
    hash[63] ^= 1;
    ck_assert_err(relay_signed_verify(&s, &A, "petrel/1 a", hash), ERR_BAD_SIGNATURE);
    hash[63] ^= 1;
    struct relay_signed bad = s; /* the member's signature alone does not make the first one */
    memcpy(bad.sig, s.member_sig, sizeof bad.sig);
    ck_assert_err(relay_signed_verify(&bad, &A, "petrel/1 a", hash), ERR_BAD_SIGNATURE);
    bad = s;
    bad.two = false;
    ck_assert_err(relay_signed_verify(&bad, &A, "petrel/1 a", hash), ERR_BAD_SIGNATURE);
    bad = s;
    memset(bad.key.b, 0, sizeof bad.key.b);
    ck_assert_err(relay_signed_verify(&bad, &A, "petrel/1 a", hash), ERR_BAD_KEY);
    bad = s;
    bad.body = unit_str("bodY");
    ck_assert_err(relay_signed_verify(&bad, &A, "petrel/1 a", hash), ERR_BAD_SIGNATURE);
}
END_TEST

START_TEST(admission_is_a_token_or_a_stamp_and_not_both)
{
    struct queue_ack unused;
    struct record_pop pop = {.pop_nonce = {1}};
    struct record_pop got = pop;
    uint8_t buf[256];
    struct writer w = writer_of(buf, sizeof buf);
    pack_map(&w, 2);
    pack_uint(&w, 0);
    pack_bin(&w, pop.record.b, 32);
    pack_uint(&w, 3);
    pack_bin(&w, pop.pop_nonce, 16);
    ck_assert_err(record_pop_read(writer_done(&w), &got), ERR_MALFORMED);
    w = writer_of(buf, sizeof buf);
    pack_map(&w, 4);
    pack_uint(&w, 0);
    pack_bin(&w, pop.record.b, 32);
    relay_admission_write(&w, &pop.admission);
    pop.admission.stamp = true;
    relay_admission_write(&w, &pop.admission);
    pack_uint(&w, 3);
    pack_bin(&w, pop.pop_nonce, 16);
    ck_assert_err(record_pop_read(writer_done(&w), &got), ERR_MALFORMED);
    ck_assert(!got.admission.stamp); /* unchanged */
    ck_assert_err(queue_ack_read(slice_of(NULL, 0), &unused), ERR_MALFORMED);
}
END_TEST

START_TEST(parts_must_ascend_and_have_ids)
{
    static const uint32_t ids[][2] = {{0, 1}, {2, 2}, {3, 2}};
    for (size_t i = 0; i < 3; i++) {
        struct record_put put = {.has_body = false};
        uint8_t buf[256];
        struct writer w = writer_of(buf, sizeof buf);
        pack_map(&w, 3);
        pack_uint(&w, 0);
        pack_uint(&w, 1);
        pack_uint(&w, 1);
        pack_bin(&w, put.k.b, sizeof put.k.b);
        pack_uint(&w, 4);
        pack_array(&w, 2);
        for (size_t p = 0; p < 2; p++) {
            pack_array(&w, 2);
            pack_uint(&w, ids[i][p]);
            pack_bin(&w, "x", 1);
        }
        ck_assert_err(record_put_body_read(writer_done(&w), &put), ERR_MALFORMED);
    }
}
END_TEST

START_TEST(lifetimes_round_up)
{
    ck_assert_uint_eq(queue_lifetime_class(0), 0);
    ck_assert_uint_eq(queue_lifetime_class(LIMIT_HOUR_MS), 0);
    ck_assert_uint_eq(queue_lifetime_class(LIMIT_HOUR_MS + 1), 1);
    ck_assert_uint_eq(queue_lifetime_class(7 * LIMIT_DAY_MS), 2);
    ck_assert_uint_eq(queue_lifetime_class(7 * LIMIT_DAY_MS + 1), 3);
    ck_assert_uint_eq(queue_lifetime_class(UINT64_MAX), 3);
    ck_assert_int_eq(queue_envelope_class(61440), 3);
    ck_assert_int_eq(queue_envelope_class(61439), -1);
    ck_assert_uint_eq(queue_envelope_size(2), 16384);
}
END_TEST

/* Codes of this machine or of a caller that came over a wire are not taken for our own. */
START_TEST(a_reply_cannot_name_an_error_of_ours)
{
    for (unsigned code = 1; code < 600; code++) {
        uint8_t bytes[8];
        struct relay_reply reply;
        struct writer w = writer_of(bytes, sizeof bytes);
        pack_map(&w, 1);
        pack_uint(&w, 0);
        pack_uint(&w, code);
        ck_assert_ok(relay_reply_read(writer_done(&w), &reply));
        enum err_class class = err_class(reply.err);
        ck_assert(class == ERR_CLASS_PEER || class == ERR_CLASS_STATE);
    }
}
END_TEST

static void add(TCase *tc)
{
    arena_init(&A, LIMIT_TURN_ARENA);
    tcase_add_test(tc, a_reply_cannot_name_an_error_of_ours);
    tcase_add_test(tc, every_body_is_as_in_the_vectors);
    tcase_add_test(tc, a_short_or_long_body_is_malformed_and_an_unknown_field_is_skipped);
    tcase_add_test(tc, tokens_are_as_in_the_vectors);
    tcase_add_test(tc, sealed_records_are_as_in_the_vectors);
    tcase_add_test(tc, a_signature_holds_for_its_label_hash_and_keys_only);
    tcase_add_test(tc, admission_is_a_token_or_a_stamp_and_not_both);
    tcase_add_test(tc, parts_must_ascend_and_have_ids);
    tcase_add_test(tc, lifetimes_round_up);
}

int main(void)
{
    int code = unit_main("relay/wire", add);
    arena_fini(&A);
    return code;
}
