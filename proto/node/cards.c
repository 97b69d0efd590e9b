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

const struct card *cards_find(struct cards *cards, const struct sign_pk *relay, uint64_t now_ms)
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
    return &entry->card;
}

enum err cards_put(struct cards *cards, const struct sign_pk *relay, const struct card *card)
{
    struct cards_entry *entry = malloc(sizeof *entry);
    if (entry == NULL) {
        return ERR_NO_MEMORY;
    }
    cards_drop(cards, relay);
    if (cards->count == CARDS_MAX) {
        struct cards_entry **last = &cards->first;
        while ((*last)->next != NULL) {
            last = &(*last)->next;
        }
        take_out(cards, last);
    }
    *entry = (struct cards_entry){.next = cards->first, .relay = *relay, .card = *card};
    cards->first = entry;
    cards->count++;
    return ERR_OK;
}

void cards_drop(struct cards *cards, const struct sign_pk *relay)
{
    struct cards_entry **at = place_of(cards, relay);
    if (*at != NULL) {
        take_out(cards, at);
    }
}
