/* SPDX-License-Identifier: Apache-2.0
 *
 * skipped: message keys of envelopes that have not come yet, and the header keys of past chains.
 * Protocol section 5 (limits); docs/protocol/05-session.md, section 7.
 *
 * Keys are grouped by chain, so that an envelope costs one trial for each header key, not for each
 * message key. Bounded by number (LIMIT_SKIPPED_KEYS, the oldest go first), by chains
 * (LIMIT_SKIPPED_CHAINS) and by age (LIMIT_SKIPPED_DAYS). Owns its keys and wipes them.
 */
#ifndef PETREL_PAIR_SKIPPED_H
#define PETREL_PAIR_SKIPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "crypto/prim.h"

enum {
    SKIPPED_KEY = 44,         /* bytes of one key, saved */
    SKIPPED_CHAIN = 40,       /* bytes of one chain, saved */
    SKIPPED_EMPTY_CHAINS = 2, /* newest past chains that are kept without keys: replays show */
};

/* A receiving chain that the other side left with its last ratchet step. */
struct skipped_chain {
    uint32_t serial; /* number of the ratchet step that began it, ascending */
    uint32_t end;    /* every n below was received or skipped */
    struct aead_key header;
};

struct skipped_key {
    uint32_t chain; /* serial, of a past chain or of the present one */
    uint32_t n;
    uint32_t hour; /* Unix hours when it was skipped */
    uint8_t key[32];
};

struct skipped {
    struct skipped_chain chains[LIMIT_SKIPPED_CHAINS]; /* oldest first */
    size_t chain_count;
    struct skipped_key *keys; /* owned, oldest first; NULL when none were ever stored */
    size_t count;
    size_t cap;
};

void skipped_init(struct skipped *s);
/* Wipes and frees. */
void skipped_fini(struct skipped *s);
/* Makes room for n more keys, so that skipped_add cannot fail. ERR_NO_MEMORY; nothing changes. */
enum err skipped_reserve(struct skipped *s, size_t n) PETREL_MUST_USE;

/* The key of message n in this chain, unless it is as old as LIMIT_SKIPPED_DAYS; NULL when there is
 * none. */
const struct skipped_key *skipped_find(const struct skipped *s, uint32_t chain, uint32_t n,
                                       uint64_t now_ms);
/* Adds keys behind the others (room was reserved), dropping the oldest above LIMIT_SKIPPED_KEYS. */
void skipped_add(struct skipped *s, const struct skipped_key *keys, size_t n);
/* Wipes and removes one key that skipped_find gave; by its place, as adding may move it. */
void skipped_remove(struct skipped *s, uint32_t chain, uint32_t n);
/* The present chain has become a past one. Above LIMIT_SKIPPED_CHAINS the oldest goes, with its
 * keys; so do older chains without keys. */
void skipped_close_chain(struct skipped *s, const struct skipped_chain *chain);
/* Drops keys of LIMIT_SKIPPED_DAYS and more; whether there were any. */
bool skipped_expire(struct skipped *s, uint64_t now_ms);

/* Unix hours, as stored with a key. */
uint32_t skipped_hour(uint64_t now_ms);

size_t skipped_saved_size(const struct skipped *s);
void skipped_save(const struct skipped *s, struct writer *w);
/* Into an empty s. present: serial of the present chain, which is the newest. Latches ERR_CORRUPT
 * in r, or gives ERR_NO_MEMORY. */
enum err skipped_load(struct skipped *s, struct reader *r, uint32_t present) PETREL_MUST_USE;

#endif
