/* SPDX-License-Identifier: Apache-2.0 */
#include "node/cards.h"

#include <stdlib.h>
#include <string.h>

enum {
    CARDS_MAX = 128,
};

struct cards_entry {
    struct cards_entry *next;
    struct sign_pk relay;
    struct card card;
    bool doubted;
    uint64_t fetched_ms;
    uint8_t bytes[CARD_MAX]; /* as it was signed */
    size_t len;
};

/* The link to the relay's entry, or to the end. */
static struct cards_entry **place_of(struct cards *cards, const struct sign_pk *relay)
{
    struct cards_entry **at = &cards->first;
    while (*at != NULL && memcmp((*at)->relay.b, relay->b, sizeof relay->b) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void take_out(struct cards *cards, struct cards_entry **at)
{
    struct cards_entry *entry = *at;
    *at = entry->next;
    free(entry);
    cards->count--;
}

void cards_fini(struct cards *cards)
{
    while (cards->first != NULL) {
        take_out(cards, &cards->first);
    }
}

/* The relay's entry, moved to the front; NULL: none, or its time is over. */
static struct cards_entry *find(struct cards *cards, const struct sign_pk *relay, uint64_t now_ms)
{
    struct cards_entry **at = place_of(cards, relay);
    struct cards_entry *entry = *at;
    if (entry == NULL) {
        return NULL;
    }
    if (entry->card.until_ms <= now_ms) {
        take_out(cards, at);
        return NULL;
    }
    *at = entry->next;
    entry->next = cards->first;
    cards->first = entry;
    return entry;
}

const struct card *cards_find(struct cards *cards, const struct sign_pk *relay, uint64_t now_ms)
{
    const struct cards_entry *entry = find(cards, relay, now_ms);
    return entry == NULL || entry->doubted ? NULL : &entry->card;
}

struct slice cards_fresh(struct cards *cards, const struct sign_pk *relay, uint64_t now_ms)
{
    const struct cards_entry *entry = find(cards, relay, now_ms);
    bool fresh = entry != NULL && now_ms - entry->fetched_ms < LIMIT_CARD_FRESH_MS;
    return fresh ? slice_of(entry->bytes, entry->len) : slice_of(NULL, 0);
}

/* A place for the relay's card at the front. NULL: out of memory. */
static struct cards_entry *make(struct cards *cards, const struct sign_pk *relay)
{
    struct cards_entry *entry = malloc(sizeof *entry);
    if (entry == NULL) {
        return NULL;
    }
    if (cards->count == CARDS_MAX) {
        struct cards_entry **last = &cards->first;
        while ((*last)->next != NULL) {
            last = &(*last)->next;
        }
        take_out(cards, last);
    }
    *entry = (struct cards_entry){.next = cards->first, .relay = *relay};
    cards->first = entry;
    cards->count++;
    return entry;
}

enum err cards_put(struct cards *cards, const struct sign_pk *relay, struct slice bytes,
                   uint64_t now_ms)
{
    struct card card;
    enum err err = card_open(bytes, relay, now_ms, &card);
    if (err != ERR_OK) {
        return err;
    }
    struct cards_entry *entry = find(cards, relay, now_ms);
    if (entry != NULL && card.created_ms < entry->card.created_ms) {
        return ERR_STALE;
    }
    if (entry == NULL) {
        entry = make(cards, relay);
    }
    if (entry == NULL) {
        return ERR_NO_MEMORY;
    }
    entry->card = card;
    entry->doubted = false;
    entry->fetched_ms = now_ms;
    entry->len = bytes.len; /* at most CARD_MAX: card_open has looked */
    memcpy(entry->bytes, bytes.p, bytes.len);
    return ERR_OK;
}

void cards_doubt(struct cards *cards, const struct sign_pk *relay)
{
    struct cards_entry *entry = *place_of(cards, relay);
    if (entry != NULL) {
        entry->doubted = true;
    }
}
