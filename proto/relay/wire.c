/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/wire.h"

#include <assert.h>
#include <string.h>

#include "crypto/blind.h"

static_assert(sizeof(struct sign_pk) == 32, "keys go over the wire as their bytes");

void relay_fields_begin(struct relay_fields *f, struct slice bytes)
{
    f->r = reader_of(bytes);
    f->map = pack_fields_begin(&f->r, RELAY_FIELDS);
    f->value = SIZE_MAX;
}

bool relay_fields_next(struct relay_fields *f)
{
    if (f->r.pos == f->value) {
        pack_fields_skip(&f->map);
    }
    bool more = pack_fields_next(&f->map);
    f->value = more ? f->r.pos : SIZE_MAX;
    return more;
}

enum err relay_fields_end(struct relay_fields *f, uint64_t mask)
{
    pack_fields_require(&f->map, mask);
    return reader_end(&f->r);
}

static void write_head(struct writer *w, const struct relay_reply *head, uint32_t fields)
{
    pack_map(w, 1 + (head->retry_after_ms != 0 ? 1u : 0u) + fields);
    pack_uint(w, 0);
    pack_uint(w, (uint64_t)head->err);
    if (head->retry_after_ms != 0) {
        pack_uint(w, 1);
        pack_uint(w, head->retry_after_ms);
    }
}

bool relay_reply_write_head(struct writer *w, const struct relay_reply *head, uint32_t fields)
{
    bool good = head->err == ERR_OK;
    write_head(w, head, good ? fields : 0);
    return good;
}

void relay_reply_write_price(struct writer *w, const struct relay_reply *head, uint8_t stamp_bits)
{
    write_head(w, head, 1);
    pack_uint(w, 2);
    pack_uint(w, stamp_bits);
}

/* What a code says that came over a wire. Errors of this machine and of callers are no answers:
 * they would be taken for our own. */
static enum err refusal_of(unsigned code)
{
    enum err err = err_from_code(code);
    enum err_class class = err_class(err);
    return class == ERR_CLASS_LOCAL || class == ERR_CLASS_CALLER ? ERR_PROTOCOL : err;
}

bool relay_reply_next(struct relay_fields *f, struct relay_reply *head)
{
    while (relay_fields_next(f)) {
        if (f->map.key == 0) {
            head->err = refusal_of((unsigned)pack_read_uint(&f->r, UINT16_MAX));
        } else if (f->map.key == 1) {
            head->retry_after_ms = (uint32_t)pack_read_uint(&f->r, UINT32_MAX);
        } else {
            return true;
        }
    }
    return false;
}

enum err relay_reply_end(struct relay_fields *f, const struct relay_reply *head, uint64_t mask)
{
    return relay_fields_end(f, head->err == ERR_OK ? mask : 0x01);
}

void relay_reply_write(struct writer *w, const struct relay_reply *reply)
{
    write_head(w, reply, 0);
}

enum err relay_reply_read(struct slice bytes, struct relay_reply *reply)
{
    struct relay_reply got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_reply_next(&f, &got)) {
        /* a request's own fields: skipped */
    }
    enum err err = relay_reply_end(&f, &got, 0x01);
    if (err == ERR_OK) {
        *reply = got;
    }
    return err;
}

/* What a signature covers after its label: handshake hash | key | member key, if any | body. */
static enum err signed_bytes(struct arena *arena, const uint8_t *hash, const struct sign_pk *key,
                             const struct sign_pk *member, struct slice body, struct slice *out)
{
    if (body.len > LIMIT_FRAME) {
        return ERR_TOO_LARGE;
    }
    size_t len = RELAY_HASH + sizeof key->b + (member != NULL ? sizeof member->b : 0) + body.len;
    uint8_t *p = arena_alloc(arena, len);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer w = writer_of(p, len);
    writer_bytes(&w, hash, RELAY_HASH);
    writer_bytes(&w, key->b, sizeof key->b);
    if (member != NULL) {
        writer_bytes(&w, member->b, sizeof member->b);
    }
    writer_slice(&w, body);
    *out = writer_done(&w);
    return w.err;
}

/* libsodium's secret key is seed | public key. */
static struct sign_pk public_of(const struct sign_sk *sk)
{
    struct sign_pk pk;
    memcpy(pk.b, sk->b + 32, sizeof pk.b);
    return pk;
}

static enum err signer_public(const struct relay_signer *signer, struct sign_pk *pk)
{
    *pk = public_of(signer->sk);
    return signer->blinded ? blind_public(pk, signer->period, pk) : ERR_OK;
}

/* As prim_sign: blind_sign knows no labels. */
static enum err signer_sign(const struct relay_signer *signer, struct arena *arena,
                            const char *label, struct slice covered,
                            uint8_t sig[static PRIM_SIGNATURE])
{
    if (!signer->blinded) {
        return prim_sign(sig, label, covered, signer->sk);
    }
    size_t label_len = strlen(label) + 1;
    uint8_t *bytes = arena_alloc(arena, label_len + covered.len);
    if (bytes == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(bytes, label, label_len);
    memcpy(bytes + label_len, covered.p, covered.len);
    return blind_sign(signer->sk, signer->period, slice_of(bytes, label_len + covered.len), sig);
}

enum err relay_signed_write_by(struct writer *w, struct arena *arena,
                               const uint8_t hash[static RELAY_HASH], const char *label,
                               struct slice body, const struct relay_signer *signer,
                               const struct sign_sk *member)
{
    struct sign_pk pk;
    struct sign_pk member_pk = {{0}};
    if (member != NULL) {
        member_pk = public_of(member);
    }
    uint8_t sig[PRIM_SIGNATURE];
    uint8_t member_sig[PRIM_SIGNATURE] = {0};
    struct slice covered;
    enum err err = signer_public(signer, &pk);
    if (err == ERR_OK) {
        err = signed_bytes(arena, hash, &pk, member != NULL ? &member_pk : NULL, body, &covered);
    }
    if (err == ERR_OK) {
        err = signer_sign(signer, arena, label, covered, sig);
    }
    if (err == ERR_OK && member != NULL) {
        err = prim_sign(member_sig, label, covered, member);
    }
    if (err != ERR_OK) {
        return err;
    }
    pack_map(w, 2 + (member != NULL ? 2u : 0u) + (body.len > 0 ? 1u : 0u));
    pack_uint(w, 0);
    pack_bin(w, pk.b, sizeof pk.b);
    pack_uint(w, 1);
    pack_bin(w, sig, sizeof sig);
    if (member != NULL) {
        pack_uint(w, 2);
        pack_bin(w, member_pk.b, sizeof member_pk.b);
        pack_uint(w, 3);
        pack_bin(w, member_sig, sizeof member_sig);
    }
    if (body.len > 0) {
        pack_uint(w, 4);
        pack_bin_slice(w, body);
    }
    return ERR_OK;
}

enum err relay_signed_write(struct writer *w, struct arena *arena,
                            const uint8_t hash[static RELAY_HASH], const char *label,
                            struct slice body, const struct sign_sk *key,
                            const struct sign_sk *member)
{
    const struct relay_signer signer = {.sk = key};
    return relay_signed_write_by(w, arena, hash, label, body, &signer, member);
}

enum err relay_signed_read(struct slice bytes, bool two, struct relay_signed *out)
{
    struct relay_signed s = {.two = two};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, s.key.b, sizeof s.key.b);
        } else if (f.map.key == 1) {
            pack_read_bin_exact(&f.r, s.sig, sizeof s.sig);
        } else if (f.map.key == 2 && two) {
            pack_read_bin_exact(&f.r, s.member.b, sizeof s.member.b);
        } else if (f.map.key == 3 && two) {
            pack_read_bin_exact(&f.r, s.member_sig, sizeof s.member_sig);
        } else if (f.map.key == 4) {
            s.body = pack_read_bin(&f.r, LIMIT_FRAME);
        }
    }
    enum err err = relay_fields_end(&f, two ? 0x0f : 0x03);
    if (err == ERR_OK) {
        *out = s;
    }
    return err;
}

enum err relay_signed_verify(const struct relay_signed *s, struct arena *arena, const char *label,
                             const uint8_t hash[static RELAY_HASH])
{
    struct slice covered;
    enum err err =
        signed_bytes(arena, hash, &s->key, s->two ? &s->member : NULL, s->body, &covered);
    if (err == ERR_OK) {
        err = prim_verify(s->sig, label, covered, &s->key);
    }
    if (err == ERR_OK && s->two) {
        err = prim_verify(s->member_sig, label, covered, &s->member);
    }
    return err;
}

void relay_admission_write(struct writer *w, const struct relay_admission *a)
{
    if (a->stamp) {
        pack_uint(w, 2);
        pack_array(w, 2);
        pack_uint(w, a->stamp_minute);
        pack_uint(w, a->stamp_nonce);
    } else {
        pack_uint(w, 1);
        pack_bin(w, a->token.b, sizeof a->token.b);
    }
}

bool relay_admission_next(struct relay_fields *f, struct relay_admission *a)
{
    while (relay_fields_next(f)) {
        if (f->map.key == 1) {
            a->stamp = false;
            pack_read_bin_exact(&f->r, a->token.b, sizeof a->token.b);
        } else if (f->map.key == 2) {
            a->stamp = true;
            if (pack_read_array(&f->r, 2) != 2) {
                reader_fail(&f->r, ERR_MALFORMED);
            }
            a->stamp_minute = (uint32_t)pack_read_uint(&f->r, UINT32_MAX);
            a->stamp_nonce = pack_read_uint(&f->r, UINT64_MAX);
        } else {
            return true;
        }
    }
    return false;
}

enum err relay_admission_end(struct relay_fields *f, uint64_t mask)
{
    bool token = (f->map.seen & 2) != 0;
    bool stamp = (f->map.seen & 4) != 0;
    if (token == stamp) {
        reader_fail(&f->r, ERR_MALFORMED);
    }
    return relay_fields_end(f, mask);
}

enum err relay_signed_open(struct slice bytes, bool two, struct arena *arena, const char *label,
                           const uint8_t hash[static RELAY_HASH], struct relay_signed *out)
{
    struct relay_signed got;
    enum err err = relay_signed_read(bytes, two, &got);
    if (err == ERR_OK) {
        err = relay_signed_verify(&got, arena, label, hash);
    }
    if (err == ERR_OK) {
        *out = got;
    }
    return err;
}

enum err relay_signed_open_key(struct slice bytes, struct arena *arena, const char *label,
                               const uint8_t hash[static RELAY_HASH], struct sign_pk *key)
{
    struct relay_signed s;
    enum err err = relay_signed_open(bytes, false, arena, label, hash, &s);
    if (err == ERR_OK && s.body.len != 0) {
        err = ERR_MALFORMED;
    }
    if (err == ERR_OK) {
        *key = s.key;
    }
    return err;
}

void relay_key_write(struct writer *w, const struct sign_pk *key)
{
    pack_map(w, 1);
    pack_uint(w, 0);
    pack_bin(w, key->b, sizeof key->b);
}

enum err relay_key_read(struct slice bytes, struct sign_pk *key)
{
    struct sign_pk got = {0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
        if (f.map.key == 0) {
            pack_read_bin_exact(&f.r, got.b, sizeof got.b);
        }
    }
    enum err err = relay_fields_end(&f, 0x01);
    if (err == ERR_OK) {
        *key = got;
    }
    return err;
}
