/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/skipped.h"

#include <stdlib.h>
#include <string.h>

#include "lib/unit.h"

static struct skipped s;
static const uint64_t now = LIMIT_DAY_MS * 20000;

static void setup(void)
{
    skipped_init(&s);
}

static void teardown(void)
{
    skipped_fini(&s);
}

static void add_keys(uint32_t chain, uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct skipped_key k = {.chain = chain, .n = from + i, .hour = skipped_hour(now)};
        memset(k.key, (int)(from + i) & 0xff, sizeof k.key);
        ck_assert_ok(skipped_reserve(&s, 1));
        skipped_add(&s, &k, 1);
    }
}

static void close_chain(uint32_t serial)
{
    struct skipped_chain c = {.serial = serial, .end = 100};
    skipped_close_chain(&s, &c);
}

START_TEST(keys_are_found_by_chain_and_number)
{
    add_keys(1, 5, 3);
    add_keys(2, 5, 1);
    const struct skipped_key *k = skipped_find(&s, 1, 6, now);
    ck_assert_ptr_nonnull(k);
    ck_assert_uint_eq(k->key[0], 6);
    ck_assert_ptr_null(skipped_find(&s, 1, 8, now));
    ck_assert_ptr_null(skipped_find(&s, 3, 5, now));
    skipped_remove(&s, 1, 6);
    ck_assert_ptr_null(skipped_find(&s, 1, 6, now));
    skipped_remove(&s, 1, 6);
    ck_assert_uint_eq(s.count, 3);
    static const uint8_t wiped[32];
    ck_assert_mem_eq(s.keys[3].key, wiped, sizeof wiped); /* what was behind the last */
}
END_TEST

START_TEST(above_2000_the_oldest_go)
{
    add_keys(1, 0, LIMIT_SKIPPED_KEYS);
    ck_assert_uint_eq(s.cap, LIMIT_SKIPPED_KEYS);
    add_keys(1, LIMIT_SKIPPED_KEYS, 3);
    ck_assert_uint_eq(s.count, LIMIT_SKIPPED_KEYS);
    ck_assert_ptr_null(skipped_find(&s, 1, 2, now));
    ck_assert_ptr_nonnull(skipped_find(&s, 1, 3, now));
    ck_assert_ptr_nonnull(skipped_find(&s, 1, LIMIT_SKIPPED_KEYS + 2, now));
    /* more at once than are kept at all */
    static struct skipped_key many[LIMIT_SKIPPED_KEYS + 100];
    for (uint32_t i = 0; i < LIMIT_SKIPPED_KEYS + 100; i++) {
        many[i] = (struct skipped_key){.chain = 9, .n = i, .hour = skipped_hour(now)};
    }
    ck_assert_ok(skipped_reserve(&s, LIMIT_SKIPPED_KEYS + 100));
    skipped_add(&s, many, LIMIT_SKIPPED_KEYS + 100);
    ck_assert_uint_eq(s.count, LIMIT_SKIPPED_KEYS);
    ck_assert_ptr_null(skipped_find(&s, 9, 99, now));
    ck_assert_ptr_nonnull(skipped_find(&s, 9, 100, now));
}
END_TEST

START_TEST(eight_past_chains_are_kept)
{
    for (uint32_t i = 1; i <= 10; i++) {
        add_keys(i, 0, 2);
        close_chain(i);
    }
    ck_assert_uint_eq(s.chain_count, LIMIT_SKIPPED_CHAINS);
    ck_assert_uint_eq(s.count, 2 * LIMIT_SKIPPED_CHAINS);
    ck_assert_uint_eq(s.chains[0].serial, 3);
    ck_assert_ptr_null(skipped_find(&s, 2, 0, now));
    ck_assert_ptr_nonnull(skipped_find(&s, 3, 0, now));
}
END_TEST

START_TEST(chains_without_keys_go_but_for_the_newest_two)
{
    add_keys(1, 0, 1);
    for (uint32_t i = 1; i <= 5; i++) {
        close_chain(i);
    }
    ck_assert_uint_eq(s.chain_count, 3);
    ck_assert_uint_eq(s.chains[0].serial, 1);
    ck_assert_uint_eq(s.chains[1].serial, 4);
    skipped_remove(&s, 1, 0);
    ck_assert_uint_eq(s.chain_count, 2);
}
END_TEST

START_TEST(keys_of_37_days_expire)
{
    add_keys(1, 0, 2);
    s.keys[0].hour -= 36 * 24;
    ck_assert_ptr_nonnull(skipped_find(&s, 1, 0, now));
    ck_assert(!skipped_expire(&s, now));
    ck_assert_ptr_null(skipped_find(&s, 1, 0, now + LIMIT_DAY_MS));
    ck_assert(skipped_expire(&s, now + LIMIT_DAY_MS));
    ck_assert_uint_eq(s.count, 1);
    ck_assert(!skipped_expire(&s, now + LIMIT_DAY_MS));
    ck_assert(skipped_expire(&s, UINT64_MAX));
    ck_assert_uint_eq(s.count, 0);
}
END_TEST

static enum err load_saved(struct skipped *out, const uint8_t *bytes, size_t len, uint32_t present)
{
    struct reader r = reader_of(slice_of(bytes, len));
    skipped_init(out);
    enum err err = skipped_load(out, &r, present);
    return err == ERR_OK ? reader_end(&r) : err;
}

START_TEST(what_is_saved_is_loaded)
{
    add_keys(1, 0, 3);
    close_chain(1);
    close_chain(2);
    add_keys(3, 7, 2);
    uint8_t bytes[1024];
    struct writer w = writer_of(bytes, sizeof bytes);
    skipped_save(&s, &w);
    ck_assert_uint_eq(w.len, skipped_saved_size(&s));
    struct skipped back;
    ck_assert_ok(load_saved(&back, bytes, w.len, 3));
    ck_assert_uint_eq(back.count, s.count);
    ck_assert_mem_eq(back.keys, s.keys, s.count * sizeof *s.keys);
    ck_assert_mem_eq(back.chains, s.chains, sizeof s.chains);
    skipped_fini(&back);
    /* keys of a chain that is not there, chains out of order or newer than the present one */
    ck_assert_err(load_saved(&back, bytes, w.len, 4), ERR_CORRUPT);
    skipped_fini(&back);
    ck_assert_err(load_saved(&back, bytes, w.len, 2), ERR_CORRUPT);
    skipped_fini(&back);
    bytes[0] = LIMIT_SKIPPED_CHAINS + 1;
    ck_assert_err(load_saved(&back, bytes, w.len, 3), ERR_CORRUPT);
    skipped_fini(&back);
    bytes[0] = 2;
    bytes[4] = 2; /* serial of the first chain */
    ck_assert_err(load_saved(&back, bytes, w.len, 3), ERR_CORRUPT);
    skipped_fini(&back);
    static const uint8_t too_many[3] = {0, (LIMIT_SKIPPED_KEYS + 1) >> 8,
                                        (LIMIT_SKIPPED_KEYS + 1) & 0xff};
    ck_assert_err(load_saved(&back, too_many, sizeof too_many, 1), ERR_CORRUPT);
    skipped_fini(&back);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, keys_are_found_by_chain_and_number);
    tcase_add_test(tc, above_2000_the_oldest_go);
    tcase_add_test(tc, eight_past_chains_are_kept);
    tcase_add_test(tc, chains_without_keys_go_but_for_the_newest_two);
    tcase_add_test(tc, keys_of_37_days_expire);
    tcase_add_test(tc, what_is_saved_is_loaded);
}

int main(void)
{
    return unit_main("pair/skipped", add);
}
