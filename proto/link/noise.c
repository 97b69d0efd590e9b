/* SPDX-License-Identifier: Apache-2.0 */
#include "link/noise.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/ct.h"
#include "crypto/mlkem768.h"

static_assert(NOISE_KEM_PUBLIC == crypto_kem_mlkem768_PUBLICKEYBYTES, "ML-KEM-768 public key");
static_assert(NOISE_KEM_SECRET == crypto_kem_mlkem768_SECRETKEYBYTES, "ML-KEM-768 secret key");
static_assert(NOISE_KEM_CIPHERTEXT == crypto_kem_mlkem768_CIPHERTEXTBYTES, "ML-KEM-768 ciphertext");
static_assert(NOISE_KEM_SEED == crypto_kem_mlkem768_SEEDBYTES, "ML-KEM-768 seed");
static_assert(NOISE_XKHFS_1 == 1248 && NOISE_XKHFS_2 == 1152 && NOISE_XKHFS_3 == 64,
              "message sizes of the specification");

enum {
    MESSAGES_MAX = 3,
    TOKENS_MAX = 5, /* of a message, with the terminator */
};

enum token {
    TOKEN_END,
    TOKEN_E,
    TOKEN_S,
    TOKEN_EE,
    TOKEN_ES,
    TOKEN_SE,
    TOKEN_SS,
    TOKEN_E1,    /* hfs: KEM public key */
    TOKEN_EKEM1, /* hfs: KEM ciphertext, then its secret into the chaining key */
};

struct noise_pattern_table {
    const char *name[2]; /* by enum symmetric_hash; NULL: not offered */
    bool known;          /* pre-message <- s: the initiator knows the responder's static */
    uint8_t messages;
    uint8_t tokens[MESSAGES_MAX][TOKENS_MAX];
};

static const struct noise_pattern_table tables[NOISE_PATTERNS] = {
    [NOISE_XK] = {.name = {"Noise_XK_25519_ChaChaPoly_BLAKE2b", "Noise_XK_25519_ChaChaPoly_SHA256"},
                  .known = true,
                  .messages = 3,
                  .tokens = {{TOKEN_E, TOKEN_ES}, {TOKEN_E, TOKEN_EE}, {TOKEN_S, TOKEN_SE}}},
    [NOISE_IK] = {.name = {"Noise_IK_25519_ChaChaPoly_BLAKE2b", "Noise_IK_25519_ChaChaPoly_SHA256"},
                  .known = true,
                  .messages = 2,
                  .tokens = {{TOKEN_E, TOKEN_ES, TOKEN_S, TOKEN_SS},
                             {TOKEN_E, TOKEN_EE, TOKEN_SE}}},
    [NOISE_XX] = {.name = {"Noise_XX_25519_ChaChaPoly_BLAKE2b", "Noise_XX_25519_ChaChaPoly_SHA256"},
                  .known = false,
                  .messages = 3,
                  .tokens = {{TOKEN_E},
                             {TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES},
                             {TOKEN_S, TOKEN_SE}}},
    [NOISE_XKHFS] = {.name = {"Noise_XKhfs_25519+MLKEM768_ChaChaPoly_BLAKE2b", NULL},
                     .known = true,
                     .messages = 3,
                     .tokens = {{TOKEN_E, TOKEN_ES, TOKEN_E1},
                                {TOKEN_E, TOKEN_EE, TOKEN_EKEM1},
                                {TOKEN_S, TOKEN_SE}}},
};

enum err noise_init(struct noise *n, const struct noise_config *config)
{
    if ((unsigned)config->pattern >= NOISE_PATTERNS || (unsigned)config->hash > SYMMETRIC_SHA256) {
        return ERR_ARGUMENT;
    }
    const struct noise_pattern_table *table = &tables[config->pattern];
    bool wants_rs = table->known && config->initiator;
    if (table->name[config->hash] == NULL || wants_rs != (config->rs != NULL)) {
        return ERR_ARGUMENT;
    }
    memset(n, 0, sizeof *n);
    n->table = table;
    n->initiator = config->initiator;
    n->action = config->initiator ? NOISE_WRITE : NOISE_READ;
    n->s = *config->s;
    prim_dh_public(&n->s_pub, &n->s);
    n->e = config->ephemeral->dh;
    memcpy(n->kem_seed, config->ephemeral->kem, sizeof n->kem_seed);
    if (wants_rs) {
        n->rs = *config->rs;
    }
    symmetric_init(&n->symmetric, config->hash, table->name[config->hash]);
    symmetric_mix_hash(&n->symmetric, config->prologue);
    if (table->known) {
        const struct dh_pk *responder = config->initiator ? &n->rs : &n->s_pub;
        symmetric_mix_hash(&n->symmetric, slice_of(responder->b, sizeof responder->b));
    }
    return ERR_OK;
}

void noise_fini(struct noise *n)
{
    secret_wipe(n, sizeof *n);
    n->action = NOISE_DONE;
}

enum noise_action noise_action(const struct noise *n)
{
    return n->action;
}

/* Bytes that token puts on the wire, given whether a key is set before it. */
static size_t token_size(enum token token, bool has_key)
{
    size_t tag = has_key ? CIPHER_TAG : 0;
    switch (token) {
    case TOKEN_E:
        return PRIM_KEY;
    case TOKEN_S:
        return PRIM_KEY + tag;
    case TOKEN_E1:
        return NOISE_KEM_PUBLIC + tag;
    case TOKEN_EKEM1:
        return NOISE_KEM_CIPHERTEXT + tag;
    case TOKEN_EE:
    case TOKEN_ES:
    case TOKEN_SE:
    case TOKEN_SS:
    case TOKEN_END:
        break;
    }
    return 0;
}

size_t noise_message_size(const struct noise *n)
{
    if (n->action != NOISE_WRITE && n->action != NOISE_READ) {
        return 0;
    }
    bool has_key = n->symmetric.has_key;
    size_t size = 0;
    for (const uint8_t *t = n->table->tokens[n->message]; *t != TOKEN_END; t++) {
        size += token_size((enum token) * t, has_key);
        has_key = has_key || *t == TOKEN_EE || *t == TOKEN_ES || *t == TOKEN_SE || *t == TOKEN_SS;
    }
    return size + (has_key ? CIPHER_TAG : 0);
}

/* Tokens ee, es, se, ss: the first letter is the initiator's key. */
static enum err mix_dh(struct noise *n, enum token token)
{
    bool initiator_static = token == TOKEN_SE || token == TOKEN_SS;
    bool responder_static = token == TOKEN_ES || token == TOKEN_SS;
    bool our_static = n->initiator ? initiator_static : responder_static;
    bool their_static = n->initiator ? responder_static : initiator_static;
    uint8_t shared[32];
    enum err err = prim_dh(shared, our_static ? &n->s : &n->e, their_static ? &n->rs : &n->re);
    if (err == ERR_OK) {
        symmetric_mix_key(&n->symmetric, shared);
    }
    secret_wipe(shared, sizeof shared);
    return err;
}

static void write_e(struct noise *n, struct writer *out)
{
    struct dh_pk e;
    prim_dh_public(&e, &n->e);
    writer_bytes(out, e.b, sizeof e.b);
    symmetric_mix_hash(&n->symmetric, slice_of(e.b, sizeof e.b));
}

static enum err write_e1(struct noise *n, struct writer *out)
{
    uint8_t pk[NOISE_KEM_PUBLIC];
    if (crypto_kem_mlkem768_seed_keypair(pk, n->kem, n->kem_seed) != 0) {
        return ERR_HANDSHAKE;
    }
    symmetric_encrypt(&n->symmetric, slice_of(pk, sizeof pk), out);
    return ERR_OK;
}

static enum err write_ekem1(struct noise *n, struct writer *out)
{
    uint8_t ct[NOISE_KEM_CIPHERTEXT];
    uint8_t shared[32];
    /* Refuses a key that fails the modulus check of FIPS 203, section 7.2. */
    if (crypto_kem_mlkem768_enc_deterministic(ct, shared, n->kem, n->kem_seed) != 0) {
        return ERR_HANDSHAKE;
    }
    symmetric_encrypt(&n->symmetric, slice_of(ct, sizeof ct), out);
    symmetric_mix_key(&n->symmetric, shared);
    secret_wipe(shared, sizeof shared);
    return ERR_OK;
}

static enum err write_token(struct noise *n, enum token token, struct writer *out)
{
    switch (token) {
    case TOKEN_E:
        write_e(n, out);
        return ERR_OK;
    case TOKEN_S:
        symmetric_encrypt(&n->symmetric, slice_of(n->s_pub.b, sizeof n->s_pub.b), out);
        return ERR_OK;
    case TOKEN_E1:
        return write_e1(n, out);
    case TOKEN_EKEM1:
        return write_ekem1(n, out);
    case TOKEN_EE:
    case TOKEN_ES:
    case TOKEN_SE:
    case TOKEN_SS:
        return mix_dh(n, token);
    case TOKEN_END:
        break;
    }
    return ERR_BUG;
}

static enum err read_ekem1(struct noise *n, struct slice sealed)
{
    uint8_t ct[NOISE_KEM_CIPHERTEXT];
    uint8_t shared[32];
    enum err err = symmetric_decrypt(&n->symmetric, sealed, ct);
    if (err == ERR_OK && crypto_kem_mlkem768_dec(shared, ct, n->kem) != 0) {
        err = ERR_HANDSHAKE;
    }
    if (err == ERR_OK) {
        symmetric_mix_key(&n->symmetric, shared);
    }
    secret_wipe(shared, sizeof shared);
    return err;
}

/* Tokens s and e1: hidden on the wire, but public keys, and judged as such once they are ours. */
static enum err read_public(struct noise *n, struct slice sealed, uint8_t *out)
{
    enum err err = symmetric_decrypt(&n->symmetric, sealed, out);
    CT_PUBLIC(out, sealed.len - symmetric_overhead(&n->symmetric));
    return err;
}

static enum err read_token(struct noise *n, enum token token, struct reader *in)
{
    struct slice bytes = reader_bytes(in, token_size(token, n->symmetric.has_key));
    if (in->err != ERR_OK) {
        return ERR_HANDSHAKE;
    }
    switch (token) {
    case TOKEN_E:
        memcpy(n->re.b, bytes.p, sizeof n->re.b);
        symmetric_mix_hash(&n->symmetric, bytes);
        return ERR_OK;
    case TOKEN_S:
        return read_public(n, bytes, n->rs.b);
    case TOKEN_E1:
        return read_public(n, bytes, n->kem);
    case TOKEN_EKEM1:
        return read_ekem1(n, bytes);
    case TOKEN_EE:
    case TOKEN_ES:
    case TOKEN_SE:
    case TOKEN_SS:
        return mix_dh(n, token);
    case TOKEN_END:
        break;
    }
    return ERR_BUG;
}

static void advance(struct noise *n)
{
    n->message++;
    if (n->message == n->table->messages) {
        n->action = NOISE_SPLIT;
    } else {
        n->action = n->action == NOISE_WRITE ? NOISE_READ : NOISE_WRITE;
    }
}

/* Ends a step that failed: nothing is left of the handshake or of what was put out. */
static enum err fail(struct noise *n, enum err err, struct writer *out, size_t from)
{
    noise_fini(n);
    if (out->len > from) {
        secret_wipe(out->p + from, out->len - from);
        out->len = from;
    }
    return err == ERR_NOT_NOW || err == ERR_NO_SPACE || err == ERR_BUG ? err : ERR_HANDSHAKE;
}

enum err noise_write(struct noise *n, struct slice payload, struct writer *out)
{
    size_t from = out->len;
    if (n->action != NOISE_WRITE) {
        return fail(n, ERR_NOT_NOW, out, from);
    }
    for (const uint8_t *t = n->table->tokens[n->message]; *t != TOKEN_END; t++) {
        enum err err = write_token(n, (enum token) * t, out);
        if (err != ERR_OK) {
            return fail(n, err, out, from);
        }
    }
    symmetric_encrypt(&n->symmetric, payload, out);
    if (out->err != ERR_OK) {
        return fail(n, ERR_NO_SPACE, out, from);
    }
    advance(n);
    return ERR_OK;
}

enum err noise_read(struct noise *n, struct slice message, struct writer *payload)
{
    size_t from = payload->len;
    if (n->action != NOISE_READ) {
        return fail(n, ERR_NOT_NOW, payload, from);
    }
    struct reader in = reader_of(message);
    for (const uint8_t *t = n->table->tokens[n->message]; *t != TOKEN_END; t++) {
        enum err err = read_token(n, (enum token) * t, &in);
        if (err != ERR_OK) {
            return fail(n, err, payload, from);
        }
    }
    struct slice rest = reader_rest(&in);
    size_t overhead = symmetric_overhead(&n->symmetric);
    if (rest.len < overhead) {
        return fail(n, ERR_HANDSHAKE, payload, from);
    }
    uint8_t *out = writer_reserve(payload, rest.len - overhead);
    if (out == NULL) {
        return fail(n, ERR_NO_SPACE, payload, from);
    }
    enum err err = symmetric_decrypt(&n->symmetric, rest, out);
    if (err != ERR_OK) {
        return fail(n, err, payload, from);
    }
    advance(n);
    return ERR_OK;
}

enum err noise_split(struct noise *n, struct cipher *send, struct cipher *receive,
                     uint8_t hash[static NOISE_HASH], struct dh_pk *rs)
{
    if (n->action != NOISE_SPLIT) {
        noise_fini(n);
        return ERR_NOT_NOW;
    }
    symmetric_split(&n->symmetric, n->initiator ? send : receive, n->initiator ? receive : send);
    memcpy(hash, n->symmetric.h, NOISE_HASH);
    *rs = n->rs;
    noise_fini(n);
    return ERR_OK;
}
