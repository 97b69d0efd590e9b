/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include <string.h>

#include "base/secret.h"
#include "crypto/prim.h"
#include "lib/unit.h"
#include "store/mem.h"

/* One open transaction over an empty memory store, and the keys of account 1. */
struct fixture {
    struct unit_env env;
    struct store_mem *mem;
    struct store store;
    struct arena arena;
    struct turn turn;
    uint8_t root[SEAL_KEY];
    struct seal_keys *keys;
};

static void setup(struct fixture *f)
{
    unit_env_init(&f->env, 7, 1000);
    f->mem = store_mem_new();
    store_mem_strict(f->mem, true);
    store_mem_begin(f->mem, &f->store);
    arena_init(&f->arena, 1 << 22);
    f->turn = (struct turn){.env = &f->env.env, .store = &f->store, .arena = &f->arena};
    memset(f->root, 0x11, sizeof f->root);
    f->keys = seal_keys_new_account(1, f->root);
    ck_assert_ptr_nonnull(f->keys);
    ck_assert_ok(seal_keys_create(f->keys, &f->turn));
}

static void teardown(struct fixture *f)
{
    seal_keys_free(f->keys);
    arena_fini(&f->arena);
    store_mem_free(f->mem);
}

/* A table that may have rows in this bucket. */
static enum store_table table_of(unsigned bucket)
{
    return bucket == SEAL_BUCKET_ACCOUNT ? STORE_CONTACT : STORE_OUTBOX;
}

START_TEST(what_is_sealed_opens_again_also_with_fresh_keys)
{
    struct fixture f;
    struct slice plain;
    setup(&f);
    ck_assert_uint_eq(store_mem_count(f.mem, STORE_BUCKET), SEAL_KEY_ROWS);
    for (unsigned b = 0; b < SEAL_BUCKETS; b += 15) {
        uint8_t key = (uint8_t)b;
        ck_assert_ok(seal_put(f.keys, &f.turn, table_of(b), slice_of(&key, 1), (uint8_t)b,
                              unit_str("ratchet")));
    }
    struct seal_keys *fresh = seal_keys_new_account(1, f.root);
    for (unsigned b = 0; b < SEAL_BUCKETS; b += 15) {
        uint8_t key = (uint8_t)b;
        struct slice row;
        ck_assert_ok(seal_get(fresh, &f.turn, table_of(b), slice_of(&key, 1), &plain));
        ck_assert(slice_equal(plain, unit_str("ratchet")));
        ck_assert_ok(store_get(&f.store, table_of(b), slice_of(&key, 1), &row));
        ck_assert_uint_eq(row.len, plain.len + SEAL_OVERHEAD);
        ck_assert_uint_eq(row.p[0], 1);
        ck_assert_uint_eq(row.p[1], b);
        ck_assert_mem_eq(row.p + 2, "\0\0\0\1", 4);
    }
    seal_keys_free(fresh);
    teardown(&f);
}
END_TEST

START_TEST(sizes_from_nothing_to_the_largest_go_through)
{
    static const size_t sizes[] = {
        0, 1, 1024, 8192 - SEAL_OVERHEAD, 8192 - SEAL_OVERHEAD + 1, STORE_VALUE - SEAL_OVERHEAD};
    static uint8_t bytes[STORE_VALUE];
    struct fixture f;
    setup(&f);
    env_random(&f.env.env, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct slice key = slice_of(&sizes[i], sizeof sizes[i]);
        struct slice in = slice_of(bytes, sizes[i]);
        struct slice out = unit_str("unchanged");
        ck_assert_ok(seal_put(f.keys, &f.turn, STORE_MESSAGE, key, 200, in));
        ck_assert_ok(seal_get(f.keys, &f.turn, STORE_MESSAGE, key, &out));
        ck_assert(slice_equal(in, out));
    }
    teardown(&f);
}
END_TEST

START_TEST(every_flipped_byte_is_noticed)
{
    struct fixture f;
    uint8_t row[SEAL_OVERHEAD + 5];
    struct slice at = unit_str("k");
    struct slice got;
    setup(&f);
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, at, 3, unit_str("hello")));
    ck_assert_ok(store_get(&f.store, STORE_SESSION, at, &got));
    ck_assert_uint_eq(got.len, sizeof row);
    memcpy(row, got.p, sizeof row);
    for (size_t i = 0; i < sizeof row; i++) {
        struct slice plain = unit_str("unchanged");
        row[i] ^= 0x01;
        ck_assert_err(
            seal_open(f.keys, &f.turn, STORE_SESSION, at, slice_of(row, sizeof row), &plain),
            ERR_CORRUPT);
        ck_assert(slice_equal(plain, unit_str("unchanged")));
        row[i] ^= 0x01;
        ck_assert_err(seal_open(f.keys, &f.turn, STORE_SESSION, at, slice_of(row, i), &plain),
                      ERR_CORRUPT);
    }
    teardown(&f);
}
END_TEST

START_TEST(a_row_that_was_moved_does_not_open)
{
    struct fixture f;
    uint8_t row[SEAL_OVERHEAD + 5];
    struct slice got;
    struct slice plain;
    setup(&f);
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("a"), 3, unit_str("hello")));
    ck_assert_ok(store_get(&f.store, STORE_SESSION, unit_str("a"), &got));
    memcpy(row, got.p, sizeof row);
    struct slice bytes = slice_of(row, sizeof row);
    ck_assert_ok(seal_open(f.keys, &f.turn, STORE_SESSION, unit_str("a"), bytes, &plain));
    ck_assert_err(seal_open(f.keys, &f.turn, STORE_SESSION, unit_str("b"), bytes, &plain),
                  ERR_CORRUPT);
    ck_assert_err(seal_open(f.keys, &f.turn, STORE_PREKEY, unit_str("a"), bytes, &plain),
                  ERR_CORRUPT);
    teardown(&f);
}
END_TEST

START_TEST(another_root_and_another_account_open_nothing)
{
    struct fixture f;
    struct slice plain;
    setup(&f);
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("a"), 3, unit_str("hello")));
    f.root[0] ^= 1;
    struct seal_keys *wrong = seal_keys_new_account(1, f.root);
    ck_assert_err(seal_keys_load(wrong, &f.turn), ERR_CORRUPT);
    ck_assert_err(seal_get(wrong, &f.turn, STORE_SESSION, unit_str("a"), &plain), ERR_CORRUPT);
    ck_assert_err(
        seal_put(wrong, &f.turn, STORE_SESSION, unit_str("a"), 3, unit_str("overwritten")),
        ERR_CORRUPT);
    seal_keys_free(wrong);
    f.root[0] ^= 1;
    struct seal_keys *second = seal_keys_new_account(2, f.root);
    ck_assert_err(seal_keys_load(second, &f.turn), ERR_NOT_FOUND);
    ck_assert_err(seal_get(second, &f.turn, STORE_SESSION, unit_str("a"), &plain), ERR_CORRUPT);
    ck_assert_err(seal_get(second, &f.turn, STORE_SESSION, unit_str("b"), &plain), ERR_NOT_FOUND);
    seal_keys_free(second);
    ck_assert_ok(seal_get(f.keys, &f.turn, STORE_SESSION, unit_str("a"), &plain));
    teardown(&f);
}
END_TEST

/* Where the key of a bucket lies by itself; generation 0: a pack, by its first bucket. */
static struct store_key key_place(uint8_t bucket, uint32_t generation)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, 1);
    store_key_u8(&k, bucket);
    store_key_u32(&k, generation);
    return k;
}

START_TEST(a_swapped_bucket_key_is_noticed)
{
    struct fixture f;
    struct slice row;
    struct slice plain;
    uint8_t copy[SEAL_OVERHEAD + SEAL_PACK * (4 + SEAL_KEY)];
    setup(&f);
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("a"), 3, unit_str("hello")));
    struct store_key first = key_place(0, 0);
    struct store_key second = key_place(16, 0);
    ck_assert_ok(store_get(&f.store, STORE_BUCKET, store_key_slice(&second), &row));
    ck_assert_uint_eq(row.len, sizeof copy);
    memcpy(copy, row.p, sizeof copy);
    ck_assert_ok(
        store_put(&f.store, STORE_BUCKET, store_key_slice(&first), slice_of(copy, sizeof copy)));
    struct seal_keys *fresh = seal_keys_new_account(1, f.root);
    ck_assert_err(seal_get(fresh, &f.turn, STORE_SESSION, unit_str("a"), &plain), ERR_CORRUPT);
    ck_assert_err(seal_whole(fresh, &f.turn), ERR_CORRUPT);
    ck_assert_ok(store_del(&f.store, STORE_BUCKET, store_key_slice(&first)));
    ck_assert_err(seal_get(fresh, &f.turn, STORE_SESSION, unit_str("a"), &plain), ERR_CORRUPT);
    ck_assert_err(seal_whole(fresh, &f.turn), ERR_CORRUPT);
    seal_keys_free(fresh);
    teardown(&f);
}
END_TEST

/* Wraps a key of a bucket, or a pack of them (generation 0), under the root and puts it, by the
 * words of docs/protocol/08-at-rest.md. nonce: each byte of it. */
static void put_wrapped(struct fixture *f, uint8_t bucket, uint32_t generation, uint8_t nonce,
                        struct slice plain)
{
    struct aead_key wrap;
    uint8_t row[1024] = {1, bucket, 0, 0, 0, 1};
    uint8_t where[32] = "bucket"; /* table | 0x00 | key */
    struct store_key k = key_place(bucket, generation);
    memcpy(where + 7, k.b, k.len);
    memset(row + 6, nonce, 24);
    prim_blake2b(wrap.b, 32, slice_of(f->root, SEAL_KEY), "petrel/1 bucket wrap", NULL, 0);
    prim_aead_seal(row + 30, &wrap, row + 6, slice_of(where, 7 + k.len), plain);
    ck_assert_ok(store_put(&f->store, STORE_BUCKET, store_key_slice(&k),
                           slice_of(row, SEAL_OVERHEAD + plain.len)));
}

/* The key of a bucket alone. fill: each byte of it. */
static void put_single(struct fixture *f, uint8_t bucket, uint32_t generation, uint8_t fill)
{
    uint8_t secret[SEAL_KEY];
    memset(secret, fill, sizeof secret);
    put_wrapped(f, bucket, generation, fill, slice_of(secret, sizeof secret));
}

START_TEST(new_rows_take_the_newest_generation_and_older_rows_still_open)
{
    struct fixture f;
    struct slice row;
    struct slice plain;
    setup(&f);
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("old"), 3, unit_str("1")));
    put_single(&f, 3, 2, 1);
    struct seal_keys *fresh = seal_keys_new_account(1, f.root);
    ck_assert_ok(seal_put(fresh, &f.turn, STORE_SESSION, unit_str("new"), 3, unit_str("2")));
    ck_assert_ok(store_get(&f.store, STORE_SESSION, unit_str("new"), &row));
    ck_assert_mem_eq(row.p + 1, "\3\0\0\0\2", 5);
    ck_assert_ok(seal_get(fresh, &f.turn, STORE_SESSION, unit_str("old"), &plain));
    ck_assert(slice_equal(plain, unit_str("1")));
    ck_assert_ok(seal_get(fresh, &f.turn, STORE_SESSION, unit_str("new"), &plain));
    ck_assert(slice_equal(plain, unit_str("2")));
    /* Keys that were loaded before the change open what came after it. */
    ck_assert_ok(seal_get(f.keys, &f.turn, STORE_SESSION, unit_str("new"), &plain));
    seal_keys_free(fresh);
    teardown(&f);
}
END_TEST

START_TEST(the_node_has_one_key_and_needs_no_rows)
{
    struct fixture f;
    struct slice plain;
    uint8_t name[SEAL_NAME];
    setup(&f);
    struct seal_keys *node = seal_keys_new_node(f.root);
    ck_assert_uint_eq(seal_keys_account(node), 0);
    seal_name(node, "petrel/1 test", unit_str("x"), name);
    ck_assert_ok(seal_append(node, &f.turn, STORE_QUEUE, unit_str("q"), 0, unit_str("limits")));
    ck_assert_err(seal_append(node, &f.turn, STORE_QUEUE, unit_str("p"), 0, unit_str("limits")),
                  ERR_BUG);
    struct seal_keys *again = seal_keys_new_node(f.root);
    ck_assert_ok(seal_get(again, &f.turn, STORE_QUEUE, unit_str("q"), &plain));
    ck_assert(slice_equal(plain, unit_str("limits")));
    f.root[31] ^= 1;
    struct seal_keys *wrong = seal_keys_new_node(f.root);
    ck_assert_err(seal_get(wrong, &f.turn, STORE_QUEUE, unit_str("q"), &plain), ERR_CORRUPT);
    seal_keys_free(node);
    seal_keys_free(again);
    seal_keys_free(wrong);
    teardown(&f);
}
END_TEST

START_TEST(names_depend_on_label_name_and_account_and_last)
{
    struct fixture f;
    uint8_t a[SEAL_NAME];
    uint8_t b[SEAL_NAME];
    setup(&f);
    seal_name(f.keys, "petrel/1 contact", unit_str("alice"), a);
    seal_name(f.keys, "petrel/1 contact", unit_str("alicf"), b);
    ck_assert_mem_ne(a, b, SEAL_NAME);
    seal_name(f.keys, "petrel/1 queue", unit_str("alice"), b);
    ck_assert_mem_ne(a, b, SEAL_NAME);
    struct seal_keys *fresh = seal_keys_new_account(1, f.root);
    ck_assert_ok(seal_keys_load(fresh, &f.turn));
    seal_name(fresh, "petrel/1 contact", unit_str("alice"), b);
    ck_assert_mem_eq(a, b, SEAL_NAME);
    seal_keys_free(fresh);
    teardown(&f);
}
END_TEST

START_TEST(message_buckets_spread_over_their_range)
{
    struct fixture f;
    bool seen[SEAL_BUCKETS] = {false};
    unsigned distinct = 0;
    setup(&f);
    for (uint32_t day = 0; day < 2000; day++) {
        uint8_t b = seal_message_bucket(f.keys, 5, day);
        ck_assert_uint_ge(b, SEAL_BUCKET_MESSAGE);
        ck_assert_uint_eq(b, seal_message_bucket(f.keys, 5, day));
        distinct += !seen[b];
        seen[b] = true;
    }
    ck_assert_uint_gt(distinct, 230);
    teardown(&f);
}
END_TEST

START_TEST(a_crash_while_keys_are_made_leaves_none)
{
    struct store_mem *mem = store_mem_new();
    struct unit_env env;
    struct arena arena;
    struct store store;
    uint8_t root[SEAL_KEY] = {1};
    unit_env_init(&env, 1, 0);
    arena_init(&arena, 1 << 20);
    struct turn turn = {.env = &env.env, .store = &store, .arena = &arena};
    struct seal_keys *keys = seal_keys_new_account(1, root);
    store_mem_crash_at(mem, SEAL_KEY_ROWS / 2);
    store_mem_begin(mem, &store);
    ck_assert_err(seal_keys_create(keys, &turn), ERR_IO);
    store_mem_abort(mem);
    ck_assert_uint_eq(store_mem_count(mem, STORE_BUCKET), 0);
    seal_keys_free(keys);
    arena_fini(&arena);
    store_mem_free(mem);
}
END_TEST

/* --- forgetting --- */

static struct slice copy_of(struct fixture *f, enum store_table t, struct slice key)
{
    struct slice row;
    ck_assert_ok(store_get(&f->store, t, key, &row));
    return arena_copy(&f->arena, row);
}

static bool is_stale(struct fixture *f, const struct seal_set *set, struct slice key)
{
    bool stale;
    ck_assert_ok(seal_stale(f->keys, &f->turn, set, copy_of(f, STORE_SESSION, key), &stale));
    return stale;
}

START_TEST(deleting_touches_and_so_does_replacing_a_secret)
{
    struct fixture f;
    setup(&f);
    struct seal_set *touched = seal_touched(f.keys);
    ck_assert(seal_set_empty(touched));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_MESSAGE, unit_str("m"), 77, unit_str("hello")));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_MESSAGE, unit_str("m"), 77, unit_str("read")));
    ck_assert(seal_set_empty(touched)); /* what was there is there still */
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("s"), 9, unit_str("key")));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_PREKEY, unit_str("p"), 0, unit_str("key")));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_OUTBOX, unit_str("o"), 14, unit_str("text")));
    ck_assert_ok(seal_del(f.keys, &f.turn, STORE_MESSAGE, unit_str("m")));
    ck_assert_err(seal_del(f.keys, &f.turn, STORE_MESSAGE, unit_str("m")), ERR_NOT_FOUND);
    static const uint8_t lie[SEAL_OVERHEAD] = {1, SEAL_BUCKET_ACCOUNT, 0, 0, 0, 1};
    ck_assert_ok(store_put(&f.store, STORE_MESSAGE, unit_str("m"), slice_of(lie, sizeof lie)));
    ck_assert_err(seal_del(f.keys, &f.turn, STORE_MESSAGE, unit_str("m")), ERR_CORRUPT);
    for (unsigned b = 0; b < SEAL_BUCKETS; b++) {
        ck_assert(seal_set_has(touched, (uint8_t)b) == (b == 77 || b == 9 || b == 0 || b == 14));
    }
    teardown(&f);
}
END_TEST

START_TEST(a_renewed_bucket_opens_its_old_rows_until_they_are_sealed_again)
{
    struct fixture f;
    struct seal_set set;
    struct slice plain;
    setup(&f);
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("a"), 3, unit_str("old")));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("b"), 4, unit_str("other")));
    ck_assert_ok(seal_renewing(f.keys, &f.turn, &set));
    ck_assert(seal_set_empty(&set));
    ck_assert_ok(seal_renew(f.keys, &f.turn, 3));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("c"), 3, unit_str("new")));
    ck_assert_ok(seal_renewing(f.keys, &f.turn, &set));
    for (unsigned b = 0; b < SEAL_BUCKETS; b++) {
        ck_assert(seal_set_has(&set, (uint8_t)b) == (b == 3));
    }
    ck_assert(is_stale(&f, &set, unit_str("a")));
    ck_assert(!is_stale(&f, &set, unit_str("b")));
    ck_assert(!is_stale(&f, &set, unit_str("c")));
    ck_assert_ok(seal_again(f.keys, &f.turn, STORE_SESSION, unit_str("a"),
                            copy_of(&f, STORE_SESSION, unit_str("a"))));
    ck_assert(!is_stale(&f, &set, unit_str("a")));
    struct seal_keys *fresh = seal_keys_new_account(1, f.root);
    ck_assert_ok(seal_get(fresh, &f.turn, STORE_SESSION, unit_str("a"), &plain));
    ck_assert(slice_equal(plain, unit_str("old")));
    ck_assert_ok(seal_get(fresh, &f.turn, STORE_SESSION, unit_str("c"), &plain));
    ck_assert(slice_equal(plain, unit_str("new")));
    seal_keys_free(fresh);
    teardown(&f);
}
END_TEST

/* As programs before schema 5 kept them: each key in a row of its own. */
static void keep_singly(struct fixture *f)
{
    for (unsigned b = 0; b < SEAL_BUCKETS; b++) {
        if (b % SEAL_PACK == 0) {
            struct store_key pack = key_place((uint8_t)b, 0);
            ck_assert_ok(store_del(&f->store, STORE_BUCKET, store_key_slice(&pack)));
        }
        put_single(f, (uint8_t)b, 1, (uint8_t)b);
    }
    ck_assert_uint_eq(store_mem_count(f->mem, STORE_BUCKET), SEAL_BUCKETS + 1);
    seal_keys_free(f->keys);
    f->keys = seal_keys_new_account(1, f->root);
}

/* A pack is damaged: that costs its buckets, and not the account's. */
START_TEST(the_key_of_the_account_depends_on_no_other)
{
    struct fixture f;
    struct slice plain;
    setup(&f);
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_CONTACT, unit_str("a"), SEAL_BUCKET_ACCOUNT,
                          unit_str("identity")));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_SESSION, unit_str("b"), 14, unit_str("ratchet")));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_MESSAGE, unit_str("c"), 16, unit_str("text")));
    struct store_key pack = key_place(0, 0);
    struct slice row = copy_of(&f, STORE_BUCKET, store_key_slice(&pack));
    uint8_t bytes[1024];
    memcpy(bytes, row.p, row.len);
    bytes[100] ^= 1;
    ck_assert_ok(
        store_put(&f.store, STORE_BUCKET, store_key_slice(&pack), slice_of(bytes, row.len)));
    struct seal_keys *fresh = seal_keys_new_account(1, f.root);
    ck_assert_ok(seal_get(fresh, &f.turn, STORE_CONTACT, unit_str("a"), &plain));
    ck_assert_err(seal_get(fresh, &f.turn, STORE_SESSION, unit_str("b"), &plain), ERR_CORRUPT);
    ck_assert_ok(seal_get(fresh, &f.turn, STORE_MESSAGE, unit_str("c"), &plain));
    ck_assert_err(seal_whole(fresh, &f.turn), ERR_CORRUPT);
    seal_keys_free(fresh);
    teardown(&f);
}
END_TEST

/* A pack whose keys are ones, each of generation 1 but one. */
static void put_pack(struct fixture *f, uint8_t first, uint8_t odd, uint8_t generation)
{
    uint8_t plain[SEAL_PACK * (4 + SEAL_KEY)];
    struct writer w = writer_of(plain, sizeof plain);
    for (unsigned i = 0; i < SEAL_PACK; i++) {
        writer_u32(&w, first + i == odd ? generation : 1);
        memset(writer_reserve(&w, SEAL_KEY), 1, SEAL_KEY);
    }
    put_wrapped(f, first, 0, 0, writer_done(&w));
}

START_TEST(a_pack_without_a_key_is_corrupt_for_its_bucket)
{
    struct fixture f;
    struct slice plain;
    setup(&f);
    put_pack(&f, 16, 20, 0);
    struct seal_keys *fresh = seal_keys_new_account(1, f.root);
    ck_assert_ok(seal_put(fresh, &f.turn, STORE_MESSAGE, unit_str("a"), 19, unit_str("1")));
    ck_assert_ok(seal_get(fresh, &f.turn, STORE_MESSAGE, unit_str("a"), &plain));
    ck_assert_err(seal_put(fresh, &f.turn, STORE_MESSAGE, unit_str("b"), 20, unit_str("1")),
                  ERR_CORRUPT);
    ck_assert_err(seal_renew(fresh, &f.turn, 20), ERR_CORRUPT);
    ck_assert_err(seal_whole(fresh, &f.turn), ERR_CORRUPT);
    put_pack(&f, 16, 20, 3);
    ck_assert_ok(seal_put(fresh, &f.turn, STORE_MESSAGE, unit_str("b"), 20, unit_str("1")));
    put_pack(&f, 16, 20, 2); /* of a generation that the row does not name */
    struct seal_keys *other = seal_keys_new_account(1, f.root);
    ck_assert_err(seal_get(other, &f.turn, STORE_MESSAGE, unit_str("b"), &plain), ERR_CORRUPT);
    seal_keys_free(other);
    seal_keys_free(fresh);
    teardown(&f);
}
END_TEST

START_TEST(keys_that_lie_singly_are_read_renewed_and_packed_with_the_next_root)
{
    struct fixture f;
    struct seal_set set;
    struct slice plain;
    uint8_t next[SEAL_KEY];
    setup(&f);
    keep_singly(&f);
    memset(next, 0x22, sizeof next);
    for (unsigned b = 0; b < SEAL_BUCKETS; b++) {
        uint8_t key = (uint8_t)b;
        ck_assert_ok(seal_put(f.keys, &f.turn, table_of(b), slice_of(&key, 1), (uint8_t)b,
                              slice_of(&key, 1)));
    }
    ck_assert_ok(seal_renewing(f.keys, &f.turn, &set));
    ck_assert(seal_set_empty(&set));
    ck_assert_ok(seal_renew(f.keys, &f.turn, 32));
    ck_assert_ok(seal_renewing(f.keys, &f.turn, &set));
    ck_assert(seal_set_has(&set, 32));
    seal_set_remove(&set, 32);
    ck_assert(seal_set_empty(&set));
    struct slice at = slice_of("\x20", 1);
    seal_keys_free(f.keys);
    f.keys = seal_keys_new_account(1, f.root);
    ck_assert_ok(seal_get(f.keys, &f.turn, STORE_OUTBOX, at, &plain)); /* under the older one */
    ck_assert_ok(seal_again(f.keys, &f.turn, STORE_OUTBOX, at, copy_of(&f, STORE_OUTBOX, at)));
    ck_assert_ok(seal_reroot(f.keys, &f.turn, next, 2));
    ck_assert_uint_eq(store_mem_count(f.mem, STORE_BUCKET), SEAL_KEY_ROWS);
    struct seal_keys *fresh = seal_keys_new_account(1, next);
    for (unsigned b = 0; b < SEAL_BUCKETS; b++) {
        uint8_t key = (uint8_t)b;
        ck_assert_ok(seal_get(fresh, &f.turn, table_of(b), slice_of(&key, 1), &plain));
        ck_assert(slice_equal(plain, slice_of(&key, 1)));
    }
    seal_keys_free(fresh);
    teardown(&f);
}
END_TEST

START_TEST(under_another_root_what_was_deleted_opens_no_more)
{
    struct fixture f;
    struct slice plain;
    uint8_t next[SEAL_KEY];
    uint32_t generation;
    setup(&f);
    memset(next, 0x22, sizeof next);
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_MESSAGE, unit_str("a"), 99, unit_str("stays")));
    ck_assert_ok(seal_put(f.keys, &f.turn, STORE_MESSAGE, unit_str("b"), 99, unit_str("goes")));
    struct slice gone = copy_of(&f, STORE_MESSAGE, unit_str("b"));
    struct store_key pack = key_place(99 / SEAL_PACK * SEAL_PACK, 0);
    struct slice wrapped = copy_of(&f, STORE_BUCKET, store_key_slice(&pack));
    struct store_key single = key_place(99, 2);
    ck_assert_ok(seal_del(f.keys, &f.turn, STORE_MESSAGE, unit_str("b")));
    ck_assert_ok(seal_renew(f.keys, &f.turn, 99));
    ck_assert_ok(seal_again(f.keys, &f.turn, STORE_MESSAGE, unit_str("a"),
                            copy_of(&f, STORE_MESSAGE, unit_str("a"))));
    struct slice second = copy_of(&f, STORE_BUCKET, store_key_slice(&single));
    struct slice under_second = copy_of(&f, STORE_MESSAGE, unit_str("a"));
    ck_assert_ok(seal_reroot(f.keys, &f.turn, next, 2));
    ck_assert_uint_eq(store_mem_count(f.mem, STORE_BUCKET), SEAL_KEY_ROWS);
    ck_assert_uint_eq(seal_root(f.keys), 2);
    ck_assert_ok(seal_root_named(&f.store, 1, &generation));
    ck_assert_uint_eq(generation, 2);
    ck_assert_err(seal_root_named(&f.store, 2, &generation), ERR_NOT_FOUND);

    /* All that is there, and what was there: the row, and the key that it was sealed under. */
    ck_assert_ok(store_put(&f.store, STORE_MESSAGE, unit_str("b"), gone));
    struct slice good = copy_of(&f, STORE_BUCKET, store_key_slice(&pack));
    for (int copied = 0; copied < 2; copied++) {
        struct seal_keys *fresh = seal_keys_new_account(1, next);
        enum err err = seal_get(fresh, &f.turn, STORE_MESSAGE, unit_str("a"), &plain);
        ck_assert_err(err, copied ? ERR_CORRUPT : ERR_OK);
        ck_assert(copied || slice_equal(plain, unit_str("stays")));
        ck_assert_err(seal_get(fresh, &f.turn, STORE_MESSAGE, unit_str("b"), &plain), ERR_CORRUPT);
        seal_keys_free(fresh);
        ck_assert_ok(store_put(&f.store, STORE_BUCKET, store_key_slice(&pack), wrapped));
    }
    struct seal_keys *former = seal_keys_new_account(1, f.root);
    ck_assert_err(seal_keys_load(former, &f.turn), ERR_CORRUPT);
    seal_keys_free(former);

    /* With the keys in memory, and a key that lay by itself under the root of before. */
    ck_assert_ok(store_put(&f.store, STORE_BUCKET, store_key_slice(&pack), good));
    memset(next, 0x33, sizeof next);
    ck_assert_ok(seal_renew(f.keys, &f.turn, 99));
    ck_assert_ok(seal_again(f.keys, &f.turn, STORE_MESSAGE, unit_str("a"), under_second));
    ck_assert_ok(seal_reroot(f.keys, &f.turn, next, 3));
    ck_assert_ok(seal_get(f.keys, &f.turn, STORE_MESSAGE, unit_str("a"), &plain));
    ck_assert_ok(store_put(&f.store, STORE_BUCKET, store_key_slice(&single), second));
    ck_assert_ok(store_put(&f.store, STORE_MESSAGE, unit_str("b"), under_second));
    ck_assert_err(seal_get(f.keys, &f.turn, STORE_MESSAGE, unit_str("b"), &plain), ERR_CORRUPT);
    teardown(&f);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_is_sealed_opens_again_also_with_fresh_keys);
    tcase_add_test(tc, sizes_from_nothing_to_the_largest_go_through);
    tcase_add_test(tc, every_flipped_byte_is_noticed);
    tcase_add_test(tc, a_row_that_was_moved_does_not_open);
    tcase_add_test(tc, another_root_and_another_account_open_nothing);
    tcase_add_test(tc, a_swapped_bucket_key_is_noticed);
    tcase_add_test(tc, new_rows_take_the_newest_generation_and_older_rows_still_open);
    tcase_add_test(tc, the_node_has_one_key_and_needs_no_rows);
    tcase_add_test(tc, names_depend_on_label_name_and_account_and_last);
    tcase_add_test(tc, message_buckets_spread_over_their_range);
    tcase_add_test(tc, a_crash_while_keys_are_made_leaves_none);
    tcase_add_test(tc, deleting_touches_and_so_does_replacing_a_secret);
    tcase_add_test(tc, a_renewed_bucket_opens_its_old_rows_until_they_are_sealed_again);
    tcase_add_test(tc, the_key_of_the_account_depends_on_no_other);
    tcase_add_test(tc, a_pack_without_a_key_is_corrupt_for_its_bucket);
    tcase_add_test(tc, keys_that_lie_singly_are_read_renewed_and_packed_with_the_next_root);
    tcase_add_test(tc, under_another_root_what_was_deleted_opens_no_more);
}

int main(void)
{
    return unit_main("store/seal", add);
}
