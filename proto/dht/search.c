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
    s->count = s->answers = s->seeds = 0;
    memset(s->of_path, 0, sizeof s->of_path);
    memset(s->queries, 0, sizeof s->queries);
}

/* --- candidates --- */

static bool same_contact(const struct dht_contact *a, const struct dht_contact *b)
{
    return dht_address_equal(&a->address, &b->address) && dht_id_equal(&a->id, &b->id);
}

/* Whether the two cannot both be right, or are the same: an address, a host, or an ID. */
static bool clash(const struct dht_contact *a, const struct dht_contact *b)
{
    return dht_address_equal(&a->address, &b->address) || dht_id_equal(&a->id, &b->id) ||
           (!dht_address_local(&a->address) && dht_address_same_host(&a->address, &b->address));
}

/* Whether c cannot become a candidate of this path: because of one of the same path that is not
 * overdue, or of what is proven: who answered, and who was asked and is exactly this. Who does not
 * answer may have been named wrongly, by a liar who was faster. */
static bool is_known(const struct dht_search *s, const struct dht_contact *c, unsigned path)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct dht_candidate *k = &s->candidates[i];
        bool same = same_contact(&k->contact, c);
        bool overdue = k->state == DHT_SLOW || k->state == DHT_FAILED;
        bool here = k->path == path && (same || !overdue);
        if (clash(&k->contact, c) &&
            (here || k->state == DHT_ANSWERED || (k->state != DHT_NEW && same))) {
            return true;
        }
    }
    return false;
}

static void take_out(struct dht_search *s, unsigned at)
{
    s->of_path[s->candidates[at].path]--;
    s->count--;
    memmove(&s->candidates[at], &s->candidates[at + 1], (s->count - at) * sizeof s->candidates[0]);
}

/* Puts it where its distance says; gives where. */
static struct dht_candidate *put_in(struct dht_search *s, const struct dht_candidate *c)
{
    unsigned at = s->count;
    while (at > 0 &&
           dht_id_nearer(&s->target, &c->contact.id, &s->candidates[at - 1].contact.id) < 0) {
        at--;
    }
    memmove(&s->candidates[at + 1], &s->candidates[at], (s->count - at) * sizeof s->candidates[0]);
    s->candidates[at] = *c;
    s->of_path[c->path]++;
    s->count++;
    return &s->candidates[at];
}

/* Makes room among as many as a path may have: its farthest that was not asked goes. */
static bool make_room(struct dht_search *s, const struct dht_contact *c, unsigned path)
{
    if (s->of_path[path] < DHT_PATH_CANDIDATES) {
        return true;
    }
    for (unsigned i = s->count; i-- > 0;) {
        const struct dht_candidate *far = &s->candidates[i];
        if (far->path == path && far->state == DHT_NEW) {
            bool nearer = dht_id_nearer(&s->target, &c->id, &far->contact.id) < 0;
            if (nearer) {
                take_out(s, i);
            }
            return nearer;
        }
    }
    return false;
}

static void add(struct dht_search *s, const struct dht_contact *c, uint8_t path, uint8_t hops)
{
    const struct dht_candidate fresh = {.contact = *c, .path = path, .hops = hops};
    if (dht_address_valid(&c->address) && dht_id_fits(&c->id, &c->address) &&
        !dht_id_equal(&c->id, &s->own) && !is_known(s, c, path) && make_room(s, c, path)) {
        (void)put_in(s, &fresh);
    }
}

void dht_search_seed(struct dht_search *s, const struct dht_contact *c)
{
    unsigned before = s->count;
    add(s, c, (uint8_t)(s->seeds % DHT_PATHS), 1);
    s->seeds += s->count > before;
}

struct dht_candidate *dht_search_find(struct dht_search *s, const struct dht_contact *asked)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct dht_candidate *c = &s->candidates[i];
        if ((c->state == DHT_ASKED || c->state == DHT_SLOW) && same_contact(&c->contact, asked)) {
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
        bool over = c->state == DHT_FAILED ||
                    (c->state == DHT_NEW && s->queries[c->path] >= DHT_PATH_QUERIES);
        if ((path != DHT_PATHS && c->path != path) || over) {
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
    s->queries[c->path]++;
    for (unsigned i = 0; i < s->count; i++) {
        struct dht_candidate *other = &s->candidates[i];
        if (other != c && same_contact(&other->contact, &c->contact)) {
            other->state = DHT_FAILED; /* it is this path's now */
        }
    }
}

/* --- what comes back --- */

struct dht_candidate *dht_search_answer(struct dht_search *s, struct dht_candidate *c,
                                        const struct dht_id *id, struct slice token)
{
    struct dht_candidate who = *c;
    bool fits = dht_id_fits(id, &c->contact.address) && !dht_id_equal(id, &s->own);
    who.contact.id = *id;
    for (unsigned i = 0; i < s->count; i++) {
        struct dht_candidate *other = &s->candidates[i];
        if (other == c || !clash(&other->contact, &who.contact)) {
            continue;
        }
        fits = fits && other->state != DHT_ANSWERED;
        if (fits && other->state == DHT_NEW) {
            other->state = DHT_FAILED; /* who was asked shows by itself who it is */
        }
    }
    if (!fits) {
        c->state = DHT_FAILED;
        return NULL;
    }
    who.state = DHT_ANSWERED;
    who.token_len = token.len <= KRPC_TOKEN ? (uint8_t)token.len : 0;
    if (who.token_len > 0) {
        memcpy(who.token, token.p, who.token_len);
    }
    s->answers++;
    take_out(s, (unsigned)(c - s->candidates));
    return put_in(s, &who);
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
    for (unsigned path = 0; path <= DHT_PATHS; path++) {
        unsigned next;
        bool open;
        if (unasked(s, path, &next, &open) || open) {
            return false;
        }
    }
    return true;
}

unsigned dht_search_holders(struct dht_search *s, struct dht_candidate *out[static DHT_HOLDERS])
{
    unsigned count = 0;
    unsigned of_path[DHT_PATHS] = {0};
    unsigned all = 0;
    for (unsigned i = 0; i < s->count; i++) {
        struct dht_candidate *c = &s->candidates[i];
        if (c->state == DHT_ANSWERED && c->token_len > 0) {
            bool near = all++ < DHT_CLOSEST;
            bool first = of_path[c->path]++ < DHT_PATH_WIDTH;
            if (near || first) {
                out[count++] = c;
            }
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
