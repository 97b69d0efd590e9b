/* SPDX-License-Identifier: Apache-2.0
 *
 * envelope: the bytes of both kinds of envelope, and the introduction that a first one carries.
 * Protocol section 4; docs/protocol/05-session.md, section 4. Knows the layout, no session.
 */
#ifndef PETREL_PAIR_ENVELOPE_H
#define PETREL_PAIR_ENVELOPE_H

#include <stdint.h>

#include "base/arena.h"
#include "pair/header.h"
#include "pair/pair.h"
#include "pair/pqxdh.h"

enum {
    ENVELOPE_FIRST_FIXED = 1 + 4 + 4 + 32 + SESSION_KEM_CT + 2, /* kind 2 up to the introduction */
    ENVELOPE_FIRST_CLASS = 1,                                   /* its smallest class: 4 KiB */
    ENVELOPE_INTRO = 1 + 35 + 4 + LIMIT_DEVICE_LIST + 2 + 19,   /* its map, at most */
    ENVELOPE_PREFIX = ENVELOPE_FIRST_FIXED + ENVELOPE_INTRO + PRIM_AEAD_TAG, /* at most */
    ENVELOPE_TAIL = PRIM_AEAD_NONCE + HEADER_SEALED + PRIM_AEAD_TAG, /* without the body's bytes */
};

/* Where the parts of an envelope lie; borrowed. */
struct envelope {
    uint8_t kind;
    /* kind 2: */
    struct session_first first;
    const uint8_t *kem_ct; /* SESSION_KEM_CT bytes */
    struct slice before;   /* AD of the introduction: all bytes before it */
    struct slice intro;    /* sealed */
    /* both: */
    const uint8_t *nonce;  /* PRIM_AEAD_NONCE bytes */
    const uint8_t *header; /* HEADER_SEALED bytes */
    struct slice head;     /* AD of the body, after T: all bytes before it */
    struct slice body;     /* sealed */
};

/* Form only. ERR_MALFORMED. */
enum err envelope_parse(struct slice bytes, struct envelope *e) PETREL_MUST_USE;

/* What an introduction says. */
struct envelope_intro {
    struct sign_pk id;
    struct slice device_list; /* at most LIMIT_DEVICE_LIST bytes */
    uint8_t device;
    const uint8_t *invite; /* INVITE_SECRET bytes or NULL */
};

/* Writes a kind-2 envelope's bytes before its tail (at most ENVELOPE_PREFIX) and seals the
 * introduction in them; gives their number. */
size_t envelope_first_write(uint8_t *out, const struct pqxdh_shared *shared,
                            const struct pqxdh_message *message, const struct pair_bundle *bundle,
                            const struct envelope_intro *intro);
/* Opens the introduction of a parsed kind-2 envelope. ERR_DECRYPT, ERR_MALFORMED, ERR_NO_MEMORY. */
enum err envelope_intro_open(const struct envelope *e, const struct pqxdh_shared *shared,
                             struct arena *arena, struct session_intro *intro) PETREL_MUST_USE;

#endif
