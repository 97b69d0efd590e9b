/* SPDX-License-Identifier: Apache-2.0
 *
 * Replays tests/data/vectors/at_rest.json, which a second implementation made (at_rest.py).
 */
#include <string.h>

#include "lib/unit.h"
#include "lib/vectors.h"
#include "store/erase.h"
#include "store/mem.h"
#include "store/seal.h"

/* Randomness that is the nonce of a vector. */
static void nonce_random(void *ctx, uint8_t *out, size_t len)
{
    const struct slice *nonce = ctx;
    ck_assert_uint_eq(len, nonce->len);
    memcpy(out, nonce->p, len);
}

struct fixture {
    json_t *root;
    json_t *v; /* the group under test */
    struct store_mem *mem;
    struct store store;
    struct arena arena;
    struct slice nonce;
    struct env env;
    struct turn turn;
};

static void setup(struct fixture *f, const char *group)
{
    f->root = json_load_file(PETREL_TEST_DIR "/data/vectors/at_rest.json", 0, NULL);
    ck_assert_ptr_nonnull(f->root);
    f->v = json_object_get(f->root, group);
    ck_assert_ptr_nonnull(f->v);
    f->mem = store_mem_new();
    store_mem_begin(f->mem, &f->store);
    arena_init(&f->arena, 1 << 20);
    f->nonce = vectors_hex(f->v, "nonce");
    f->env = (struct env){.random = nonce_random, .random_ctx = &f->nonce};
    f->turn = (struct turn){.env = &f->env, .store = &f->store, .arena = &f->arena};
}

static void teardown(struct fixture *f)
{
    vectors_free(f->nonce);
    arena_fini(&f->arena);
    store_mem_free(f->mem);
    json_decref(f->root);
}

static uint64_t number(const struct fixture *f, const char *member)
{
    json_t *n = json_object_get(f->v, member);
    ck_assert(json_is_integer(n));
    return (uint64_t)json_integer_value(n);
}

static void put_row(struct fixture *f, const char *at, const char *row)
{
    struct slice k = vectors_hex(f->v, at);
    struct slice v = vectors_hex(f->v, row);
    ck_assert_ok(store_put(&f->store, STORE_BUCKET, k, v));
    vectors_free(k);
    vectors_free(v);
}

/* Seals and opens the group's row, and hashes its name. */
static void check_row(struct fixture *f, struct seal_keys *keys, enum store_table t, uint8_t bucket)
{
    struct slice at = vectors_hex(f->v, "at");
    struct slice plain = vectors_hex(f->v, "plain");
    struct slice want = vectors_hex(f->v, "row");
    struct slice got;
    ck_assert_str_eq(json_string_value(json_object_get(f->v, "table")), store_table_name(t));
    ck_assert_ok(seal_put(keys, &f->turn, t, at, bucket, plain));
    ck_assert_ok(store_get(&f->store, t, at, &got));
    ck_assert(slice_equal(got, want));
    ck_assert_ok(seal_open(keys, &f->turn, t, at, want, &got));
    ck_assert(slice_equal(got, plain));
    vectors_free(at);
    vectors_free(plain);
    vectors_free(want);

    uint8_t hash[SEAL_NAME];
    struct slice name = vectors_hex(f->v, "name");
    want = vectors_hex(f->v, "name_hash");
    seal_name(keys, json_string_value(json_object_get(f->v, "name_label")), name, hash);
    ck_assert(slice_equal(slice_of(hash, sizeof hash), want));
    vectors_free(name);
    vectors_free(want);
}

/* The bucket's key in its pack, and by itself. */
START_TEST(rows_and_names_of_an_account)
{
    struct fixture f;
    setup(&f, "account");
    if (_i == 0) {
        put_row(&f, "pack_at", "pack_row");
    } else {
        put_row(&f, "bucket_key_at", "bucket_key_row");
    }
    put_row(&f, "name_key_at", "name_key_row");
    struct slice root = vectors_hex(f.v, "root");
    struct seal_keys *keys = seal_keys_new_account((uint32_t)number(&f, "account"), root.p);
    check_row(&f, keys, STORE_SESSION, (uint8_t)number(&f, "bucket"));
    ck_assert_uint_eq(seal_message_bucket(keys, (uint32_t)number(&f, "conversation"),
                                          (uint32_t)number(&f, "day")),
                      number(&f, "message_bucket"));
    seal_keys_free(keys);
    vectors_free(root);
    teardown(&f);
}
END_TEST

START_TEST(rows_and_names_of_the_node)
{
    struct fixture f;
    setup(&f, "node");
    struct slice key = vectors_hex(f.v, "key");
    struct seal_keys *keys = seal_keys_new_node(key.p);
    check_row(&f, keys, STORE_QUEUE, 0);
    seal_keys_free(keys);
    vectors_free(key);
    teardown(&f);
}
END_TEST

START_TEST(the_erase_file)
{
    struct fixture f;
    uint8_t bytes[ERASE_FILE];
    uint8_t got[SEAL_KEY];
    setup(&f, "erase");
    struct slice secret = vectors_hex(f.v, "secret");
    struct slice root = vectors_hex(f.v, "root");
    struct slice salt = vectors_hex(f.v, "salt");
    struct slice header = vectors_hex(f.v, "header");
    struct slice slot = vectors_hex(f.v, "slot_bytes");
    unsigned index = (unsigned)number(&f, "slot");
    struct erase_file file = {.account = (uint32_t)number(&f, "account"),
                              .kdf.kind = (enum erase_kdf_kind)number(&f, "kind"),
                              .former = number(&f, "former")};
    ck_assert_uint_eq(salt.len, ERASE_SALT);
    memcpy(file.kdf.salt, salt.p, salt.len);
    erase_slot_seal(&file, index, number(&f, "generation"), secret.p, f.nonce.p, root.p);
    erase_encode(bytes, &file);
    ck_assert(slice_equal(slice_of(bytes, header.len), header));
    ck_assert(slice_equal(slice_of(bytes + (index + 1) * ERASE_BLOCK, slot.len), slot));
    ck_assert_ok(erase_decode(&file, slice_of(bytes, sizeof bytes)));
    ck_assert_uint_eq(file.former, number(&f, "former"));
    ck_assert_ok(erase_slot_open(&file, index, secret.p, got));
    ck_assert(slice_equal(slice_of(got, sizeof got), root));
    vectors_free(secret);
    vectors_free(root);
    vectors_free(salt);
    vectors_free(header);
    vectors_free(slot);
    teardown(&f);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, rows_and_names_of_an_account, 0, 2);
    tcase_add_test(tc, rows_and_names_of_the_node);
    tcase_add_test(tc, the_erase_file);
}

int main(void)
{
    return unit_main("store/at_rest", add);
}
