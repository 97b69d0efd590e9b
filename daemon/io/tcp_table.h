/* SPDX-License-Identifier: Apache-2.0
 *
 * tcp_table: the connections that there are: by number, in order of age, and those that wait to
 * read or to write. docs/architecture.md, daemon/io.
 *
 * Owns its buckets, never a connection; I/O thread only. It touches no socket.
 */
#ifndef PETREL_DAEMON_IO_TCP_TABLE_H
#define PETREL_DAEMON_IO_TCP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"

struct link;
struct tcp_dial;
struct tcp_shared;

/* See tcp.h for the drawing. */
enum conn_state {
    CONN_RESOLVE,
    CONN_CONNECT,
    CONN_OPENING,
    CONN_OPEN,
    CONN_CLOSING,
    CONN_CLOSED
};

struct tcp_conn {
    uv_tcp_t handle;
    struct tcp_shared *tcp;
    struct link *link;            /* owned; NULL before the connection is made */
    struct tcp_dial *dial;        /* owned; NULL for accepted and for connected links */
    struct tcp_conn *prev, *next; /* list half or list links */
    struct tcp_conn *bucket;      /* next in its bucket of the table */
    struct tcp_conn *wait_next;   /* next in the list of those that may not read now */
    struct tcp_conn *dirty_next;  /* next in the list of those with something to send */
    uint64_t number;
    uint64_t deadline; /* of dialling, of lingering; env ms */
    enum conn_state state;
    bool known;   /* the core waits for its NODE_LINK_CLOSED */
    bool half;    /* accepted and not open yet */
    bool waiting; /* in the wait list */
    bool dirty;   /* in the dirty list */
    bool writing; /* a uv_write is under way */
    bool closed;  /* the handle is gone */
    bool reopen;  /* its handle is made anew, for the next address */
};

struct tcp_list {
    struct tcp_conn *first;
    struct tcp_conn *last;
    size_t count;
};

struct tcp_table {
    struct tcp_list half;      /* accepted, not open, oldest first */
    struct tcp_list links;     /* all others */
    struct tcp_conn **buckets; /* by number */
    size_t size;               /* buckets, a power of two */
    size_t used;
    struct tcp_conn *wait_first, *wait_last;
    struct tcp_conn *dirty_first;
};

/* ERR_NO_MEMORY. */
enum err tcp_table_init(struct tcp_table *t) PETREL_MUST_USE;
/* Frees the buckets, not the connections. */
void tcp_table_fini(struct tcp_table *t);

/* All connections, those included that are being closed. */
size_t tcp_table_count(const struct tcp_table *t);
/* The connection of this number, NULL when there is none or it was forgotten. */
struct tcp_conn *tcp_table_find(const struct tcp_table *t, uint64_t number);

/* Adds conn, whose number and half are set, to its list and under its number. */
void tcp_table_add(struct tcp_table *t, struct tcp_conn *conn);
/* An accepted connection is open: moves it from half to links. */
void tcp_table_opened(struct tcp_table *t, struct tcp_conn *conn);
/* Its number is not found any more; it stays in its list. */
void tcp_table_forget(struct tcp_table *t, struct tcp_conn *conn);
/* Takes it out of its list: it is about to be freed. */
void tcp_table_remove(struct tcp_table *t, struct tcp_conn *conn);

/* Puts conn behind those that wait for a turn to read, or takes it out. Idempotent. */
void tcp_table_wait(struct tcp_table *t, struct tcp_conn *conn);
void tcp_table_wait_end(struct tcp_table *t, struct tcp_conn *conn);
/* Notes that conn has something to send, or that it has not. Idempotent. */
void tcp_table_dirty(struct tcp_table *t, struct tcp_conn *conn);
void tcp_table_dirty_end(struct tcp_table *t, struct tcp_conn *conn);

#endif
