/* SPDX-License-Identifier: Apache-2.0
 *
 * talk: a conversation at random that is written down: what each side sealed and opened in which
 * order, copies of all that one side had, and a thief who follows it with such a copy.
 *
 * Chains are numbered in the order of the ratchet steps that begin them, of both sides together:
 * the initiator's are odd, from 1. Step k makes its root from root k - 1 and the two newest ratchet
 * keys.
 */
#ifndef PETREL_TESTS_ATTACK_TALK_H
#define PETREL_TESTS_ATTACK_TALK_H

#include "lib/forge.h"
#include "pair/session_state.h"

enum {
    TALK_EVENTS = 700, /* at most */
    TALK_COPIES = 150, /* at most */
};

struct talk_letter {
    struct slice bytes; /* in the sender's arena */
    bool by_victim;
    uint32_t chain;
    uint32_t kem;   /* epoch of its chain's root */
    size_t sealed;  /* event */
    size_t opened;  /* event; SIZE_MAX: not yet */
    size_t content; /* contents that the victim had sealed and opened */
};

/* Something that the victim, or the other side, did. */
struct talk_event {
    struct talk_letter *letter;
    bool seal;
    bool by_victim;
};

struct talk_key {
    struct dh_sk secret;
    struct dh_pk public;
};

/* All that the victim had before an event. */
struct talk_copy {
    size_t at; /* event */
    struct session *state;
    struct talk_key key; /* the ratchet key in it */
    uint32_t root;       /* number of the newest root in it */
    uint32_t kem;        /* epoch of that root */
    bool exchanged;      /* a KEM exchange was under way in it */
    size_t content;
};

struct talk {
    struct pair_party a;
    struct pair_party b;
    struct pair_party thief;
    struct pair_party *victim; /* a or b */
    struct talk_letter letters[TALK_EVENTS];
    size_t letter_count;
    struct talk_event events[TALK_EVENTS];
    size_t event_count;
    struct talk_copy copies[TALK_COPIES];
    size_t copy_count;
    struct talk_key keys[TALK_EVENTS]; /* every ratchet key that the victim ever had */
    size_t key_count;
    size_t content; /* that the victim sealed and opened */
};

/* A session that is established on both sides; the victim is a if victim_a. */
struct talk *talk_new(uint64_t seed, bool victim_a);
void talk_free(struct talk *t);
/* A number below n, from the seed. */
uint32_t talk_random(struct talk *t, uint32_t n);

/* One thing happens: somebody seals, or opens one of the letters that are under way, mostly the
 * oldest; some stay there. */
void talk_any(struct talk *t);
void talk_seal(struct talk *t, bool victim);
void talk_open(struct talk *t, struct talk_letter *l);
/* The thief takes a copy now. */
void talk_copy(struct talk *t);

/* Goes through all that happened after the copy, as the victim would, and tells each letter that
 * opens; a secret that is not among the keys is guessed. opened: for each letter, whether it did.
 */
void talk_follow(struct talk *t, const struct talk_copy *copy, const struct talk_key *keys,
                 size_t key_count, bool *opened);
/* Tries every key that is in the copy, and the next few of its chains, on a letter. */
bool talk_try(struct talk *t, const struct talk_copy *copy, const struct talk_letter *l);
/* Its keys were used up on the victim's side when the copy was taken. */
bool talk_used(const struct talk_copy *copy, const struct talk_letter *l);

#endif
