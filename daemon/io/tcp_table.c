/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/tcp_table.h"

#include <stdlib.h>

enum {
    TABLE_MIN = 64, /* buckets; grows with the number of links */
};

enum err tcp_table_init(struct tcp_table *t)
{
    *t = (struct tcp_table){.size = TABLE_MIN};
    t->buckets = calloc(TABLE_MIN, sizeof(struct tcp_conn *));
    return t->buckets != NULL ? ERR_OK : ERR_NO_MEMORY;
}

void tcp_table_fini(struct tcp_table *t)
{
    free(t->buckets);
    t->buckets = NULL;
}

size_t tcp_table_count(const struct tcp_table *t)
{
    return t->half.count + t->links.count;
}

static struct tcp_list *list_of(struct tcp_table *t, struct tcp_conn *conn)
{
    return conn->half ? &t->half : &t->links;
}

static void list_add(struct tcp_table *t, struct tcp_conn *conn)
{
    struct tcp_list *l = list_of(t, conn);
    conn->next = NULL;
    conn->prev = l->last;
    if (l->last != NULL) {
        l->last->next = conn;
    } else {
        l->first = conn;
    }
    l->last = conn;
    l->count++;
}

void tcp_table_remove(struct tcp_table *t, struct tcp_conn *conn)
{
    struct tcp_list *l = list_of(t, conn);
    if (conn->prev != NULL) {
        conn->prev->next = conn->next;
    } else {
        l->first = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->prev = conn->prev;
    } else {
        l->last = conn->prev;
    }
    l->count--;
}

static size_t bucket_of(const struct tcp_table *t, uint64_t number)
{
    return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->size - 1);
}

struct tcp_conn *tcp_table_find(const struct tcp_table *t, uint64_t number)
{
    struct tcp_conn *c = t->buckets[bucket_of(t, number)];
    while (c != NULL && c->number != number) {
        c = c->bucket;
    }
    return c;
}

/* Doubles the table; a failure only makes it slower. */
static void table_grow(struct tcp_table *t)
{
    size_t old_size = t->size;
    struct tcp_conn **old = t->buckets;
    struct tcp_conn **table = calloc(old_size * 2, sizeof(struct tcp_conn *));
    if (table == NULL) {
        return;
    }
    t->buckets = table;
    t->size = old_size * 2;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i] != NULL) {
            struct tcp_conn *c = old[i];
            old[i] = c->bucket;
            size_t b = bucket_of(t, c->number);
            c->bucket = table[b];
            table[b] = c;
        }
    }
    free(old);
}

void tcp_table_add(struct tcp_table *t, struct tcp_conn *conn)
{
    list_add(t, conn);
    if (t->used >= t->size) {
        table_grow(t);
    }
    size_t b = bucket_of(t, conn->number);
    conn->bucket = t->buckets[b];
    t->buckets[b] = conn;
    t->used++;
}

void tcp_table_forget(struct tcp_table *t, struct tcp_conn *conn)
{
    struct tcp_conn **at = &t->buckets[bucket_of(t, conn->number)];
    while (*at != NULL && *at != conn) {
        at = &(*at)->bucket;
    }
    if (*at == conn) {
        *at = conn->bucket;
        t->used--;
    }
}

void tcp_table_wait(struct tcp_table *t, struct tcp_conn *conn)
{
    if (conn->waiting) {
        return;
    }
    conn->waiting = true;
    conn->wait_next = NULL;
    if (t->wait_last != NULL) {
        t->wait_last->wait_next = conn;
    } else {
        t->wait_first = conn;
    }
    t->wait_last = conn;
}

void tcp_table_opened(struct tcp_table *t, struct tcp_conn *conn)
{
    tcp_table_remove(t, conn);
    conn->half = false;
    list_add(t, conn);
}

/* Takes conn out of a singly linked list that it may be anywhere in; rare. */
void tcp_table_wait_end(struct tcp_table *t, struct tcp_conn *conn)
{
    struct tcp_conn *before = NULL;
    if (!conn->waiting) {
        return;
    }
    for (struct tcp_conn *c = t->wait_first; c != conn; c = c->wait_next) {
        before = c;
    }
    if (before != NULL) {
        before->wait_next = conn->wait_next;
    } else {
        t->wait_first = conn->wait_next;
    }
    if (t->wait_last == conn) {
        t->wait_last = before;
    }
    conn->waiting = false;
}

void tcp_table_dirty(struct tcp_table *t, struct tcp_conn *conn)
{
    if (!conn->dirty) {
        conn->dirty = true;
        conn->dirty_next = t->dirty_first;
        t->dirty_first = conn;
    }
}

void tcp_table_dirty_end(struct tcp_table *t, struct tcp_conn *conn)
{
    struct tcp_conn **at = &t->dirty_first;
    while (conn->dirty && *at != NULL) {
        if (*at == conn) {
            *at = conn->dirty_next;
            conn->dirty = false;
            return;
        }
        at = &(*at)->dirty_next;
    }
}
