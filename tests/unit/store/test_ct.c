/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time, see lib/ct.h: rows sealed at rest, their keys, and the erase file.
 */
#include <string.h>

#include "lib/ct.h"
#include "store/erase.h"
#include "store/mem.h"
#include "store/seal.h"

START_TEST(a_row_sealed_opened_and_refused)
{
    struct unit_env u;
    struct seal_key key = {.generation = 3};
    struct seal_place at;
    struct seal_header header;
    uint8_t plain[70];
    uint8_t got[70];
    uint8_t row[sizeof plain + SEAL_OVERHEAD];
    unit_env_init(&u, 1, 0);
    ct_fill(key.key.b, sizeof key.key.b, 1);
    ct_fill(plain, sizeof plain, 2);
    struct slice place = seal_place_of(&at, STORE_SESSION, unit_str("key"));
    seal_row_write(row, &u.env, 4, &key, place, slice_of(plain, sizeof plain));
    ck_assert_ok(seal_row_header(slice_of(row, sizeof row), &header));
    ck_assert_uint_eq(header.bucket, 4);
    ck_assert_ok(seal_row_read(got, &key.key, place, slice_of(row, sizeof row)));
    CT_PUBLIC(plain, sizeof plain);
    CT_PUBLIC(got, sizeof got);
    ck_assert_mem_eq(got, plain, sizeof got);
    row[sizeof row - 1] ^= 1;
    ck_assert_err(seal_row_read(got, &key.key, place, slice_of(row, sizeof row)), ERR_CORRUPT);
}
END_TEST

START_TEST(an_erase_file_written_and_opened)
{
    struct erase_file file;
    struct erase_file again;
    uint8_t secret[SEAL_KEY];
    uint8_t root[SEAL_KEY];
    uint8_t got[SEAL_KEY];
    const uint8_t nonce[PRIM_AEAD_NONCE] = {9};
    static uint8_t bytes[ERASE_FILE];
    memset(&file, 0, sizeof file);
    file.account = 1;
    file.kdf.kind = ERASE_KDF_KEY_FILE;
    ct_fill(secret, sizeof secret, 1);
    ct_fill(root, sizeof root, 2);
    erase_slot_seal(&file, 1, 5, secret, nonce, root);
    erase_encode(bytes, &file);
    ck_assert_ok(erase_decode(&again, slice_of(bytes, sizeof bytes)));
    ck_assert_int_eq(erase_newest(&again), 1);
    ck_assert_ok(erase_slot_open(&again, 1, secret, got));
    CT_PUBLIC(root, sizeof root);
    CT_PUBLIC(got, sizeof got);
    ck_assert_mem_eq(got, root, sizeof got);
    secret[0] ^= 1;
    ck_assert_err(erase_slot_open(&again, 1, secret, got), ERR_WRONG_KEY);
}
END_TEST

struct fixture {
    struct unit_env u;
    struct ct_env c;
    struct env env;
    struct store_mem *mem;
    struct store store;
    struct arena arena;
    struct turn turn;
};

static void fixture_init(struct fixture *f)
{
    unit_env_init(&f->u, 7, 1000);
    f->env = ct_env_of(&f->c, &f->u.env);
    f->mem = store_mem_new();
    store_mem_begin(f->mem, &f->store);
    arena_init(&f->arena, 1 << 22);
    f->turn = (struct turn){.env = &f->env, .store = &f->store, .arena = &f->arena};
}

static void fixture_fini(struct fixture *f)
{
    arena_fini(&f->arena);
    store_mem_free(f->mem);
}

/* Puts a secret, gets it back, and names it. */
static void put_and_get(struct fixture *f, struct seal_keys *keys, uint8_t bucket,
                        enum store_table table)
{
    uint8_t plain[40];
    uint8_t name[SEAL_NAME];
    struct slice got;
    struct slice row;
    struct slice key = slice_of(&bucket, 1);
    ct_fill(plain, sizeof plain, bucket);
    ck_assert_ok(seal_put(keys, &f->turn, table, key, bucket, slice_of(plain, sizeof plain)));
    ck_assert_ok(seal_get(keys, &f->turn, table, key, &got));
    ck_assert_ok(store_get(&f->store, table, key, &row));
    ck_assert_ok(seal_open(keys, &f->turn, table, key, row, &got));
    ck_assert_uint_eq(got.len, sizeof plain);
    seal_name(keys, "petrel/1 test", slice_of(plain, sizeof plain), name);
    ck_assert_ok(store_put(&f->store, STORE_CONTACT_ID, slice_of(name, sizeof name), key));
    CT_PUBLIC(plain, sizeof plain);
    CT_PUBLIC(got.p, got.len);
    ck_assert_mem_eq(got.p, plain, sizeof plain);
}

START_TEST(the_keys_of_an_account_and_their_renewal)
{
    struct fixture f;
    struct seal_set set;
    struct slice row;
    uint8_t root[SEAL_KEY];
    uint8_t bucket = 3;
    bool stale = false;
    struct slice at = slice_of(&bucket, 1);
    fixture_init(&f);
    ct_fill(root, sizeof root, 1);
    struct seal_keys *keys = seal_keys_new_account(1, root);
    ck_assert_ok(seal_keys_create(keys, &f.turn));
    put_and_get(&f, keys, bucket, STORE_SESSION);
    put_and_get(&f, keys, seal_message_bucket(keys, 5, 6), STORE_MESSAGE);
    ck_assert_ok(seal_append(keys, &f.turn, STORE_SESSION, unit_str("last"), 4, unit_str("x")));
    ck_assert_ok(seal_renew(keys, &f.turn, bucket));
    ck_assert_ok(seal_renewing(keys, &f.turn, &set));
    ck_assert(seal_set_has(&set, bucket));
    ck_assert_ok(store_get(&f.store, STORE_SESSION, at, &row));
    ck_assert_ok(seal_stale(keys, &f.turn, &set, row, &stale));
    ck_assert(stale);
    ck_assert_ok(seal_again(keys, &f.turn, STORE_SESSION, at, row));
    ck_assert_ok(seal_del(keys, &f.turn, STORE_SESSION, unit_str("last")));
    seal_keys_free(keys);

    keys = seal_keys_new_account(1, root);
    ck_assert_ok(seal_keys_load(keys, &f.turn));
    ck_assert_ok(seal_whole(keys, &f.turn));
    ct_fill(root, sizeof root, 2);
    ck_assert_ok(seal_reroot(keys, &f.turn, root, 2));
    put_and_get(&f, keys, bucket, STORE_SESSION);
    seal_keys_free(keys);

    root[0] ^= 1; /* another one */
    keys = seal_keys_new_account(1, root);
    ck_assert_err(seal_keys_load(keys, &f.turn), ERR_CORRUPT);
    seal_keys_free(keys);
    fixture_fini(&f);
}
END_TEST

START_TEST(the_keys_of_the_node)
{
    struct fixture f;
    uint8_t key[SEAL_KEY];
    fixture_init(&f);
    ct_fill(key, sizeof key, 1);
    struct seal_keys *keys = seal_keys_new_node(key);
    put_and_get(&f, keys, 0, STORE_QUEUE);
    seal_keys_free(keys);
    fixture_fini(&f);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_row_sealed_opened_and_refused);
    tcase_add_test(tc, an_erase_file_written_and_opened);
    tcase_add_test(tc, the_keys_of_an_account_and_their_renewal);
    tcase_add_test(tc, the_keys_of_the_node);
}

int main(void)
{
    return ct_main("store/ct", add_tests);
}
