/* SPDX-License-Identifier: Apache-2.0
 *
 * sequence: the numbering of content in a session, per direction: boot_id, seq, prev_hash,
 * acknowledgements; shows gaps, duplicates and rollback. Protocol section 5;
 * docs/protocol/05-session.md, section 9.
 */
#ifndef PETREL_PAIR_SEQUENCE_H
#define PETREL_PAIR_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "pair/ack.h"
#include "pair/body.h"

enum {
    SEQUENCE_HASHES = 16, /* content hashes that are remembered, the newest */
};

/* The hash of content seq: our own of what came, or as its successor's prev_hash promised it. */
struct sequence_hash {
    uint64_t seq; /* 0: empty */
    bool came;
    uint8_t hash[BODY_HASH];
};

struct sequence {
    /* ours */
    uint8_t boot_id[BODY_BOOT_ID];
    uint64_t seq;                 /* of the last content sealed; 0: none yet */
    uint8_t last_hash[BODY_HASH]; /* its hash */
    struct ack_set acked;         /* what the other side has, or was forgotten */
    uint64_t told_cum;            /* highest cum that an acknowledgement said */
    /* theirs */
    bool met; /* their boot_id is known */
    uint8_t other_boot_id[BODY_BOOT_ID];
    struct ack_set have;
    bool owes_ack;
    bool forked; /* they went back: what they have under our numbers of theirs is not known */
    struct sequence_hash hashes[SEQUENCE_HASHES]; /* place seq % SEQUENCE_HASHES */
};

/* What an opened body means. */
struct sequence_news {
    bool duplicate;
    bool gap;
    bool reset;  /* the other side was restored or rolled back */
    bool behind; /* we were */
    /* The highest of ours that they have, and the hash of what they have under that number. */
    bool has_acked;
    uint64_t acked_seq;
    uint8_t acked_hash[BODY_HASH];
};

/* Draws the boot_id. */
void sequence_init(struct sequence *q, const struct env *env);
/* Whether one more content may be sealed. */
bool sequence_may_send(const struct sequence *q);
/* Fills boot_id, acknowledgement and settled of a body, and seq and prev_hash unless its content is
 * empty. Moves nothing. */
void sequence_fill(const struct sequence *q, struct body *body);
/* The filled body was sealed. */
void sequence_sent(struct sequence *q, const struct body *body);
/* Takes in an opened body. ERR_TOO_FAR_AHEAD, and q is undefined then: call it on a copy. */
enum err sequence_take(struct sequence *q, const struct body *body,
                       struct sequence_news *news) PETREL_MUST_USE;

void sequence_save(const struct sequence *q, struct writer *w);
/* At most SEQUENCE_SAVED_MAX bytes. */
enum {
    SEQUENCE_SAVED_MAX = 1 + 8 + 8 + 16 + 2 * (8 + 2 + LIMIT_ACK_BITMAP) + 8 + 8 + 1 +
                         SEQUENCE_HASHES * (8 + 1 + BODY_HASH),
};
/* Latches ERR_CORRUPT. */
void sequence_load(struct sequence *q, struct reader *r);

#endif
