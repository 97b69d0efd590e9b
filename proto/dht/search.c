/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/search.h"

#include <string.h>

enum {
    LEARNT_MAX = 16, /* of one answer */
};

void dht_search_init(struct dht_search *s, const struct dht_id *target, const struct dht_id *own)
{
    s->target = *target;
    s->own = *own;
    s->count = s->queries = s->answers = s->seeds = 0;
}

/* --- candidates --- */

/* Whether somebody with this address, or this ID, is a candidate. */
static bool is_known(const struct dht_search *s, const struct dht_contact *c)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct dht_contact *known = &s->candidates[i].contact;
        if (dht_address_equal(&known->address, &c->address) || dht_id_equal(&known->id, &c->id) ||
            (!dht_address_local(&c->address) &&
             dht_address_same_host(&known->address, &c->address))) {
            return true;
        }
    }
    return false;
}

/* Makes room among as many as there may be: the farthest that was not asked goes. */
static bool make_room(struct dht_search *s, const struct dht_contact *c)
{
    if (s->count < DHT_CANDIDATES) {
        return true;
    }
    for (unsigned i = s->count; i-- > 0;) {
        struct dht_candidate *far = &s->candidates[i];
        if (far->state == DHT_NEW) {
            if (dht_id_nearer(&s->target, &c->id, &far->contact.id) >= 0) {
                return false;
            }
            memmove(far, far + 1, (s->count - i - 1) * sizeof *far);
            s->count--;
            return true;
        }
    }
    return false;
}

static void add(struct dht_search *s, const struct dht_contact *c, uint8_t path, uint8_t hops)
{
    if (!dht_address_valid(&c->address) || !dht_id_fits(&c->id, &c->address) ||
        dht_id_equal(&c->id, &s->own) || is_known(s, c) || !make_room(s, c)) {
        return;
    }
    unsigned at = s->count;
    while (at > 0 && dht_id_nearer(&s->target, &c->id, &s->candidates[at - 1].contact.id) < 0) {
        at--;
    }
    memmove(&s->candidates[at + 1], &s->candidates[at], (s->count - at) * sizeof s->candidates[0]);
    s->candidates[at] = (struct dht_candidate){.contact = *c, .path = path, .hops = hops};
    s->count++;
}

void dht_search_seed(struct dht_search *s, const struct dht_contact *c)
{
    unsigned before = s->count;
    add(s, c, (uint8_t)(s->seeds % DHT_PATHS), 1);
    s->seeds += s->count > before;
}

struct dht_candidate *dht_search_find(struct dht_search *s, const struct dht_address *from)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct dht_candidate *c = &s->candidates[i];
        if ((c->state == DHT_ASKED || c->state == DHT_SLOW) &&
            dht_address_equal(&c->contact.address, from)) {
            return c;
        }
    }
    return NULL;
}

/* --- whom to ask --- */

/* The nearest ones of a path, or of all (DHT_PATHS), have to answer: *first is the nearest of them
 * that was not asked yet; false: all were. *open: one of them was asked and has not answered. */
static bool unasked(const struct dht_search *s, unsigned path, unsigned *first, bool *open)
{
    unsigned width = path == DHT_PATHS ? (unsigned)DHT_CLOSEST : (unsigned)DHT_PATH_WIDTH;
    bool found = false;
    *open = false;
    for (unsigned i = 0; i < s->count && width > 0; i++) {
        const struct dht_candidate *c = &s->candidates[i];
        if ((path != DHT_PATHS && c->path != path) || c->state == DHT_FAILED) {
            continue;
        }
        if (!found && c->state == DHT_NEW) {
            *first = i;
            found = true;
        }
        *open |= c->state == DHT_ASKED || c->state == DHT_SLOW;
        width--;
    }
    return found;
}

static unsigned under_way(const struct dht_search *s, unsigned path)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->count; i++) {
        n += s->candidates[i].path == path && s->candidates[i].state == DHT_ASKED;
    }
    return n;
}

struct dht_candidate *dht_search_next(struct dht_search *s)
{
    if (s->queries >= DHT_QUERIES_MAX) {
        return NULL;
    }
    for (unsigned k = 0; k <= DHT_PATHS; k++) {
        unsigned at;
        bool open;
        /* First the nearest of all, then those of each path. */
        bool found = unasked(s, k == 0 ? (unsigned)DHT_PATHS : k - 1, &at, &open);
        if (found && under_way(s, s->candidates[at].path) < DHT_PATH_ALPHA) {
            return &s->candidates[at];
        }
    }
    return NULL;
}

void dht_search_sent(struct dht_search *s, struct dht_candidate *c, uint64_t now)
{
    c->state = DHT_ASKED;
    c->asked_ms = now;
    s->queries++;
}

/* --- what comes back --- */

void dht_search_answer(struct dht_search *s, struct dht_candidate *c, const struct dht_id *id,
                       struct slice token)
{
    if (!dht_id_equal(&c->contact.id, id)) {
        c->state = DHT_FAILED; /* it is not who it was said to be, and where it is nobody asked */
        return;
    }
    c->state = DHT_ANSWERED;
    c->token_len = token.len <= KRPC_TOKEN ? (uint8_t)token.len : 0;
    if (c->token_len > 0) {
        memcpy(c->token, token.p, c->token_len);
    }
    s->answers++;
}

void dht_search_learn(struct dht_search *s, const struct dht_candidate *from, struct slice nodes,
                      bool v6)
{
    struct reader r = reader_of(nodes);
    uint8_t path = from->path;
    bool local = dht_address_local(&from->contact.address);
    uint8_t hops = from->hops < UINT8_MAX ? (uint8_t)(from->hops + 1) : UINT8_MAX;
    for (unsigned i = 0; i < LEARNT_MAX && reader_left(&r) > 0; i++) {
        struct dht_contact c = dht_contact_read(&r, v6);
        /* Nobody elsewhere says who is beside us. */
        if (r.err == ERR_OK && (local || !dht_address_local(&c.address))) {
            add(s, &c, path, hops); /* moves candidates: from is not looked at again */
        }
    }
}

void dht_search_fail(struct dht_candidate *c)
{
    c->state = DHT_FAILED;
}

void dht_search_tick(struct dht_search *s, uint64_t now)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct dht_candidate *c = &s->candidates[i];
        if (c->state != DHT_ASKED && c->state != DHT_SLOW) {
            continue;
        }
        uint64_t waited = now > c->asked_ms ? now - c->asked_ms : 0;
        if (waited >= DHT_TIMEOUT_MS) {
            c->state = DHT_FAILED;
        } else if (waited >= DHT_SLOW_MS) {
            c->state = DHT_SLOW;
        }
    }
}

uint64_t dht_search_deadline(const struct dht_search *s)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < s->count; i++) {
        const struct dht_candidate *c = &s->candidates[i];
        uint64_t due = c->state == DHT_ASKED  ? c->asked_ms + DHT_SLOW_MS
                       : c->state == DHT_SLOW ? c->asked_ms + DHT_TIMEOUT_MS
                                              : UINT64_MAX;
        first = due < first ? due : first;
    }
    return first;
}

bool dht_search_done(const struct dht_search *s)
{
    bool more = s->queries < DHT_QUERIES_MAX;
    for (unsigned path = 0; path <= DHT_PATHS; path++) {
        unsigned next;
        bool open;
        if ((unasked(s, path, &next, &open) && more) || open) {
            return false;
        }
    }
    return true;
}

unsigned dht_search_closest(struct dht_search *s, struct dht_candidate **out, unsigned max)
{
    unsigned count = 0;
    for (unsigned i = 0; i < s->count && count < max; i++) {
        struct dht_candidate *c = &s->candidates[i];
        if (c->state == DHT_ANSWERED && c->token_len > 0) {
            out[count++] = c;
        }
    }
    return count;
}

unsigned dht_search_hops(const struct dht_search *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (s->candidates[i].state == DHT_ANSWERED) {
            return s->candidates[i].hops;
        }
    }
    return 0;
}
