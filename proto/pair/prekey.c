/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/prekey.h"

#include <assert.h>
#include <string.h>

#include "base/pack.h"
#include "base/secret.h"
#include "crypto/mlkem768.h"

static_assert(PREKEY_KEM_SEED == crypto_kem_mlkem768_SEEDBYTES, "ML-KEM-768 seed");
static_assert((int)PREKEY_PART <= (int)LIMIT_RECORD_PART, "a part fits a record's part");

static const char LABEL_SIGNED[] = "petrel/1 prekey";
static const char LABEL_ONE_TIME[] = "petrel/1 one-time prekey";

enum {
    PREKEY_FORMAT = 1, /* first byte of an encoded secret */
    KEY_ID = 0,
    KEY_DH = 1,
    KEY_KEM = 2,
    KEY_CREATED = 3,
    PREKEY_FIELDS = 16, /* pairs of a part's map, unknown ones included */
    PREKEY_BODY = 1 + 1 + 5 + 1 + 34 + 1 + 3 + SESSION_KEM_EK + 1 + 9,
};
static_assert(1 + 3 + PREKEY_BODY + 2 + PRIM_SIGNATURE <= PREKEY_PART, "an encoded part");

void prekey_generate(struct prekey_secret *secret, uint8_t kind, uint32_t id, const struct env *env)
{
    assert(kind == PREKEY_SIGNED || kind == PREKEY_ONE_TIME);
    assert(id > 0);
    memset(secret, 0, sizeof *secret);
    secret->kind = kind;
    secret->id = id;
    secret->created_ms = env->now_ms;
    env_random(env, secret->dh.b, sizeof secret->dh.b);
    env_random(env, secret->kem_seed, sizeof secret->kem_seed);
}

void prekey_secret_encode(const struct prekey_secret *secret, uint8_t out[static PREKEY_SECRET])
{
    struct writer w = writer_of(out, PREKEY_SECRET);
    writer_u8(&w, PREKEY_FORMAT);
    writer_u8(&w, secret->kind);
    writer_u32(&w, secret->id);
    writer_u64(&w, secret->created_ms);
    writer_bytes(&w, secret->dh.b, sizeof secret->dh.b);
    writer_bytes(&w, secret->kem_seed, sizeof secret->kem_seed);
    assert(w.err == ERR_OK && w.len == PREKEY_SECRET);
}

enum err prekey_secret_decode(struct slice bytes, struct prekey_secret *secret)
{
    struct reader r = reader_of(bytes);
    memset(secret, 0, sizeof *secret);
    uint8_t format = reader_u8(&r);
    secret->kind = reader_u8(&r);
    secret->id = reader_u32(&r);
    secret->created_ms = reader_u64(&r);
    reader_copy(&r, secret->dh.b, sizeof secret->dh.b);
    reader_copy(&r, secret->kem_seed, sizeof secret->kem_seed);
    if (reader_end(&r) != ERR_OK || format != PREKEY_FORMAT || secret->id == 0 ||
        (secret->kind != PREKEY_SIGNED && secret->kind != PREKEY_ONE_TIME)) {
        secret_wipe(secret, sizeof *secret);
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

/* The map that is signed. */
static void write_body(struct writer *w, const struct prekey_secret *secret)
{
    struct dh_pk pk;
    uint8_t ek[SESSION_KEM_EK];
    uint8_t dk[SESSION_KEM_DK];
    bool has_created = secret->kind == PREKEY_SIGNED;
    prim_dh_public(&pk, &secret->dh);
    (void)crypto_kem_mlkem768_seed_keypair(ek, dk, secret->kem_seed); /* always 0 */
    pack_map(w, has_created ? 4 : 3);
    pack_uint(w, KEY_ID);
    pack_uint(w, secret->id);
    pack_uint(w, KEY_DH);
    pack_bin(w, pk.b, sizeof pk.b);
    pack_uint(w, KEY_KEM);
    pack_bin(w, ek, sizeof ek);
    if (has_created) {
        pack_uint(w, KEY_CREATED);
        pack_uint(w, secret->created_ms);
    }
    secret_wipe(dk, sizeof dk);
}

enum err prekey_write(struct writer *w, const struct prekey_secret *secret,
                      const struct sign_sk *sign)
{
    uint8_t body[PREKEY_BODY];
    uint8_t signature[PRIM_SIGNATURE];
    struct writer b = writer_of(body, sizeof body);
    write_body(&b, secret);
    assert(b.err == ERR_OK);
    const char *label = secret->kind == PREKEY_SIGNED ? LABEL_SIGNED : LABEL_ONE_TIME;
    enum err err = prim_sign(signature, label, writer_done(&b), sign);
    if (err != ERR_OK) {
        return err;
    }
    pack_array(w, 2);
    pack_bin_slice(w, writer_done(&b));
    pack_bin(w, signature, sizeof signature);
    return w->err;
}

/* A part as it came, its fields borrowed. */
struct part {
    uint32_t id;
    struct dh_pk dh;
    struct slice kem_ek;
    uint64_t created_ms;
};

static enum err read_signed(struct slice bytes, const char *label, const struct sign_pk *sign,
                            struct slice *body)
{
    if (bytes.len > LIMIT_RECORD_PART) {
        return ERR_TOO_LARGE;
    }
    uint8_t signature[PRIM_SIGNATURE];
    struct reader r = reader_of(bytes);
    if (pack_read_array(&r, 2) != 2) {
        reader_fail(&r, ERR_MALFORMED);
    }
    *body = pack_read_bin(&r, LIMIT_RECORD_PART);
    pack_read_bin_exact(&r, signature, sizeof signature);
    enum err err = reader_end(&r);
    return err == ERR_OK ? prim_verify(signature, label, *body, sign) : err;
}

static enum err read_part(struct slice bytes, const char *label, const struct sign_pk *sign,
                          uint64_t required, struct part *part)
{
    struct slice body;
    enum err err = read_signed(bytes, label, sign, &body);
    if (err != ERR_OK) {
        return err;
    }
    memset(part, 0, sizeof *part);
    struct reader r = reader_of(body);
    struct pack_fields f = pack_fields_begin(&r, PREKEY_FIELDS);
    while (pack_fields_next(&f)) {
        if (f.key == KEY_ID) {
            part->id = (uint32_t)pack_read_uint(&r, UINT32_MAX);
        } else if (f.key == KEY_DH) {
            pack_read_bin_exact(&r, part->dh.b, sizeof part->dh.b);
        } else if (f.key == KEY_KEM) {
            part->kem_ek = pack_read_bin(&r, SESSION_KEM_EK);
        } else if (f.key == KEY_CREATED) {
            part->created_ms = pack_read_uint(&r, UINT64_MAX);
        } else {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, required);
    err = reader_end(&r);
    if (err == ERR_OK && (part->id == 0 || part->kem_ek.len != SESSION_KEM_EK)) {
        return ERR_MALFORMED;
    }
    return err;
}

enum err prekey_bundle_open(struct slice signed_part, struct slice one_time_part,
                            const struct sign_pk *sign, uint64_t now_ms, struct pair_bundle *bundle,
                            uint64_t *created_ms)
{
    static const uint64_t keys = 1U << KEY_ID | 1U << KEY_DH | 1U << KEY_KEM;
    static const uint64_t life = (LIMIT_PREKEY_DAYS + LIMIT_PREKEY_KEEP_DAYS) * LIMIT_DAY_MS;
    struct part spk;
    struct part otk = {.id = 0};
    enum err err = read_part(signed_part, LABEL_SIGNED, sign, keys | 1U << KEY_CREATED, &spk);
    if (err == ERR_OK && one_time_part.len > 0) {
        err = read_part(one_time_part, LABEL_ONE_TIME, sign, keys, &otk);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (now_ms > spk.created_ms && now_ms - spk.created_ms > life) {
        return ERR_EXPIRED;
    }
    *bundle = (struct pair_bundle){.spk_id = spk.id, .spk = spk.dh};
    bundle->one_time = otk.id != 0;
    bundle->one_time_id = otk.id;
    bundle->otk = otk.dh;
    memcpy(bundle->kem_ek, otk.id != 0 ? otk.kem_ek.p : spk.kem_ek.p, SESSION_KEM_EK);
    *created_ms = spk.created_ms;
    return ERR_OK;
}

void prekey_keys_init(struct prekey_keys *keys, const struct prekey_secret *signed_prekey,
                      const struct prekey_secret *one_time)
{
    const struct prekey_secret *kem = one_time != NULL ? one_time : signed_prekey;
    uint8_t ek[SESSION_KEM_EK];
    memset(keys, 0, sizeof *keys);
    keys->prekeys.spk = signed_prekey->dh;
    if (one_time != NULL) {
        keys->prekeys.one_time = true;
        keys->prekeys.otk = one_time->dh;
    }
    (void)crypto_kem_mlkem768_seed_keypair(ek, keys->kem_dk, kem->kem_seed); /* always 0 */
    keys->prekeys.kem_dk = keys->kem_dk;
}

void prekey_keys_wipe(struct prekey_keys *keys)
{
    secret_wipe(keys, sizeof *keys);
}
