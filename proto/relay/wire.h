/* SPDX-License-Identifier: Apache-2.0
 *
 * wire: what all requests to a relay and all its replies share: kinds, signed bodies, admission,
 * the head of a reply. docs/protocol/04-relay.md, sections 2 and 3.
 *
 * Codecs only. Slices that a read function gives borrow the bytes that it read.
 */
#ifndef PETREL_RELAY_WIRE_H
#define PETREL_RELAY_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/pack.h"
#include "crypto/prim.h"
#include "relay/token.h"

/* The frame kinds that a relay answers; the same numbers as FRAME_* in link/frame.h. */
enum relay_kind {
    RELAY_MEMBER_JOIN = 16,
    RELAY_QUEUE_REGISTER = 17,
    RELAY_QUEUE_ATTACH = 18,
    RELAY_QUEUE_DEPOSIT = 19,
    RELAY_QUEUE_PUSH = 20, /* relay to owner */
    RELAY_QUEUE_ACK = 21,
    RELAY_RECORD_PUT = 22,
    RELAY_RECORD_GET = 23,
    RELAY_RECORD_POP = 24,
    RELAY_RECORD_STATUS = 25,
    RELAY_DESCRIPTOR_PUT = 26,
    RELAY_DESCRIPTOR_GET = 27,
    RELAY_CARD = 28,
    RELAY_SEALED = 29,
    RELAY_QUEUE_VOID = 31, /* 30, forward, is the node's */
    RELAY_MEMBER_LEAVE = 32,
};

enum {
    RELAY_HASH = 64,       /* Noise handshake hash: what a signature is bound to */
    RELAY_FIELDS = 16,     /* pairs of a map at most, unknown ones included */
    RELAY_RECEIPT = 1024,  /* longest receipt in a reply, encoded */
    RELAY_CODE = 32,       /* a single-use join code */
    RELAY_POP_NONCE = 16,  /* names one pop */
    RELAY_RETRY_MS = 60000 /* what a relay suggests when it is full */
};

/* --- Reading a map that is all of its bytes, as every request, signed body and reply is:
 *     struct relay_fields f;
 *     relay_fields_begin(&f, bytes);
 *     while (relay_fields_next(&f)) {
 *         if (f.map.key == 0) {
 *             x = pack_read_uint(&f.r, MAX);
 *         }
 *     }
 *     enum err err = relay_fields_end(&f, 0x01);
 * A field whose value the loop leaves unread is skipped. --- */
struct relay_fields {
    struct reader r;
    struct pack_fields map; /* points to r: never copy the whole */
    size_t value;           /* where in r the value of the field at hand begins */
};

void relay_fields_begin(struct relay_fields *f, struct slice bytes);
bool relay_fields_next(struct relay_fields *f);
/* The first failure; ERR_MALFORMED unless every key of mask (bit k: key k) came and no byte is
 * left. */
enum err relay_fields_end(struct relay_fields *f, uint64_t mask) PETREL_MUST_USE;

/* --- The head of every reply: {0: code, 1: retry_after_ms, ...}. Fields of a request's own reply
 * begin with key 2 and are there only when the code says so. --- */
struct relay_reply {
    enum err err;            /* ERR_OK, or why the request was refused */
    uint32_t retry_after_ms; /* 0: not said */
};

/* A reply that is nothing but its head: acknowledgement, descriptor put, every refusal. */
void relay_reply_write(struct writer *w, const struct relay_reply *reply);
/* A code that is not in the table, or is LOCAL or CALLER there, reads as ERR_PROTOCOL.
 * ERR_MALFORMED, ERR_TOO_LARGE. */
enum err relay_reply_read(struct slice bytes, struct relay_reply *reply) PETREL_MUST_USE;

/* For the codecs of own replies. Writes the map's head; true when the reply is good, and then
 * exactly `fields` own pairs must follow. */
bool relay_reply_write_head(struct writer *w, const struct relay_reply *head, uint32_t fields);
/* The refusal ERR_STAMP_TOO_CHEAP with the one pair that it has, 2: the price in bits. */
void relay_reply_write_price(struct writer *w, const struct relay_reply *head, uint8_t stamp_bits);
/* relay_fields_next that reads the head's fields itself and stops at all others. */
bool relay_reply_next(struct relay_fields *f, struct relay_reply *head);
/* relay_fields_end: mask is what a good reply requires; a refusal requires its code only. */
enum err relay_reply_end(struct relay_fields *f, const struct relay_reply *head,
                         uint64_t mask) PETREL_MUST_USE;

/* --- Signed requests: {0: key, 1: signature, 2: member key, 3: its signature, 4: bin(body)}, the
 * middle two only where the request has a second signer. Each signature covers label | 0x00 |
 * handshake hash 64 | key | member key, if any | body. --- */
struct relay_signed {
    struct sign_pk key;
    struct sign_pk member; /* when two */
    bool two;
    uint8_t sig[PRIM_SIGNATURE];
    uint8_t member_sig[PRIM_SIGNATURE];
    struct slice body; /* not yet looked into; may be empty */
};

/* Signs body with key and, unless NULL, with member, and writes the map. Scratch lies in arena.
 * ERR_NO_MEMORY, ERR_TOO_LARGE. Room shows in the writer's sticky error. */
enum err relay_signed_write(struct writer *w, struct arena *arena,
                            const uint8_t hash[static RELAY_HASH], const char *label,
                            struct slice body, const struct sign_sk *key,
                            const struct sign_sk *member) PETREL_MUST_USE;

/* What signs for an object: this key, or its blinded one of that period. */
struct relay_signer {
    const struct sign_sk *sk;
    bool blinded;
    uint64_t period;
};

/* The same for either kind of key; also ERR_BAD_KEY. */
enum err relay_signed_write_by(struct writer *w, struct arena *arena,
                               const uint8_t hash[static RELAY_HASH], const char *label,
                               struct slice body, const struct relay_signer *signer,
                               const struct sign_sk *member) PETREL_MUST_USE;
/* Form only. two: whether there must be a second signer. */
enum err relay_signed_read(struct slice bytes, bool two, struct relay_signed *out) PETREL_MUST_USE;
/* ERR_BAD_SIGNATURE, ERR_BAD_KEY, ERR_NO_MEMORY. */
enum err relay_signed_verify(const struct relay_signed *s, struct arena *arena, const char *label,
                             const uint8_t hash[static RELAY_HASH]) PETREL_MUST_USE;

/* Reads and verifies at once. */
enum err relay_signed_open(struct slice bytes, bool two, struct arena *arena, const char *label,
                           const uint8_t hash[static RELAY_HASH],
                           struct relay_signed *out) PETREL_MUST_USE;
/* The same for a request of one signer whose body is empty: it is all in the key. */
enum err relay_signed_open_key(struct slice bytes, struct arena *arena, const char *label,
                               const uint8_t hash[static RELAY_HASH],
                               struct sign_pk *key) PETREL_MUST_USE;

/* --- Unsigned requests that only name a public key: {0: key}. --- */
void relay_key_write(struct writer *w, const struct sign_pk *key);
enum err relay_key_read(struct slice bytes, struct sign_pk *key) PETREL_MUST_USE;

/* --- Admission of a deposit or pop: field 1 is a token, or field 2 a stamp [minute, nonce]. --- */
struct relay_admission {
    bool stamp;            /* else a token */
    struct token token;    /* !stamp */
    uint32_t stamp_minute; /* stamp: Unix time / 60 s */
    uint64_t stamp_nonce;  /* stamp */
};

/* Writes one pair. */
void relay_admission_write(struct writer *w, const struct relay_admission *a);
/* relay_fields_next that reads fields 1 and 2 itself and stops at all others. */
bool relay_admission_next(struct relay_fields *f, struct relay_admission *a);
/* relay_fields_end; ERR_MALFORMED also unless exactly one of the two came. */
enum err relay_admission_end(struct relay_fields *f, uint64_t mask) PETREL_MUST_USE;

#endif
