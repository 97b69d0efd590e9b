/* SPDX-License-Identifier: Apache-2.0
 *
 * record: the requests of a small signed value with one-time parts that are popped: a key bundle.
 * docs/protocol/04-relay.md, section 7. Codec, both ends, and how readers and owner seal what is
 * in it; what a relay does is relay/host_record.h.
 *
 * A record's name is a random Ed25519 public key. The relay cannot open body or parts: they are
 * sealed under a key that whoever has the identity and the record key can make.
 */
#ifndef PETREL_RELAY_RECORD_H
#define PETREL_RELAY_RECORD_H

#include "base/env.h"
#include "relay/wire.h"

#define RECORD_PUT_LABEL    "petrel/1 record put"
#define RECORD_STATUS_LABEL "petrel/1 record status"

enum {
    RECORD_OVERHEAD = PRIM_AEAD_NONCE + PRIM_AEAD_TAG, /* sealed: nonce 24 | ciphertext + 16 */
};

/* --- Sealing. key = BLAKE2b-256("petrel/1 record" | ID | record key); AD = "body", or "part" | id
 * u32 for a one-time part. --- */
enum {
    RECORD_BODY_ID = 0, /* stands for the body; ids of parts begin with 1 */
};
void record_key(struct aead_key *out, const struct sign_pk *id, const struct sign_pk *record);
/* out has room for plain.len + RECORD_OVERHEAD. part: RECORD_BODY_ID or the part's id. */
void record_seal(uint8_t *out, const struct aead_key *key, const struct env *env, uint32_t part,
                 struct slice plain);
/* out has room for sealed.len - RECORD_OVERHEAD; *len is that. ERR_DECRYPT: out is wiped. */
enum err record_open(uint8_t *out, size_t *len, const struct aead_key *key, uint32_t part,
                     struct slice sealed) PETREL_MUST_USE;

/* --- Put: signed by the record's key and by a member's. Idempotent: a retry changes nothing. ---
 */
struct record_part {
    uint32_t id; /* from 1; never used again in this record */
    struct slice sealed;
};
struct record_put {
    struct sign_pk record; /* filled by read; write takes both from the secret keys */
    struct sign_pk member; /* likewise */
    uint64_t seq;          /* must ascend when body or token key change */
    struct token_key k;    /* what the relay checks pop tokens with */
    bool has_body;         /* false: the body stays; seq and k are those of before */
    struct slice body;     /* sealed, at most LIMIT_RECORD_BODY */
    uint32_t drop_below;   /* parts with a smaller id are deleted; 0: none */
    size_t nparts;         /* at most LIMIT_ONE_TIME_REFILL */
    struct record_part parts[LIMIT_ONE_TIME_REFILL]; /* ids ascend; one that the record has had
                                                        before is ignored */
};
/* ERR_STALE (a smaller seq, or the same with another body), ERR_QUOTA (records of this member, or
 * more than LIMIT_ONE_TIME_PARTS parts), ERR_NOT_FOUND (no body and no record yet), ERR_REFUSED
 * (no member, or another's record), ERR_BAD_SIGNATURE, ERR_BACKPRESSURE. */
struct record_put_reply {
    struct relay_reply head;
    uint16_t parts_left;
};
enum err record_put_write(struct writer *w, struct arena *arena,
                          const uint8_t hash[static RELAY_HASH], const struct record_put *put,
                          const struct sign_sk *record,
                          const struct sign_sk *member) PETREL_MUST_USE;
enum err record_put_read(struct slice bytes, struct arena *arena,
                         const uint8_t hash[static RELAY_HASH],
                         struct record_put *put) PETREL_MUST_USE;
enum err record_put_body_read(struct slice body, struct record_put *put) PETREL_MUST_USE;
void record_put_reply_write(struct writer *w, const struct record_put_reply *reply);
enum err record_put_reply_read(struct slice bytes, struct record_put_reply *reply) PETREL_MUST_USE;

/* --- Get: anyone; the body alone. ERR_NOT_FOUND. --- */
struct record_get {
    struct sign_pk record;
};
struct record_get_reply {
    struct relay_reply head;
    uint64_t seq;
    struct slice body; /* sealed */
};
void record_get_write(struct writer *w, const struct record_get *get);
enum err record_get_read(struct slice bytes, struct record_get *get) PETREL_MUST_USE;
void record_get_reply_write(struct writer *w, const struct record_get_reply *reply);
enum err record_get_reply_read(struct slice bytes, struct record_get_reply *reply) PETREL_MUST_USE;

/* --- Pop: anyone with a token or stamp; body and one part, which nobody else gets. The same pop
 * nonce gets the same part for 24 hours. --- */
struct record_pop {
    struct sign_pk record;
    struct relay_admission admission; /* a stamp's payload: BLAKE2b-256 of the pop nonce */
    uint8_t pop_nonce[RELAY_POP_NONCE];
};
/* ERR_BAD_TOKEN (also: no such record), ERR_TOKEN_SPENT, ERR_STAMP_TOO_CHEAP, ERR_STAMP_STALE,
 * ERR_BACKPRESSURE. */
struct record_pop_reply {
    struct relay_reply head;
    uint8_t stamp_bits; /* with ERR_STAMP_TOO_CHEAP: the price; else 0 */
    uint64_t seq;
    struct slice body; /* sealed */
    bool has_part;     /* false: none left, use the last resort in the body */
    struct record_part part;
};
void record_pop_write(struct writer *w, const struct record_pop *pop);
enum err record_pop_read(struct slice bytes, struct record_pop *pop) PETREL_MUST_USE;
void record_pop_reply_write(struct writer *w, const struct record_pop_reply *reply);
enum err record_pop_reply_read(struct slice bytes, struct record_pop_reply *reply) PETREL_MUST_USE;

/* --- Status: the owner asks, signed by the record's key. ERR_NOT_FOUND, ERR_BAD_SIGNATURE. --- */
struct record_status {
    struct sign_pk record; /* filled by read */
};
struct record_status_reply {
    struct relay_reply head;
    uint64_t seq;
    uint16_t parts_left;
    uint32_t last_part; /* highest id that was ever added; 0: none */
};
enum err record_status_write(struct writer *w, struct arena *arena,
                             const uint8_t hash[static RELAY_HASH],
                             const struct sign_sk *record) PETREL_MUST_USE;
enum err record_status_read(struct slice bytes, struct arena *arena,
                            const uint8_t hash[static RELAY_HASH],
                            struct record_status *status) PETREL_MUST_USE;
void record_status_reply_write(struct writer *w, const struct record_status_reply *reply);
enum err record_status_reply_read(struct slice bytes,
                                  struct record_status_reply *reply) PETREL_MUST_USE;

#endif
