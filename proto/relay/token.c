/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/token.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/ct.h"

static_assert(TOKEN_NONCE + TOKEN_TAG == TOKEN, "nonce | tag");

enum {
    SIV_PART = 8,      /* bytes of each half of the nonce */
    TOKEN_K_EPOCH = 32 /* bytes of k_epoch */
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

/* tag = BLAKE2b-128(k_epoch, "petrel/1 token" | target | nonce). */
static void token_tag(uint8_t out[static TOKEN_TAG], const struct token_key *k, uint32_t epoch,
                      const struct sign_pk *target, const uint8_t nonce[static TOKEN_NONCE])
{
    uint8_t e[4];
    be32(e, epoch);
    struct slice epoch_part = slice_of(e, sizeof e);
    uint8_t k_epoch[TOKEN_K_EPOCH];
    prim_blake2b(k_epoch, sizeof k_epoch, slice_of(k->b, sizeof k->b), "petrel/1 token epoch",
                 &epoch_part, 1);
    struct slice parts[2] = {slice_of(target->b, sizeof target->b), slice_of(nonce, TOKEN_NONCE)};
    prim_blake2b(out, TOKEN_TAG, slice_of(k_epoch, sizeof k_epoch), "petrel/1 token", parts, 2);
    secret_wipe(k_epoch, sizeof k_epoch);
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
    token_nonce(siv, contact, counter, out->b);
    token_tag(out->b + TOKEN_NONCE, k, epoch, target, out->b);
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

enum err token_check(const struct token_key *k, const struct sign_pk *target, uint64_t now_ms,
                     const struct token *token, uint32_t *epoch)
{
    uint32_t now = token_epoch(now_ms);
    uint32_t before = now > 0 ? now - 1 : 0;
    uint8_t tag[2][TOKEN_TAG];
    token_tag(tag[0], k, now, target, token->b);
    token_tag(tag[1], k, before, target, token->b);
    /* Both are always made and compared: the time says nothing about which one fitted. */
    bool is_now = prim_equal(tag[0], token->b + TOKEN_NONCE, TOKEN_TAG);
    bool is_before = prim_equal(tag[1], token->b + TOKEN_NONCE, TOKEN_TAG);
    secret_wipe(tag, sizeof tag);
    CT_PUBLIC(&is_now, sizeof is_now);
    CT_PUBLIC(&is_before, sizeof is_before);
    if (!is_now && !is_before) {
        return ERR_BAD_TOKEN;
    }
    *epoch = is_now ? now : before;
    return ERR_OK;
}
