/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mem.h"

#include <stdlib.h>
#include <string.h>

#include "lib/twin.h"
#include "lib/unit.h"

/* The reference: an unsorted array that is searched from end to end and copied for a transaction.
 */
enum {
    REF_ROWS = 2048,
};

struct ref_row {
    enum store_table table;
    struct store_key key;
    uint8_t *value;
    size_t len;
};

struct ref {
    struct ref_row rows[REF_ROWS];
    size_t count;
    struct ref_row saved[REF_ROWS];
    size_t saved_count;
};

static int ref_cmp(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int c = len > 0 ? memcmp(a.p, b.p, len) : 0;
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static struct ref_row *ref_find(struct ref *r, enum store_table t, struct slice key)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->rows[i].table == t && slice_equal(store_key_slice(&r->rows[i].key), key)) {
            return &r->rows[i];
        }
    }
    return NULL;
}

static enum err ref_get(void *ctx, enum store_table t, struct slice key, struct slice *value)
{
    struct ref_row *row = ref_find(ctx, t, key);
    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    *value = slice_of(row->value, row->len);
    return ERR_OK;
}

static bool ref_fits(enum store_seek how, int c)
{
    switch (how) {
    case STORE_GE:
        return c >= 0;
    case STORE_GT:
        return c > 0;
    case STORE_LE:
        return c <= 0;
    case STORE_LT:
        return c < 0;
    }
    return false;
}

static enum err ref_seek(void *ctx, enum store_table t, enum store_seek how, struct slice key,
                         struct store_row *out)
{
    struct ref *r = ctx;
    bool up = how == STORE_GE || how == STORE_GT;
    struct ref_row *best = NULL;
    for (size_t i = 0; i < r->count; i++) {
        struct ref_row *row = &r->rows[i];
        struct slice k = store_key_slice(&row->key);
        if (row->table != t || !ref_fits(how, ref_cmp(k, key))) {
            continue;
        }
        if (best == NULL || (ref_cmp(k, store_key_slice(&best->key)) < 0) == up) {
            best = row;
        }
    }
    if (best == NULL) {
        return ERR_NOT_FOUND;
    }
    out->key = store_key_slice(&best->key);
    out->value = slice_of(best->value, best->len);
    return ERR_OK;
}

static enum err ref_del(void *ctx, enum store_table t, struct slice key)
{
    struct ref *r = ctx;
    struct ref_row *row = ref_find(r, t, key);
    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    free(row->value);
    *row = r->rows[--r->count];
    return ERR_OK;
}

static enum err ref_put(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    struct ref *r = ctx;
    struct ref_row row = {.table = t, .key = store_key_new(), .len = value.len};
    store_key_bytes(&row.key, key.p, key.len);
    row.value = malloc(value.len + 1);
    memcpy(row.value, value.p, value.len);
    (void)ref_del(ctx, t, key);
    ck_assert_uint_lt(r->count, REF_ROWS);
    r->rows[r->count++] = row;
    return ERR_OK;
}

static enum err ref_append(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    struct store_row row;
    return ref_seek(ctx, t, STORE_GE, key, &row) == ERR_OK ? ERR_BUG : ref_put(ctx, t, key, value);
}

static const struct store_ops ref_ops = {
    .get = ref_get, .seek = ref_seek, .put = ref_put, .append = ref_append, .del = ref_del};

static void ref_rows_free(struct ref_row *rows, size_t *count)
{
    while (*count > 0) {
        free(rows[--*count].value);
    }
}

static void ref_rows_copy(struct ref_row *to, const struct ref_row *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i];
        to[i].value = malloc(from[i].len + 1);
        memcpy(to[i].value, from[i].value, from[i].len);
    }
}

static void ref_begin(void *ctx, struct store *store)
{
    struct ref *r = ctx;
    ref_rows_copy(r->saved, r->rows, r->count);
    r->saved_count = r->count;
    *store = (struct store){.ops = &ref_ops, .ctx = r, .growth = true};
}

static void ref_end(void *ctx, bool commit)
{
    struct ref *r = ctx;
    if (!commit) {
        ref_rows_free(r->rows, &r->count);
        ref_rows_copy(r->rows, r->saved, r->saved_count);
        r->count = r->saved_count;
    }
    ref_rows_free(r->saved, &r->saved_count);
}

static void mem_begin(void *ctx, struct store *store)
{
    store_mem_begin(ctx, store);
}

static void mem_end(void *ctx, bool commit)
{
    if (commit) {
        ck_assert_ok(store_mem_commit(ctx));
    } else {
        store_mem_abort(ctx);
    }
}

static void run_against_reference(bool strict)
{
    struct ref *ref = calloc(1, sizeof *ref);
    struct store_mem *m = store_mem_new();
    store_mem_strict(m, strict);
    struct twin_side a = {.ctx = ref, .begin = ref_begin, .end = ref_end};
    struct twin_side b = {.ctx = m, .begin = mem_begin, .end = mem_end};
    ck_assert_uint_gt(twin_run(&a, &b, 1 + strict, 200), 5000);
    ref_rows_free(ref->rows, &ref->count);
    free(ref);
    store_mem_free(m);
}

START_TEST(random_transactions_agree_with_the_reference)
{
    run_against_reference(false);
    run_against_reference(true);
}
END_TEST

static struct slice key_of(struct store_key *k, uint64_t v)
{
    *k = store_key_new();
    store_key_u64(k, v);
    return store_key_slice(k);
}

START_TEST(abort_restores_a_replaced_and_a_deleted_and_forgets_a_new_row)
{
    struct store_mem *m = store_mem_new();
    struct store s;
    struct slice v;
    store_mem_begin(m, &s);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("1")));
    ck_assert_ok(store_put(&s, STORE_META, unit_str("b"), unit_str("2")));
    ck_assert_ok(store_mem_commit(m));

    store_mem_begin(m, &s);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("x")));
    ck_assert_ok(store_del(&s, STORE_META, unit_str("a")));
    ck_assert_ok(store_del(&s, STORE_META, unit_str("b")));
    ck_assert_ok(store_put(&s, STORE_META, unit_str("b"), unit_str("y")));
    ck_assert_ok(store_put(&s, STORE_META, unit_str("c"), unit_str("z")));
    store_mem_abort(m);

    store_mem_begin(m, &s);
    ck_assert_ok(store_get(&s, STORE_META, unit_str("a"), &v));
    ck_assert(slice_equal(v, unit_str("1")));
    ck_assert_ok(store_get(&s, STORE_META, unit_str("b"), &v));
    ck_assert(slice_equal(v, unit_str("2")));
    ck_assert_err(store_get(&s, STORE_META, unit_str("c"), &v), ERR_NOT_FOUND);
    ck_assert_uint_eq(store_mem_count(m, STORE_META), 2);
    store_mem_abort(m);
    store_mem_free(m);
}
END_TEST

START_TEST(a_crash_strikes_before_the_kth_put_and_lasts_until_abort)
{
    struct store_mem *m = store_mem_new();
    struct store s;
    struct slice v;
    store_mem_crash_at(m, 3);
    store_mem_begin(m, &s);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("1")));
    ck_assert_ok(store_mem_commit(m));
    store_mem_begin(m, &s);
    ck_assert_ok(store_del(&s, STORE_META, unit_str("a")));
    ck_assert_err(store_put(&s, STORE_META, unit_str("b"), unit_str("2")), ERR_IO);
    ck_assert_err(store_append(&s, STORE_META, unit_str("b"), unit_str("2")), ERR_IO);
    ck_assert_err(store_get(&s, STORE_META, unit_str("a"), &v), ERR_IO);
    ck_assert_err(store_mem_commit(m), ERR_IO);
    ck_assert_uint_eq(store_mem_puts(m), 2);

    store_mem_begin(m, &s);
    ck_assert_ok(store_get(&s, STORE_META, unit_str("a"), &v));
    ck_assert_ok(store_put(&s, STORE_META, unit_str("b"), unit_str("2")));
    ck_assert_ok(store_mem_commit(m));
    ck_assert_uint_eq(store_mem_puts(m), 3);
    store_mem_free(m);
}
END_TEST

START_TEST(a_clone_goes_its_own_way)
{
    struct store_mem *m = store_mem_new();
    struct store s;
    struct store c;
    store_mem_begin(m, &s);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("1")));
    ck_assert_ok(store_mem_commit(m));
    struct store_mem *copy = store_mem_clone(m);
    ck_assert_ptr_nonnull(copy);
    store_mem_begin(m, &s);
    store_mem_begin(copy, &c);
    ck_assert_uint_gt(twin_compare(&s, &c), STORE_TABLE_COUNT);
    ck_assert_ok(store_del(&c, STORE_META, unit_str("a")));
    ck_assert_ok(store_mem_commit(copy));
    struct slice v;
    ck_assert_ok(store_get(&s, STORE_META, unit_str("a"), &v));
    store_mem_free(copy);
    store_mem_free(m); /* with its transaction open */
}
END_TEST

START_TEST(a_query_view_reads_and_refuses_to_write)
{
    struct store_mem *m = store_mem_new();
    struct store s;
    struct slice v;
    store_mem_begin(m, &s);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("a"), unit_str("1")));
    ck_assert_ok(store_mem_commit(m));
    store_mem_read(m, &s);
    ck_assert_ok(store_get(&s, STORE_META, unit_str("a"), &v));
    ck_assert_err(store_put(&s, STORE_META, unit_str("a"), unit_str("2")), ERR_BUG);
    ck_assert_err(store_append(&s, STORE_META, unit_str("b"), unit_str("2")), ERR_BUG);
    ck_assert_err(store_del(&s, STORE_META, unit_str("a")), ERR_BUG);
    store_mem_free(m);
}
END_TEST

START_TEST(seek_prefix_ends_at_the_prefix)
{
    struct store_mem *m = store_mem_new();
    struct store s;
    struct store_row row;
    store_mem_begin(m, &s);
    ck_assert_ok(store_put(&s, STORE_META, unit_str("ab1"), unit_str("1")));
    ck_assert_ok(store_put(&s, STORE_META, unit_str("b"), unit_str("2")));
    struct slice ab = unit_str("ab");
    ck_assert_ok(store_seek_prefix(&s, STORE_META, STORE_GE, ab, ab, &row));
    ck_assert(slice_equal(row.key, unit_str("ab1")));
    ck_assert_err(store_seek_prefix(&s, STORE_META, STORE_GT, unit_str("ab1"), ab, &row),
                  ERR_NOT_FOUND);
    store_mem_free(m);
}
END_TEST

START_TEST(a_hundred_thousand_rows_in_any_order)
{
    struct store_mem *m = store_mem_new();
    struct store s;
    struct store_key k;
    struct store_row row;
    store_mem_begin(m, &s);
    for (uint64_t i = 0; i < 100000; i++) {
        struct slice key = key_of(&k, i * UINT64_C(0x9e3779b97f4a7c15));
        ck_assert_ok(store_put(&s, STORE_SPENT, key, key));
    }
    ck_assert_ok(store_mem_commit(m));
    ck_assert_uint_eq(store_mem_count(m, STORE_SPENT), 100000);

    store_mem_begin(m, &s);
    size_t seen = 0;
    struct slice at = slice_of(NULL, 0);
    while (store_seek(&s, STORE_SPENT, STORE_GT, at, &row) == ERR_OK) {
        at = row.key;
        seen++;
    }
    ck_assert_uint_eq(seen, 100000);
    store_mem_free(m);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, random_transactions_agree_with_the_reference);
    tcase_add_test(tc, abort_restores_a_replaced_and_a_deleted_and_forgets_a_new_row);
    tcase_add_test(tc, a_crash_strikes_before_the_kth_put_and_lasts_until_abort);
    tcase_add_test(tc, a_clone_goes_its_own_way);
    tcase_add_test(tc, a_query_view_reads_and_refuses_to_write);
    tcase_add_test(tc, seek_prefix_ends_at_the_prefix);
    tcase_add_test(tc, a_hundred_thousand_rows_in_any_order);
}

int main(void)
{
    return unit_main("store/mem", add);
}
