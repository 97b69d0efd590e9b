/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define MEM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM_ASAN 1
#endif
#endif

#ifdef MEM_ASAN
#include <sanitizer/asan_interface.h>
#define MEM_HIDE(p, len) ASAN_POISON_MEMORY_REGION((p), (len))
#define MEM_SHOW(p, len) ASAN_UNPOISON_MEMORY_REGION((p), (len))
#else
#define MEM_HIDE(p, len) ((void)(p), (void)(len))
#define MEM_SHOW(p, len) ((void)(p), (void)(len))
#endif

enum {
    MEM_LEVELS = 17,     /* of a skip list, 4 rows to 1: enough for 4^17 rows */
    MEM_LENT = 8 * 1024, /* usual size of a piece that copies are handed out of */
};

struct mem_value {
    size_t len;
    uint8_t b[];
};

/* A row, and its place in the table's skip list. The key never changes. */
struct mem_node {
    struct mem_value *value;
    size_t key_len;
    size_t levels;
    struct mem_node *next[]; /* levels of them, and the key's bytes behind them */
};

/* The way to a row: links[i] is the link on level i that leads to it, or to the first one behind;
 * last is the row before it, or NULL. */
struct mem_path {
    struct mem_node **links[MEM_LEVELS];
    struct mem_node *last;
};

struct mem_table {
    struct mem_node *head[MEM_LEVELS];
    size_t count;
    /* The row that was found last, and the way to it: what is read is often written next, and rows
     * are often taken one after the other. NULL: none, or a row came or went since. */
    struct mem_node *found;
    struct mem_path path;
};

enum mem_undo_kind {
    MEM_INSERTED, /* undo: unlink node and free it */
    MEM_REPLACED, /* undo: value back into node */
    MEM_DELETED,  /* undo: link node again */
};

struct mem_undo {
    enum mem_undo_kind kind;
    enum store_table table;
    struct mem_node *node;
    struct mem_value *value; /* REPLACED: the old one, owned */
};

/* Copies that were handed out in strict mode. */
struct mem_lent {
    struct mem_lent *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) uint8_t b[];
};

struct store_mem {
    struct mem_table tables[STORE_TABLE_COUNT];
    struct mem_undo *undo; /* of the open transaction, oldest first */
    size_t undo_len;
    size_t undo_cap;
    struct mem_lent *lent;
    uint64_t puts;
    uint64_t crash_in; /* puts until the crash, 0: none armed */
    uint64_t draws;    /* state of the level generator */
    bool open;
    bool crashed;
    bool strict;
};

static struct slice node_key(const struct mem_node *n)
{
    return slice_of(n->next + n->levels, n->key_len);
}

static struct slice node_value(const struct mem_node *n)
{
    return slice_of(n->value->b, n->value->len);
}

static int key_cmp(const struct mem_node *n, struct slice key)
{
    size_t len = n->key_len < key.len ? n->key_len : key.len;
    int c = len > 0 ? memcmp(n->next + n->levels, key.p, len) : 0;
    return c != 0 ? c : (n->key_len > key.len) - (n->key_len < key.len);
}

/* t->path leads to the first row with a key >= key (> key when after). */
static void table_find(struct mem_table *t, struct slice key, bool after)
{
    struct mem_node **links = t->head;
    t->path.last = NULL;
    for (unsigned i = MEM_LEVELS; i-- > 0;) {
        while (links[i] != NULL && key_cmp(links[i], key) < (after ? 1 : 0)) {
            t->path.last = links[i];
            links = links[i]->next;
        }
        t->path.links[i] = &links[i];
    }
    t->found = *t->path.links[0];
}

/* From the row that was found last to the one behind it, or NULL. */
static struct mem_node *table_next(struct mem_table *t)
{
    struct mem_node *n = t->found;
    t->path.last = n;
    for (size_t i = 0; i < n->levels; i++) {
        t->path.links[i] = &n->next[i];
    }
    t->found = n->next[0];
    return t->found;
}

static bool has_key(const struct mem_node *n, struct slice key)
{
    return n != NULL && key_cmp(n, key) == 0;
}

/* The row with this key, or NULL; t->path leads to its place. */
static struct mem_node *table_get(struct mem_table *t, struct slice key)
{
    if (has_key(t->found, key)) {
        return t->found;
    }
    if (t->found != NULL && has_key(t->found->next[0], key)) {
        return table_next(t);
    }
    table_find(t, key, false);
    return has_key(t->found, key) ? t->found : NULL;
}

static struct mem_node *table_seek(struct mem_table *t, enum store_seek how, struct slice key)
{
    if (has_key(t->found, key)) {
        if (how == STORE_GT) {
            return table_next(t);
        }
        return how == STORE_LT ? t->path.last : t->found;
    }
    table_find(t, key, how == STORE_GT || how == STORE_LE);
    return how == STORE_GE || how == STORE_GT ? t->found : t->path.last;
}

/* t->path: of its key, which is not there. */
static void table_link(struct mem_table *t, struct mem_node *n)
{
    for (size_t i = 0; i < n->levels; i++) {
        n->next[i] = *t->path.links[i];
        *t->path.links[i] = n;
    }
    t->count++;
    t->found = NULL;
}

/* t->path: of its key. */
static void table_unlink(struct mem_table *t, struct mem_node *n)
{
    for (size_t i = 0; i < n->levels; i++) {
        assert(*t->path.links[i] == n);
        *t->path.links[i] = n->next[i];
    }
    t->count--;
    t->found = NULL;
}

static void node_free(struct mem_node *n)
{
    free(n->value);
    free(n);
}

static struct mem_value *value_new(struct slice bytes)
{
    struct mem_value *v = malloc(sizeof *v + bytes.len);
    if (v != NULL) {
        v->len = bytes.len;
        if (bytes.len > 0) {
            memcpy(v->b, bytes.p, bytes.len);
        }
    }
    return v;
}

/* splitmix64: levels need to be spread, not secret, and the same in every run. */
static size_t draw_levels(struct store_mem *m)
{
    uint64_t z = (m->draws += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    size_t levels = 1;
    while (levels < MEM_LEVELS && (z & 3) == 0) {
        levels++;
        z >>= 2;
    }
    return levels;
}

static struct mem_node *node_new(struct store_mem *m, struct slice key, struct slice value)
{
    size_t levels = draw_levels(m);
    struct mem_node *n = malloc(sizeof *n + levels * sizeof(struct mem_node *) + key.len);
    struct mem_value *v = value_new(value);
    if (n == NULL || v == NULL) {
        free(n);
        free(v);
        return NULL;
    }
    n->value = v;
    n->levels = levels;
    n->key_len = key.len;
    memcpy(n->next + levels, key.p, key.len);
    return n;
}

static enum err undo_reserve(struct store_mem *m)
{
    if (m->undo_len < m->undo_cap) {
        return ERR_OK;
    }
    size_t cap = m->undo_cap > 0 ? 2 * m->undo_cap : 64;
    struct mem_undo *undo = realloc(m->undo, cap * sizeof *undo);
    if (undo == NULL) {
        return ERR_NO_MEMORY;
    }
    m->undo = undo;
    m->undo_cap = cap;
    return ERR_OK;
}

static void undo_push(struct store_mem *m, struct mem_undo u)
{
    assert(m->undo_len < m->undo_cap);
    m->undo[m->undo_len++] = u;
}

static void lent_free(struct store_mem *m)
{
    while (m->lent != NULL && (m->lent->next != NULL || m->lent->cap > MEM_LENT)) {
        struct mem_lent *lent = m->lent;
        m->lent = lent->next;
        MEM_SHOW(lent->b, lent->cap);
        memset(lent->b, 0xdd, lent->used);
        free(lent);
    }
    if (m->lent != NULL) { /* one stays for the next time */
        MEM_SHOW(m->lent->b, m->lent->used);
        memset(m->lent->b, 0xdd, m->lent->used);
        MEM_HIDE(m->lent->b, m->lent->cap);
        m->lent->used = 0;
    }
}

/* len bytes of a piece that has room for them, or of a new one. */
static uint8_t *lent_alloc(struct store_mem *m, size_t len)
{
    const size_t align = alignof(max_align_t);
    size_t need = (len + align) / align * align; /* a byte behind it is nobody's */
    struct mem_lent *lent = m->lent;
    if (lent == NULL || need > lent->cap - lent->used) {
        size_t cap = need > MEM_LENT ? need : MEM_LENT;
        lent = malloc(sizeof *lent + cap);
        if (lent == NULL) {
            return NULL;
        }
        *lent = (struct mem_lent){.next = m->lent, .cap = cap};
        MEM_HIDE(lent->b, cap);
        m->lent = lent;
    }
    uint8_t *p = lent->b + lent->used;
    lent->used += need;
    MEM_SHOW(p, len);
    return p;
}

/* Hands bytes out: in strict mode as a copy that dies with the next change. */
static enum err lend(struct store_mem *m, struct slice bytes, struct slice *out)
{
    if (!m->strict) {
        *out = bytes;
        return ERR_OK;
    }
    uint8_t *p = lent_alloc(m, bytes.len);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    if (bytes.len > 0) {
        memcpy(p, bytes.p, bytes.len);
    }
    *out = slice_of(p, bytes.len);
    return ERR_OK;
}

static enum err mem_get(void *ctx, enum store_table t, struct slice key, struct slice *value)
{
    struct store_mem *m = ctx;
    if (m->crashed) {
        return ERR_IO;
    }
    struct mem_node *n = table_get(&m->tables[t], key);
    return n != NULL ? lend(m, node_value(n), value) : ERR_NOT_FOUND;
}

static enum err mem_seek(void *ctx, enum store_table t, enum store_seek how, struct slice key,
                         struct store_row *row)
{
    struct store_mem *m = ctx;
    if (m->crashed) {
        return ERR_IO;
    }
    struct mem_node *n = table_seek(&m->tables[t], how, key);
    if (n == NULL) {
        return ERR_NOT_FOUND;
    }
    struct store_row found;
    enum err err = lend(m, node_key(n), &found.key);
    if (err == ERR_OK) {
        err = lend(m, node_value(n), &found.value);
    }
    if (err == ERR_OK) {
        *row = found;
    }
    return err;
}

/* What precedes every change: the armed crash, the counter, room in the undo log. */
static enum err change_begin(struct store_mem *m)
{
    assert(m->open);
    if (m->crash_in > 0 && --m->crash_in == 0) {
        m->crashed = true;
    }
    if (m->crashed) {
        return ERR_IO;
    }
    m->puts++;
    return undo_reserve(m);
}

static enum err table_put(struct store_mem *m, enum store_table t, struct slice key,
                          struct slice value)
{
    struct mem_node *n = table_get(&m->tables[t], key);
    if (n == NULL) {
        n = node_new(m, key, value);
        if (n == NULL) {
            return ERR_NO_MEMORY;
        }
        table_link(&m->tables[t], n);
        undo_push(m, (struct mem_undo){.kind = MEM_INSERTED, .table = t, .node = n});
        return ERR_OK;
    }
    struct mem_value *v = value_new(value);
    if (v == NULL) {
        return ERR_NO_MEMORY;
    }
    undo_push(m, (struct mem_undo){.kind = MEM_REPLACED, .table = t, .node = n, .value = n->value});
    n->value = v;
    return ERR_OK;
}

static enum err mem_put(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    struct store_mem *m = ctx;
    enum err err = change_begin(m);
    if (err == ERR_OK) {
        err = table_put(m, t, key, value);
        lent_free(m); /* after the put: key may be one that was lent */
    }
    return err;
}

static enum err mem_append(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    struct store_mem *m = ctx;
    if (!m->crashed) {
        (void)table_get(&m->tables[t], key);
        if (*m->tables[t].path.links[0] != NULL) {
            return ERR_BUG;
        }
    }
    return mem_put(ctx, t, key, value);
}

static enum err mem_del(void *ctx, enum store_table t, struct slice key)
{
    struct store_mem *m = ctx;
    enum err err = change_begin(m);
    if (err != ERR_OK) {
        return err;
    }
    struct mem_node *n = table_get(&m->tables[t], key);
    if (n != NULL) {
        table_unlink(&m->tables[t], n);
        undo_push(m, (struct mem_undo){.kind = MEM_DELETED, .table = t, .node = n});
    }
    lent_free(m);
    return n != NULL ? ERR_OK : ERR_NOT_FOUND;
}

static enum err mem_refuse_put(void *ctx, enum store_table t, struct slice key, struct slice value)
{
    (void)ctx, (void)t, (void)key, (void)value;
    return ERR_BUG;
}

static enum err mem_refuse_del(void *ctx, enum store_table t, struct slice key)
{
    (void)ctx, (void)t, (void)key;
    return ERR_BUG;
}

static const struct store_ops mem_ops = {
    .get = mem_get,
    .seek = mem_seek,
    .put = mem_put,
    .append = mem_append,
    .del = mem_del,
};

static const struct store_ops mem_read_ops = {
    .get = mem_get,
    .seek = mem_seek,
    .put = mem_refuse_put,
    .append = mem_refuse_put,
    .del = mem_refuse_del,
};

struct store_mem *store_mem_new(void)
{
    return calloc(1, sizeof(struct store_mem));
}

void store_mem_free(struct store_mem *m)
{
    if (m == NULL) {
        return;
    }
    if (m->open) {
        store_mem_abort(m);
    }
    lent_free(m);
    if (m->lent != NULL) {
        MEM_SHOW(m->lent->b, m->lent->cap);
        free(m->lent);
    }
    for (size_t t = 0; t < STORE_TABLE_COUNT; t++) {
        struct mem_node *n = m->tables[t].head[0];
        while (n != NULL) {
            struct mem_node *next = n->next[0];
            node_free(n);
            n = next;
        }
    }
    free(m->undo);
    free(m);
}

struct store_mem *store_mem_clone(const struct store_mem *m)
{
    assert(!m->open);
    struct store_mem *copy = store_mem_new();
    if (copy == NULL) {
        return NULL;
    }
    copy->strict = m->strict;
    for (size_t t = 0; t < STORE_TABLE_COUNT; t++) {
        struct mem_table *to = &copy->tables[t];
        table_find(to, slice_of(NULL, 0), false);
        for (const struct mem_node *n = m->tables[t].head[0]; n != NULL; n = n->next[0]) {
            struct mem_node *row = node_new(copy, node_key(n), node_value(n));
            if (row == NULL) {
                store_mem_free(copy);
                return NULL;
            }
            table_link(to, row);
            to->found = row;
            (void)table_next(to);
        }
    }
    return copy;
}

void store_mem_begin(struct store_mem *m, struct store *out)
{
    assert(!m->open && !m->crashed);
    m->open = true;
    *out = (struct store){.ops = &mem_ops, .ctx = m, .growth = true};
}

enum err store_mem_commit(struct store_mem *m)
{
    assert(m->open);
    if (m->crashed) {
        store_mem_abort(m);
        return ERR_IO;
    }
    for (size_t i = 0; i < m->undo_len; i++) {
        struct mem_undo *u = &m->undo[i];
        if (u->kind == MEM_REPLACED) {
            free(u->value);
        } else if (u->kind == MEM_DELETED) {
            node_free(u->node);
        }
    }
    m->undo_len = 0;
    m->open = false;
    lent_free(m);
    return ERR_OK;
}

void store_mem_abort(struct store_mem *m)
{
    assert(m->open);
    while (m->undo_len > 0) {
        struct mem_undo *u = &m->undo[--m->undo_len];
        struct mem_table *t = &m->tables[u->table];
        switch (u->kind) {
        case MEM_INSERTED:
            table_find(t, node_key(u->node), false);
            table_unlink(t, u->node);
            node_free(u->node);
            break;
        case MEM_REPLACED:
            free(u->node->value);
            u->node->value = u->value;
            break;
        case MEM_DELETED:
            table_find(t, node_key(u->node), false);
            table_link(t, u->node);
            break;
        }
    }
    m->open = false;
    m->crashed = false;
    lent_free(m);
}

void store_mem_read(struct store_mem *m, struct store *out)
{
    *out = (struct store){.ops = &mem_read_ops, .ctx = m, .growth = false};
}

uint64_t store_mem_puts(const struct store_mem *m)
{
    return m->puts;
}

void store_mem_crash_at(struct store_mem *m, uint64_t k)
{
    m->crash_in = k;
}

void store_mem_strict(struct store_mem *m, bool strict)
{
    m->strict = strict;
}

size_t store_mem_count(const struct store_mem *m, enum store_table t)
{
    return m->tables[t].count;
}
