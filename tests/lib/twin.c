/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/twin.h"

#include <string.h>

#include "lib/unit.h"

enum {
    TWIN_TABLES = 3,
    TWIN_VALUE = 6000, /* beyond what LMDB keeps in a leaf page */
};

struct twin {
    struct unit_env env;
    struct store a;
    struct store b;
    uint64_t checks;
    uint8_t value[TWIN_VALUE];
};

static uint32_t draw(struct twin *w, uint32_t below)
{
    uint32_t v;
    env_random(&w->env.env, &v, sizeof v);
    return v % below;
}

/* Few different bytes and short: keys meet often, and many are prefixes of others. */
static struct store_key draw_key(struct twin *w)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct store_key k = store_key_new();
    uint32_t len = 1 + draw(w, 4);
    for (uint32_t i = 0; i < len; i++) {
        store_key_u8(&k, bytes[draw(w, sizeof bytes)]);
    }
    return k;
}

static struct slice draw_value(struct twin *w)
{
    size_t len = draw(w, 8) == 0 ? draw(w, TWIN_VALUE) : draw(w, 64);
    env_random(&w->env.env, w->value, len);
    return slice_of(w->value, len);
}

static void same(struct twin *w, enum err a, enum err b, struct store_row ra, struct store_row rb)
{
    ck_assert_msg(a == b, "results differ: %s and %s", err_name(a), err_name(b));
    if (a == ERR_OK) {
        ck_assert(slice_equal(ra.key, rb.key));
        ck_assert(slice_equal(ra.value, rb.value));
    }
    w->checks++;
}

static void step_get(struct twin *w, enum store_table t, struct slice key)
{
    struct store_row ra = {.key = key};
    struct store_row rb = ra;
    enum err a = store_get(&w->a, t, key, &ra.value);
    enum err b = store_get(&w->b, t, key, &rb.value);
    same(w, a, b, ra, rb);
}

static void step_seek(struct twin *w, enum store_table t, enum store_seek how, struct slice key)
{
    struct store_row ra;
    struct store_row rb;
    enum err a = store_seek(&w->a, t, how, key, &ra);
    enum err b = store_seek(&w->b, t, how, key, &rb);
    same(w, a, b, ra, rb);
}

static void step_put(struct twin *w, enum store_table t, struct slice key, bool append)
{
    struct store_row none = {.key = key};
    struct slice value = draw_value(w);
    enum err a = append ? store_append(&w->a, t, key, value) : store_put(&w->a, t, key, value);
    enum err b = append ? store_append(&w->b, t, key, value) : store_put(&w->b, t, key, value);
    same(w, a, b, none, none);
}

/* Deletes the row that a seek found, with the key that the seek handed out. */
static void step_del_found(struct twin *w, enum store_table t, struct slice key)
{
    struct store_row ra;
    struct store_row rb;
    enum err a = store_seek(&w->a, t, STORE_GE, key, &ra);
    enum err b = store_seek(&w->b, t, STORE_GE, key, &rb);
    same(w, a, b, ra, rb);
    if (a == ERR_OK) {
        struct store_row none = {.key = {NULL, 0}};
        a = store_del(&w->a, t, ra.key);
        b = store_del(&w->b, t, rb.key);
        same(w, a, b, none, none);
    }
}

static void step(struct twin *w)
{
    static const enum store_seek how[] = {STORE_GE, STORE_GT, STORE_LE, STORE_LT};
    static const struct store_row none;
    enum store_table t = (enum store_table)(STORE_ACCOUNT + draw(w, TWIN_TABLES));
    struct store_key k = draw_key(w);
    struct slice key = store_key_slice(&k);
    switch (draw(w, 10)) {
    case 0:
    case 1:
    case 2:
        step_put(w, t, key, false);
        break;
    case 3:
        step_put(w, t, key, true);
        break;
    case 4:
        same(w, store_del(&w->a, t, key), store_del(&w->b, t, key), none, none);
        break;
    case 5:
        step_del_found(w, t, key);
        break;
    case 6:
        step_get(w, t, key);
        break;
    case 7:
        step_seek(w, t, how[draw(w, 4)], slice_of(NULL, 0));
        break;
    default:
        step_seek(w, t, how[draw(w, 4)], key);
        break;
    }
}

static void compare_table(struct twin *w, enum store_table t, bool forward)
{
    uint8_t last[STORE_KEY];
    memset(last, 0xff, sizeof last);
    struct slice at = forward ? slice_of(NULL, 0) : slice_of(last, sizeof last);
    for (;;) {
        struct store_row ra;
        struct store_row rb;
        enum store_seek how = forward ? STORE_GT : STORE_LT;
        enum err a = store_seek(&w->a, t, how, at, &ra);
        enum err b = store_seek(&w->b, t, how, at, &rb);
        same(w, a, b, ra, rb);
        if (a != ERR_OK) {
            ck_assert_err(a, ERR_NOT_FOUND);
            return;
        }
        memcpy(last, ra.key.p, ra.key.len);
        at = slice_of(last, ra.key.len);
    }
}

uint64_t twin_compare(struct store *a, struct store *b)
{
    struct twin w = {.a = *a, .b = *b};
    for (int t = 0; t < STORE_TABLE_COUNT; t++) {
        if (t == STORE_META) {
            continue;
        }
        compare_table(&w, (enum store_table)t, true);
        compare_table(&w, (enum store_table)t, false);
    }
    return w.checks;
}

uint64_t twin_run(const struct twin_side *a, const struct twin_side *b, uint64_t seed,
                  unsigned transactions)
{
    struct twin w;
    w.checks = 0;
    unit_env_init(&w.env, seed, 0);
    for (unsigned i = 0; i < transactions; i++) {
        a->begin(a->ctx, &w.a);
        b->begin(b->ctx, &w.b);
        uint32_t steps = draw(&w, 60);
        for (uint32_t s = 0; s < steps; s++) {
            step(&w);
        }
        bool commit = draw(&w, 3) > 0;
        a->end(a->ctx, commit);
        b->end(b->ctx, commit);
        if (i % 16 == 0 || i + 1 == transactions) {
            a->begin(a->ctx, &w.a);
            b->begin(b->ctx, &w.b);
            w.checks += twin_compare(&w.a, &w.b);
            a->end(a->ctx, false);
            b->end(b->ctx, false);
        }
    }
    return w.checks;
}
