/* SPDX-License-Identifier: Apache-2.0
 *
 * sealed: a request that only the relay which it is for can open, so that a forwarder may carry it
 * without learning what it asks, and its sealed reply. docs/protocol/04-relay.md, section 4.9.2.
 *
 * HPKE base mode (RFC 9180) with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305; the framing and the
 * reply are those of Oblivious HTTP (RFC 9458, sections 4.3 and 4.4) under labels of our own.
 * Plaintexts are padded to a few sizes. Draws no randomness by itself.
 */
#ifndef PETREL_RELAY_SEALED_H
#define PETREL_RELAY_SEALED_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"
#include "base/limits.h"
#include "crypto/hpke.h"
#include "relay/wire.h"

enum {
    SEALED_PUBLIC_KEY = 1216, /* X-Wing */
    SEALED_HEADER = 7,        /* key id u8 | KEM u16 | KDF u16 | AEAD u16 */
    SEALED_ENC = 1120,        /* X-Wing */
    SEALED_INNER = 3,         /* kind u8 | length of the body u16 */
    SEALED_REQUEST_OVERHEAD = SEALED_HEADER + SEALED_ENC + HPKE_TAG,
    SEALED_SLACK = 128, /* a padded request is an envelope class and this */
    SEALED_REQUEST_MAX = SEALED_REQUEST_OVERHEAD + LIMIT_ENVELOPE + SEALED_SLACK,
    SEALED_REPLY_NONCE = 32,
    SEALED_REPLY_OVERHEAD = SEALED_REPLY_NONCE + HPKE_TAG,
    SEALED_REPLY_SMALL = 1152,  /* padded reply to a deposit */
    SEALED_REPLY_LARGE = 12288, /* padded reply to anything else: room for a key bundle */
    SEALED_REPLY_MAX = SEALED_REPLY_OVERHEAD + SEALED_REPLY_LARGE,
};

/* What either side keeps to seal or open the one reply. Secret: wipe after use. */
struct sealed_reply_key {
    uint8_t secret[32]; /* exported from the request's HPKE context */
    uint8_t enc[SEALED_ENC];
};

/* The asker's side. relay: node ID that the card is of; key_id and pk: from the card. The inner
 * request is (kind, body). sealed: in arena. ERR_BAD_KEY: the KEM refuses pk; ERR_TOO_LARGE: body
 * is too long for a request; ERR_NO_MEMORY. */
enum err sealed_request_seal(struct arena *arena, const struct env *env,
                             const struct sign_pk *relay, uint8_t key_id,
                             const uint8_t pk[static SEALED_PUBLIC_KEY], uint8_t kind,
                             struct slice body, struct slice *sealed,
                             struct sealed_reply_key *reply) PETREL_MUST_USE;
/* The asker's side. body: in arena. ERR_DECRYPT: changed, or the reply to another request;
 * ERR_MALFORMED; ERR_NO_MEMORY. */
enum err sealed_reply_open(struct arena *arena, const struct sealed_reply_key *key,
                           struct slice sealed, struct slice *body) PETREL_MUST_USE;

/* The relay's side: which of its keys a request was sealed to. ERR_MALFORMED: no sealed request, or
 * another suite. */
enum err sealed_request_key_id(struct slice sealed, uint8_t *key_id) PETREL_MUST_USE;
/* sk: of the key with that id. body: in arena. ERR_DECRYPT, ERR_MALFORMED, ERR_NO_MEMORY. */
enum err sealed_request_open(struct arena *arena, const struct sign_pk *relay,
                             const uint8_t sk[static HPKE_SECRET_KEY], struct slice sealed,
                             uint8_t *kind, struct slice *body,
                             struct sealed_reply_key *reply) PETREL_MUST_USE;
/* Pads and seals the one reply to a request of this kind; once for each key. The size depends on
 * the kind alone. sealed: in arena. ERR_TOO_LARGE: the body is longer than any reply;
 * ERR_NO_MEMORY. */
enum err sealed_reply_seal(struct arena *arena, const struct env *env,
                           const struct sealed_reply_key *key, uint8_t kind, struct slice body,
                           struct slice *sealed) PETREL_MUST_USE;

/* --- Frames: request {0: sealed}; reply key 2: the sealed reply. ERR_EXPIRED: the relay has no key
 * with that id any more, a newer card names another; ERR_DECRYPT. --- */
struct sealed_reply {
    struct relay_reply head;
    struct slice sealed; /* with ERR_OK */
};
void sealed_request_write(struct writer *w, struct slice sealed);
/* Form of the map only. */
enum err sealed_request_read(struct slice bytes, struct slice *sealed) PETREL_MUST_USE;
void sealed_reply_write(struct writer *w, const struct sealed_reply *reply);
enum err sealed_reply_read(struct slice bytes, struct sealed_reply *reply) PETREL_MUST_USE;

#endif
