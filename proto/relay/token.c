/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/token.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/ct.h"

static_assert(TOKEN_NONCE + TOKEN_TAG == TOKEN, "nonce | tag");

enum {
    SIV_PART = 8, /* bytes of each half of the nonce */
};

static const uint64_t EPOCH_MS = LIMIT_TOKEN_EPOCH_DAYS * LIMIT_DAY_MS;

uint32_t token_epoch(uint64_t now_ms)
{
    return (uint32_t)(now_ms / EPOCH_MS);
}

uint64_t token_epoch_over(uint32_t epoch)
{
    return ((uint64_t)epoch + 2) * EPOCH_MS;
}

static void be32(uint8_t out[static 4], uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

static uint32_t load32(const uint8_t p[static 4])
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The first 8 bytes of BLAKE2b-128(siv key, label | in). */
static void siv_hash(uint8_t out[static SIV_PART], const struct token_siv_key *siv,
                     const char *label, const uint8_t in[static SIV_PART])
{
    uint8_t h[16];
    struct slice part = slice_of(in, SIV_PART);
    prim_blake2b(h, sizeof h, slice_of(siv->b, sizeof siv->b), label, &part, 1);
    memcpy(out, h, SIV_PART);
    secret_wipe(h, sizeof h);
}

static void siv_tag(uint8_t out[static SIV_PART], const struct token_siv_key *siv,
                    const uint8_t plain[static SIV_PART])
{
    siv_hash(out, siv, "petrel/1 token siv", plain);
}

/* Its own inverse: out may be in. */
static void siv_crypt(uint8_t out[static SIV_PART], const struct token_siv_key *siv,
                      const uint8_t tag[static SIV_PART], const uint8_t in[static SIV_PART])
{
    uint8_t stream[SIV_PART];
    siv_hash(stream, siv, "petrel/1 token stream", tag);
    for (unsigned i = 0; i < SIV_PART; i++) {
        out[i] = (uint8_t)(in[i] ^ stream[i]);
    }
    secret_wipe(stream, sizeof stream);
}

static void token_derive(struct token_kept *out, const struct token_key *k, uint32_t epoch)
{
    uint8_t e[4];
    be32(e, epoch);
    struct slice part = slice_of(e, sizeof e);
    prim_blake2b(out->k_epoch, sizeof out->k_epoch, slice_of(k->b, sizeof k->b),
                 "petrel/1 token epoch", &part, 1);
    out->there = true;
    out->epoch = epoch;
}

/* tag = BLAKE2b-128(k_epoch, "petrel/1 token" | target | nonce). */
static void token_tag(uint8_t out[static TOKEN_TAG], const struct token_kept *kept,
                      const struct sign_pk *target, const uint8_t nonce[static TOKEN_NONCE])
{
    struct slice parts[2] = {slice_of(target->b, sizeof target->b), slice_of(nonce, TOKEN_NONCE)};
    prim_blake2b(out, TOKEN_TAG, slice_of(kept->k_epoch, sizeof kept->k_epoch), "petrel/1 token",
                 parts, 2);
}

void token_nonce(const struct token_siv_key *siv, uint32_t contact, uint32_t counter,
                 uint8_t out[static TOKEN_NONCE])
{
    uint8_t plain[SIV_PART];
    be32(plain, contact);
    be32(plain + 4, counter);
    siv_tag(out, siv, plain);
    siv_crypt(out + SIV_PART, siv, out, plain);
    secret_wipe(plain, sizeof plain);
}

void token_mint(const struct token_key *k, const struct token_siv_key *siv,
                const struct sign_pk *target, uint32_t contact, uint32_t counter, uint32_t epoch,
                struct token *out)
{
    struct token_kept kept;
    token_nonce(siv, contact, counter, out->b);
    token_derive(&kept, k, epoch);
    token_tag(out->b + TOKEN_NONCE, &kept, target, out->b);
    secret_wipe(&kept, sizeof kept);
}

enum err token_open_nonce(const struct token_siv_key *siv, const uint8_t nonce[static TOKEN_NONCE],
                          uint32_t *contact, uint32_t *counter)
{
    uint8_t plain[SIV_PART];
    uint8_t tag[SIV_PART];
    siv_crypt(plain, siv, nonce, nonce + SIV_PART);
    siv_tag(tag, siv, plain);
    bool ours = prim_equal(tag, nonce, SIV_PART);
    CT_PUBLIC(&ours, sizeof ours);
    enum err err = ours ? ERR_OK : ERR_DECRYPT;
    if (err == ERR_OK) {
        *contact = load32(plain);
        *counter = load32(plain + 4);
    }
    secret_wipe(plain, sizeof plain);
    secret_wipe(tag, sizeof tag);
    return err;
}

static bool token_fits(const struct token_kept *kept, const struct sign_pk *target,
                       const struct token *token)
{
    uint8_t tag[TOKEN_TAG];
    token_tag(tag, kept, target, token->b);
    bool fits = prim_equal(tag, token->b + TOKEN_NONCE, TOKEN_TAG);
    secret_wipe(tag, sizeof tag);
    CT_PUBLIC(&fits, sizeof fits);
    return fits;
}

static enum err check_anew(const struct token_key *k, struct token_kept *kept,
                           const struct sign_pk *target, uint32_t now, const struct token *token,
                           uint32_t *epoch)
{
    struct token_kept both[2];
    token_derive(&both[0], k, now);
    token_derive(&both[1], k, now > 0 ? now - 1 : 0);
    bool is_now = token_fits(&both[0], target, token);
    bool is_before = token_fits(&both[1], target, token);
    if (is_now) {
        *kept = both[0];
    }
    if (is_now || is_before) {
        *epoch = both[is_now ? 0 : 1].epoch;
    }
    secret_wipe(both, sizeof both);
    return is_now || is_before ? ERR_OK : ERR_BAD_TOKEN;
}

enum err token_check(const struct token_key *k, struct token_kept *kept,
                     const struct sign_pk *target, uint64_t now_ms, const struct token *token,
                     uint32_t *epoch)
{
    uint32_t now = token_epoch(now_ms);
    /* Also where nothing is kept: a token that is wrong makes the same work for every target. */
    if (token_fits(kept, target, token) && kept->there && kept->epoch == now) {
        *epoch = now;
        return ERR_OK;
    }
    return check_anew(k, kept, target, now, token, epoch);
}

void token_check_rest(const struct token_key *k, const struct sign_pk *target, uint64_t now_ms,
                      const struct token *token)
{
    struct token_kept kept = {.there = false};
    uint32_t epoch;
    (void)check_anew(k, &kept, target, token_epoch(now_ms), token, &epoch);
    secret_wipe(&kept, sizeof kept);
}
