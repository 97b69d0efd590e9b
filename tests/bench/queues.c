/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/queues.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "bench/rig.h"
#include "daemon/keyring.h"
#include "daemon/store/store_lmdb.h"
#include "relay/host_state.h"
#include "relay/item.h"

enum {
    QUEUES_ROWS = 100000, /* in one transaction */
};

struct writing {
    struct store_lmdb *db;
    struct seal_keys *keys;
    struct env env;
    struct arena arena;
    struct store store;
    struct turn turn;
    uint64_t rows; /* since the last commit */
};

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        rig_die("%s: %s", what, err_name(err));
    }
}

static void begin(struct writing *w)
{
    must(store_lmdb_begin(w->db, &w->store), "begin");
    w->turn = (struct turn){.env = &w->env, .store = &w->store, .arena = &w->arena};
    w->rows = 0;
}

static void commit(struct writing *w)
{
    must(store_lmdb_commit(w->db), "commit");
    arena_reset(&w->arena);
}

static void open_home(struct writing *w, const char *home)
{
    uint8_t key[SEAL_KEY];
    char path[64];
    char writer[64];
    if (mkdir(home, 0700) != 0) {
        rig_die("%s cannot be made", home);
    }
    must(keyring_node_key(&(struct keyring){.home = home}, true, key), "node key");
    w->keys = seal_keys_new_node(key);
    snprintf(path, sizeof path, "%s/db", home);
    must(store_lmdb_open(&w->db, path, (size_t)1 << 40, writer), "database");
    w->env = rig_env();
    arena_init(&w->arena, LIMIT_TURN_ARENA);
    if (w->keys == NULL) {
        rig_die("no memory");
    }
}

static void make_queue(struct writing *w, struct bench_queue *q, uint32_t number)
{
    struct relay_queue_row row = {.number = number};
    uint8_t seed[32];
    randombytes_buf(seed, sizeof seed);
    prim_sign_keypair(&q->pk, &q->sk, seed);
    randombytes_buf(q->k.b, sizeof q->k.b);
    randombytes_buf(q->siv.b, sizeof q->siv.b);
    row.k = q->k;
    must(relay_queue_row_put(w->keys, &w->turn, &q->pk, &row), "queue");
}

/* Queue by queue, so that the keys ascend; the arrivals of a queue are spread over all. */
static void make_spent(struct writing *w, size_t count, uint64_t spent)
{
    struct item_row row = {
        .state = ITEM_DONE, .lifetime = 3, .until = token_epoch_over(token_epoch(w->env.now_ms))};
    for (uint32_t q = 0; q < count; q++) {
        for (uint64_t arrival = q + 1; arrival <= spent; arrival += count) {
            randombytes_buf(row.nonce, sizeof row.nonce);
            memcpy(row.hash, row.nonce, sizeof row.hash);
            must(item_index_put(&w->store, q + 1, arrival, &row), "spent row");
            if (++w->rows == QUEUES_ROWS) {
                commit(w);
                begin(w);
            }
        }
    }
}

struct bench_queue *queues_make(const char *home, size_t count, uint64_t spent)
{
    struct writing w = {.db = NULL};
    struct bench_queue *queues = calloc(count, sizeof *queues);
    if (queues == NULL) {
        rig_die("no memory");
    }
    open_home(&w, home);
    begin(&w);
    for (size_t i = 0; i < count; i++) {
        make_queue(&w, &queues[i], (uint32_t)i + 1);
    }
    make_spent(&w, count, spent);
    must(relay_meta_put(&w.turn, "relay.queues", count), "counter");
    must(relay_meta_put(&w.turn, "relay.arrival", spent + 1), "counter");
    /* The daily look through all rows was just now. */
    must(relay_meta_put(&w.turn, "relay.swept", w.env.now_ms), "counter");
    commit(&w);
    store_lmdb_close(w.db);
    seal_keys_free(w.keys);
    arena_fini(&w.arena);
    return queues;
}

struct token queues_token(struct bench_queue *q)
{
    struct token token;
    struct env env = rig_env();
    token_mint(&q->k, &q->siv, &q->pk, 1, ++q->counter, token_epoch(env.now_ms), &token);
    return token;
}
