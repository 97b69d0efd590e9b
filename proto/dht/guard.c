/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/guard.h"

#include <string.h>

#include "base/secret.h"

void dht_guard_init(struct dht_guard *g, const struct env *env)
{
    memset(g, 0, sizeof *g);
    env_random(env, g->place_key, sizeof g->place_key);
    env_random(env, g->token_keys, sizeof g->token_keys);
    g->turned_ms = env->now_ms;
}

void dht_guard_fini(struct dht_guard *g)
{
    secret_wipe(g, sizeof *g);
}

enum {
    UNIT = 1000, /* a thousandth of an answer, or byte, comes back each millisecond */
};

static uint32_t refill(uint32_t left, uint64_t most, uint64_t each_s, uint64_t ms)
{
    uint64_t more = ms < 60 * 1000 ? each_s * ms : most * UNIT;
    return (uint32_t)(left + more < most * UNIT ? left + more : most * UNIT);
}

/* *tag: of this host, whoever shares its place. */
static struct dht_guard_host *host_of(struct dht_guard *g, const struct dht_address *a,
                                      uint64_t now, uint64_t *tag)
{
    uint8_t bytes[DHT_COMPACT6];
    uint8_t hash[16];
    struct slice host = dht_address_prefix(a, DHT_IPV4, DHT_IPV6 / 2, bytes);
    prim_blake2b(hash, sizeof hash, slice_of(g->place_key, PRIM_KEY), "petrel/1 dht host", &host,
                 1);
    struct reader r = reader_of(slice_of(hash, sizeof hash));
    struct dht_guard_host *h = &g->hosts[reader_u32(&r) % DHT_GUARD_HOSTS];
    *tag = reader_u64(&r);
    if (!h->used) {
        *h = (struct dht_guard_host){.used = true,
                                     .last_ms = now,
                                     .answers = DHT_GUARD_ANSWERS * UNIT,
                                     .bytes = DHT_GUARD_BYTES * UNIT};
    }
    uint64_t ms = now > h->last_ms ? now - h->last_ms : 0;
    h->answers = refill(h->answers, DHT_GUARD_ANSWERS, DHT_GUARD_ANSWERS_S, ms);
    h->bytes = refill(h->bytes, DHT_GUARD_BYTES, DHT_GUARD_BYTES_S, ms);
    h->last_ms = now;
    return h;
}

static bool lately(uint64_t when, uint64_t now)
{
    return when != 0 && now >= when && now - when < 2 * DHT_TOKEN_MS;
}

bool dht_guard_question(struct dht_guard *g, const struct dht_address *from, uint64_t now)
{
    uint64_t tag;
    struct dht_guard_host *h = host_of(g, from, now, &tag);
    if (h->answers < UNIT) {
        return false;
    }
    h->answers -= UNIT;
    return true;
}

bool dht_guard_answer(struct dht_guard *g, const struct dht_address *to, size_t question,
                      size_t answer, uint64_t now)
{
    uint64_t tag;
    struct dht_guard_host *h = host_of(g, to, now, &tag);
    size_t beyond = answer > 2 * question ? answer - 2 * question : 0;
    if (beyond == 0 || (h->shown_by == tag && lately(h->shown_ms, now))) {
        return true;
    }
    if (h->reached_by == tag && lately(h->reached_ms, now)) {
        beyond /= DHT_GUARD_REACHED;
    }
    if (beyond * UNIT > h->bytes) {
        return false;
    }
    h->bytes -= (uint32_t)beyond * UNIT;
    return true;
}

void dht_guard_reached(struct dht_guard *g, const struct dht_address *host, uint64_t now)
{
    uint64_t tag;
    struct dht_guard_host *h = host_of(g, host, now, &tag);
    h->reached_ms = now;
    h->reached_by = tag;
}

/* --- tokens --- */

static void turn(struct dht_guard *g, const struct env *env)
{
    uint64_t ms = env->now_ms > g->turned_ms ? env->now_ms - g->turned_ms : 0;
    if (ms < DHT_TOKEN_MS && env->now_ms >= g->turned_ms) {
        return;
    }
    memcpy(g->token_keys[1], g->token_keys[0], PRIM_KEY);
    env_random(env, g->token_keys[0], PRIM_KEY);
    if (ms >= 2 * (uint64_t)DHT_TOKEN_MS) {
        env_random(env, g->token_keys[1], PRIM_KEY);
    }
    g->turned_ms = ms < 2 * (uint64_t)DHT_TOKEN_MS ? g->turned_ms + DHT_TOKEN_MS : env->now_ms;
}

/* BEP 5: of the address alone; the port may be another behind a NAT. */
static void token_of(const uint8_t key[static PRIM_KEY], const struct dht_address *host,
                     uint8_t out[static 16])
{
    struct slice ip = slice_of(host->ip, dht_ip_len(host));
    prim_blake2b(out, 16, slice_of(key, PRIM_KEY), "petrel/1 dht token", &ip, 1);
}

void dht_guard_token(struct dht_guard *g, const struct env *env, const struct dht_address *host,
                     uint8_t token[static DHT_TOKEN])
{
    uint8_t hash[16];
    turn(g, env);
    token_of(g->token_keys[0], host, hash);
    memcpy(token, hash, DHT_TOKEN);
}

bool dht_guard_token_good(struct dht_guard *g, const struct env *env,
                          const struct dht_address *host, struct slice token)
{
    bool good = false;
    turn(g, env);
    for (unsigned i = 0; i < 2 && token.len == DHT_TOKEN; i++) {
        uint8_t hash[16];
        token_of(g->token_keys[i], host, hash);
        good |= prim_equal(hash, token.p, DHT_TOKEN);
    }
    if (good) {
        uint64_t tag;
        struct dht_guard_host *h = host_of(g, host, env->now_ms, &tag);
        h->shown_ms = env->now_ms;
        h->shown_by = tag;
    }
    return good;
}
