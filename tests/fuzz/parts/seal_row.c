/* SPDX-License-Identifier: Apache-2.0
 *
 * seal_row: a sealed row and a wrapped key as a damaged disk may give them back. Input: which
 * u8 | bytes; which & 1: under the node's key, & 2: as a bucket key by itself, & 4: as the name
 * key, & 8: as a pack of bucket keys.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/prim.h"
#include "fuzz/parts/parts.h"
#include "store/mem.h"
#include "store/seal.h"

static void zero_random(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    memset(out, 0, len);
}

/* Puts bytes in place of a row of STORE_BUCKET, and reads a row that needs it. */
static void damaged_key(struct turn *turn, struct seal_keys *keys, struct slice where,
                        struct slice bytes)
{
    struct slice plain;
    struct slice row = slice_of("row", 3);
    enum err err = seal_put(keys, turn, STORE_SESSION, row, 3, slice_of("plain", 5));
    assert(err == ERR_OK);
    err = store_put(turn->store, STORE_BUCKET, where, bytes);
    assert(err == ERR_OK);
    uint8_t root[SEAL_KEY] = {1};
    struct seal_keys *fresh = seal_keys_new_account(1, root);
    assert(fresh != NULL);
    err = seal_get(fresh, turn, STORE_SESSION, row, &plain);
    assert(err == ERR_CORRUPT || (err == ERR_OK && plain.len == 5));
    seal_keys_free(fresh);
}

static void run(struct turn *turn, struct seal_keys *account, struct seal_keys *node,
                const uint8_t *data, size_t len)
{
    struct slice plain = slice_of(NULL, 0);
    struct slice bytes = slice_of(data + 1, len - 1);
    struct seal_keys *keys = (data[0] & 1) != 0 ? node : account;
    if ((data[0] & 2) != 0) {
        damaged_key(turn, account, slice_of("\0\0\0\1\3\0\0\0\1", 9), bytes);
    } else if ((data[0] & 4) != 0) {
        damaged_key(turn, account, slice_of("\0\0\0\1", 4), bytes);
    } else if ((data[0] & 8) != 0) {
        damaged_key(turn, account, slice_of("\0\0\0\1\0\0\0\0\0", 9), bytes);
    } else if (seal_open(keys, turn, STORE_SESSION, slice_of("k", 1), bytes, &plain) == ERR_OK) {
        assert(plain.len + SEAL_OVERHEAD == bytes.len);
    }
}

/* The account is made once; each input gets a transaction of its own that is aborted. */
static struct store_mem *account_store(const struct env *env, struct seal_keys *account)
{
    struct store_mem *mem = store_mem_new();
    struct store store;
    struct turn turn = {.env = env, .store = &store};
    assert(mem != NULL && account != NULL);
    store_mem_begin(mem, &store);
    enum err err = seal_keys_create(account, &turn);
    assert(err == ERR_OK);
    err = store_mem_commit(mem);
    assert(err == ERR_OK);
    return mem;
}

void part_seal_row(const uint8_t *data, size_t len)
{
    static const uint8_t root[SEAL_KEY] = {1};
    static const struct env env = {.random = zero_random};
    static struct seal_keys *account;
    static struct seal_keys *node;
    static struct store_mem *mem;
    if (len == 0 || len > 4096 || prim_init() != ERR_OK) {
        return;
    }
    if (mem == NULL) {
        account = seal_keys_new_account(1, root);
        node = seal_keys_new_node(root);
        mem = account_store(&env, account);
    }
    struct store store;
    struct arena arena;
    struct turn turn = {.env = &env, .store = &store, .arena = &arena};
    arena_init(&arena, 1 << 20);
    store_mem_begin(mem, &store);
    run(&turn, account, node, data, len);
    store_mem_abort(mem);
    arena_fini(&arena);
}
