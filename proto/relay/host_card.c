/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_card.h"

#include <string.h>

#include "base/secret.h"
#include "crypto/xwing.h"
#include "relay/card.h"
#include "relay/host_limits.h"

enum {
    KEY_ROW = 1 + HPKE_SECRET_KEY + 8, /* id | seed | created */
};

#define KEY_LIFE_MS  (LIMIT_CARD_DAYS * LIMIT_DAY_MS + LIMIT_CARD_SKEW_MS)
#define KEY_TABLE_ID "relay.card"

static struct slice row_key(void)
{
    return slice_of(KEY_TABLE_ID, sizeof KEY_TABLE_ID - 1);
}

static enum err keys_put(struct relay_host *host, struct turn *turn)
{
    uint8_t buf[RELAY_CARD_KEYS * KEY_ROW];
    struct writer w = writer_of(buf, sizeof buf);
    for (size_t i = 0; i < host->card.nkeys; i++) {
        const struct relay_card_key *key = &host->card.keys[i];
        writer_u8(&w, key->id);
        writer_bytes(&w, key->sk, sizeof key->sk);
        writer_u64(&w, key->created_ms);
    }
    enum err err = seal_put(host->config.keys, turn, STORE_META, row_key(), 0, writer_done(&w));
    secret_wipe(buf, sizeof buf);
    return err;
}

static enum err keys_get(struct relay_host *host, struct turn *turn)
{
    struct slice plain;
    enum err err = seal_get(host->config.keys, turn, STORE_META, row_key(), &plain);
    host->card.nkeys = host->card.current = 0;
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    struct reader r = reader_of(plain);
    while (reader_left(&r) > 0 && host->card.nkeys < RELAY_CARD_KEYS) {
        struct relay_card_key *key = &host->card.keys[host->card.nkeys++];
        key->id = reader_u8(&r);
        reader_copy(&r, key->sk, sizeof key->sk);
        key->created_ms = reader_u64(&r);
    }
    host->card.current = host->card.nkeys;
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* Forgets the keys that no card names any more. true: there was one. One of a time to come stays:
 * it may be this clock that is wrong now, and whoever has its card takes no older one. */
static bool drop_old(struct relay_card_state *card, uint64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < card->nkeys; i++) {
        uint64_t created = card->keys[i].created_ms;
        if (created > now || now - created < KEY_LIFE_MS) {
            card->keys[kept++] = card->keys[i];
        }
    }
    bool dropped = kept < card->nkeys;
    secret_wipe(card->keys + kept, (card->nkeys - kept) * sizeof *card->keys);
    card->nkeys = kept;
    return dropped;
}

/* Chooses the newest key whose card somebody would take; none when all are of a time to come. */
static void choose(struct relay_card_state *card, uint64_t now)
{
    card->current = card->nkeys;
    for (size_t i = 0; i < card->nkeys; i++) {
        bool taken = card->keys[i].created_ms <= now + LIMIT_CARD_SKEW_MS;
        bool first = card->current == card->nkeys;
        if (taken && (first || card->keys[i].created_ms >= card->keys[card->current].created_ms)) {
            card->current = i;
        }
    }
}

/* -1: no key is in the card. */
static int current_id(const struct relay_card_state *card)
{
    return card->current < card->nkeys ? card->keys[card->current].id : -1;
}

/* When the key in the card leaves it; 0: there is none. */
static uint64_t new_due(const struct relay_card_state *card)
{
    return card->current == card->nkeys
               ? 0
               : card->keys[card->current].created_ms + LIMIT_CARD_NEW_DAYS * LIMIT_DAY_MS;
}

static void add_key(struct relay_card_state *card, const struct env *env)
{
    if (card->nkeys == RELAY_CARD_KEYS) {
        size_t oldest = 0;
        for (size_t i = 1; i < card->nkeys; i++) {
            oldest = card->keys[i].created_ms < card->keys[oldest].created_ms ? i : oldest;
        }
        card->nkeys--;
        memmove(card->keys + oldest, card->keys + oldest + 1,
                (card->nkeys - oldest) * sizeof *card->keys);
    }
    struct relay_card_key *key = &card->keys[card->nkeys];
    key->id = card->nkeys == 0 ? 0 : (uint8_t)(card->keys[card->nkeys - 1].id + 1);
    key->created_ms = env->now_ms;
    env_random(env, key->sk, sizeof key->sk);
    card->nkeys++;
    card->len = 0; /* an id can come again */
}

enum err host_card_tick(struct relay_host *host, struct turn *turn)
{
    struct relay_card_state *card = &host->card;
    uint64_t now = turn->env->now_ms;
    int was = current_id(card);
    bool changed = drop_old(card, now);
    choose(card, now);
    if (now >= new_due(card)) {
        add_key(card, turn->env);
        choose(card, now);
        changed = true;
    }
    if (current_id(card) != was) {
        card->len = 0;
    }
    return changed ? keys_put(host, turn) : ERR_OK;
}

enum err host_card_load(struct relay_host *host, struct turn *turn)
{
    enum err err = keys_get(host, turn);
    return err == ERR_OK ? host_card_tick(host, turn) : err;
}

uint64_t host_card_deadline(const struct relay_host *host)
{
    const struct relay_card_state *card = &host->card;
    uint64_t due = new_due(card);
    for (size_t i = 0; i < card->nkeys && due > 0; i++) {
        uint64_t created = card->keys[i].created_ms;
        bool later = created > card->keys[card->current].created_ms; /* its time is to come */
        uint64_t next = later ? created - LIMIT_CARD_SKEW_MS : created + KEY_LIFE_MS;
        due = next < due ? next : due;
    }
    return due;
}

/* --- the card --- */

static enum err make_card(struct relay_host *host)
{
    struct relay_card_state *state = &host->card;
    const struct relay_card_key *key = &state->keys[state->current];
    uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES];
    struct card card = {
        .key_id = key->id,
        .created_ms = key->created_ms,
        .until_ms = key->created_ms + LIMIT_CARD_DAYS * LIMIT_DAY_MS,
        .deposit_bits = (uint8_t)price_general(PRICE_DEPOSIT),
        .pop_bits = (uint8_t)price_general(PRICE_POP),
        .envelopes = host->limits.envelopes,
        .bytes = host_limits_bytes(host),
        .days = host->limits.days,
    };
    (void)crypto_kem_xwing_seed_keypair(card.pk, sk, key->sk);
    secret_wipe(sk, sizeof sk);
    struct writer w = writer_of(state->bytes, sizeof state->bytes);
    enum err err = card_write(&w, &card, host->config.node_sk);
    if (err == ERR_OK) {
        state->len = w.len;
    }
    return err == ERR_OK ? ERR_OK : ERR_BUG;
}

enum err host_card_get(struct relay_host *host, struct slice body, struct writer *reply)
{
    enum err err = card_get_read(body);
    if (err == ERR_OK && host->card.len == 0) {
        err = make_card(host);
    }
    if (err == ERR_OK) {
        card_reply_write(reply,
                         &(struct card_reply){.card = slice_of(host->card.bytes, host->card.len)});
    }
    return err;
}

/* --- sealed requests --- */

static const struct relay_card_key *find_key(const struct relay_card_state *card, uint8_t id)
{
    for (size_t i = card->nkeys; i > 0; i--) {
        if (card->keys[i - 1].id == id) {
            return &card->keys[i - 1];
        }
    }
    return NULL;
}

/* The answer to what was inside. Whoever handed it to us is not to blame for it, so nothing that is
 * wrong with it closes the link. */
static enum err answer(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                       host_card_inner *inner, uint8_t kind, struct slice body, struct slice *out)
{
    uint8_t *buf = arena_alloc(turn->arena, SEALED_REPLY_LARGE);
    if (buf == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer w = writer_of(buf, SEALED_REPLY_LARGE);
    enum err err = inner(host, turn, peer, kind, body, &w);
    if (err_class(err) == ERR_CLASS_PEER) {
        w = writer_of(buf, SEALED_REPLY_LARGE);
        relay_reply_write(&w, &(struct relay_reply){.err = err});
        err = ERR_OK;
    }
    *out = writer_done(&w);
    return err == ERR_OK ? w.err : err;
}

enum err host_card_sealed(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                          struct slice body, host_card_inner *inner, struct writer *reply)
{
    struct sealed_reply out = {.sealed = slice_of(NULL, 0)};
    struct sealed_reply_key reply_key;
    struct slice sealed;
    struct slice inside;
    uint8_t key_id;
    uint8_t kind;
    enum err err = sealed_request_read(body, &sealed);
    if (err != ERR_OK) {
        return err;
    }
    err = sealed_request_key_id(sealed, &key_id);
    const struct relay_card_key *key = err == ERR_OK ? find_key(&host->card, key_id) : NULL;
    if (err == ERR_OK && key == NULL) {
        err = ERR_EXPIRED;
    }
    if (err == ERR_OK) {
        err = sealed_request_open(turn->arena, &host->config.node_id, key->sk, sealed, &kind,
                                  &inside, &reply_key);
    }
    if (err_class(err) == ERR_CLASS_PEER) {
        out.head.err = err;
        sealed_reply_write(reply, &out);
        return ERR_OK;
    }
    struct relay_peer behind = *peer;
    struct slice plain = slice_of(NULL, 0);
    behind.sealed = &reply_key;
    if (err == ERR_OK) {
        err = answer(host, turn, &behind, inner, kind, inside, &plain);
    }
    bool later = plain.len == 0; /* at the end of the turn */
    if (err == ERR_OK && !later) {
        err = sealed_reply_seal(turn->arena, turn->env, &reply_key, kind, plain, &out.sealed);
    }
    secret_wipe(&reply_key, sizeof reply_key);
    if (err == ERR_OK && !later) {
        sealed_reply_write(reply, &out);
    }
    return err;
}
