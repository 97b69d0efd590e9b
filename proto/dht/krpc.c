/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/krpc.h"

#include <assert.h>
#include <string.h>

#include "base/bencode.h"

static const char *const METHODS[] = {
    [KRPC_PING] = "ping",
    [KRPC_FIND_NODE] = "find_node",
    [KRPC_GET_PEERS] = "get_peers",
    [KRPC_ANNOUNCE_PEER] = "announce_peer",
    [KRPC_GET] = "get",
    [KRPC_PUT] = "put",
    [KRPC_UNKNOWN] = "unknown",
};

const char *krpc_method_name(enum krpc_method method)
{
    return METHODS[method];
}

bool krpc_looks(struct slice datagram)
{
    return datagram.len > 1 && datagram.p[0] == 'd' && datagram.p[datagram.len - 1] == 'e';
}

/* --- reading --- */

static enum krpc_method method_of(struct slice name)
{
    unsigned m = 0;
    while (m < KRPC_UNKNOWN && !slice_equal(name, slice_of(METHODS[m], strlen(METHODS[m])))) {
        m++;
    }
    return (enum krpc_method)m;
}

/* A string that is a whole number of records. */
static struct slice read_records(struct reader *r, size_t size)
{
    struct slice s = bencode_read_string(r, KRPC_DATAGRAM_IN);
    if (s.len % size != 0) {
        reader_fail(r, ERR_MALFORMED);
        return slice_of(NULL, 0);
    }
    return s;
}

static uint16_t read_port(struct reader *r)
{
    int64_t port = bencode_read_int(r);
    if (port < 0 || port > UINT16_MAX) { /* 0: by who gives implied_port */
        reader_fail(r, ERR_MALFORMED);
        return 0;
    }
    return (uint16_t)port;
}

static void read_want(struct reader *r, struct krpc *m)
{
    bencode_list_begin(r);
    while (bencode_list_next(r)) {
        struct slice family = bencode_read_string(r, KRPC_DATAGRAM_IN);
        m->want4 = m->want4 || slice_equal(family, slice_of("n4", 2));
        m->want6 = m->want6 || slice_equal(family, slice_of("n6", 2));
    }
}

static void read_peers(struct reader *r, struct krpc *m)
{
    bencode_list_begin(r);
    while (bencode_list_next(r)) {
        struct slice peer = bencode_read_string(r, KRPC_DATAGRAM_IN);
        if (peer.len != DHT_COMPACT4 && peer.len != DHT_COMPACT6) {
            reader_fail(r, ERR_MALFORMED);
        }
    }
    m->has_peers = true;
}

/* One argument of a query, or value of a reply. */
static void read_field(struct bencode_dict *d, struct krpc *m)
{
    struct reader *r = d->r;
    if (bencode_key(d, "id")) {
        bencode_read_exact(r, m->id.b, DHT_ID);
        m->has_id = true;
    } else if (bencode_key(d, "target") || bencode_key(d, "info_hash")) {
        bencode_read_exact(r, m->target.b, DHT_ID);
        m->has_target = true;
    } else if (bencode_key(d, "want")) {
        read_want(r, m);
    } else if (bencode_key(d, "token")) {
        m->token = bencode_read_string(r, KRPC_DATAGRAM_IN);
    } else if (bencode_key(d, "port")) {
        m->port = read_port(r);
        m->has_port = true;
    } else if (bencode_key(d, "implied_port")) {
        m->implied_port = bencode_read_int(r) != 0;
    } else if (bencode_key(d, "values")) {
        read_peers(r, m);
    } else if (bencode_key(d, "nodes")) {
        m->nodes = read_records(r, DHT_NODE4);
    } else if (bencode_key(d, "nodes6")) {
        m->nodes6 = read_records(r, DHT_NODE6);
    } else if (bencode_key(d, "seq")) {
        m->seq = bencode_read_int(r);
        m->has_seq = true;
    } else if (bencode_key(d, "cas")) {
        m->cas = bencode_read_int(r);
        m->has_cas = true;
    } else if (bencode_key(d, "k")) {
        bencode_read_exact(r, m->key, KRPC_KEY);
        m->has_key = true;
    } else if (bencode_key(d, "sig")) {
        bencode_read_exact(r, m->signature, KRPC_SIGNATURE);
        m->has_signature = true;
    } else if (bencode_key(d, "salt")) {
        m->salt = bencode_read_string(r, KRPC_DATAGRAM_IN); /* too long a one has its own error */
    } else if (bencode_key(d, "v")) {
        m->value = bencode_read_value(r); /* likewise */
    } else {
        (void)bencode_read_value(r);
    }
}

static void read_fields(struct reader *r, struct krpc *m)
{
    struct bencode_dict d = bencode_dict_begin(r);
    while (bencode_dict_next(&d)) {
        read_field(&d, m);
    }
}

static void read_error(struct reader *r, struct krpc *m)
{
    bencode_list_begin(r);
    m->code = bencode_list_next(r) ? bencode_read_int(r) : 0;
    if (bencode_list_next(r)) {
        m->text = bencode_read_string(r, KRPC_DATAGRAM_IN);
        while (bencode_list_next(r)) {
            (void)bencode_read_value(r);
        }
    }
    if (m->text.len > KRPC_ERROR_TEXT) {
        m->text.len = KRPC_ERROR_TEXT;
    }
}

/* What the message is, y, stands last; which of a, r and e it has says the same. */
static void read_kind(struct reader *r, struct krpc *m, uint8_t *y)
{
    struct slice kind = bencode_read_string(r, KRPC_DATAGRAM_IN);
    *y = kind.len == 1 ? kind.p[0] : 0;
    switch (*y) {
    case 'q':
        m->kind = KRPC_QUERY;
        break;
    case 'r':
        m->kind = KRPC_REPLY;
        break;
    case 'e':
        m->kind = KRPC_ERROR;
        break;
    default:
        *y = 0;
        reader_fail(r, ERR_MALFORMED);
    }
}

/* Looks for t and y in a message whose other parts may be out of form. */
static void salvage(struct slice datagram, struct krpc *out)
{
    struct krpc m = {.kind = KRPC_ERROR};
    struct reader r = reader_of(datagram);
    struct bencode_dict d = bencode_dict_begin(&r);
    uint8_t y = 0;
    while (bencode_dict_next(&d)) {
        if (bencode_key(&d, "t")) {
            m.transaction = bencode_read_string(&r, KRPC_TRANSACTION);
        } else if (bencode_key(&d, "y")) {
            read_kind(&r, &m, &y);
        } else {
            (void)bencode_read_value(&r);
        }
    }
    *out = (struct krpc){.kind = r.err == ERR_OK && y != 0 ? m.kind : KRPC_ERROR,
                         .transaction = r.err == ERR_OK ? m.transaction : slice_of(NULL, 0)};
}

enum err krpc_read(struct slice datagram, struct krpc *out)
{
    struct krpc m = {.method = KRPC_UNKNOWN};
    struct reader r = reader_of(datagram);
    bool fields = false, error = false, named = false, transaction = false;
    uint8_t y = 0;
    if (datagram.len > KRPC_DATAGRAM_IN) {
        reader_fail(&r, ERR_TOO_LARGE);
    }
    struct bencode_dict d = bencode_dict_begin(&r);
    while (bencode_dict_next(&d)) {
        if (bencode_key(&d, "a") || bencode_key(&d, "r")) {
            if (fields) {
                reader_fail(&r, ERR_MALFORMED); /* both */
            }
            read_fields(&r, &m);
            fields = true;
        } else if (bencode_key(&d, "e")) {
            read_error(&r, &m);
            error = true;
        } else if (bencode_key(&d, "ip")) {
            m.ip = bencode_read_string(&r, KRPC_DATAGRAM_IN);
        } else if (bencode_key(&d, "q")) {
            m.method = method_of(bencode_read_string(&r, KRPC_DATAGRAM_IN));
            named = true;
        } else if (bencode_key(&d, "ro")) {
            m.read_only = bencode_read_int(&r) != 0;
        } else if (bencode_key(&d, "t")) {
            m.transaction = bencode_read_string(&r, KRPC_TRANSACTION);
            transaction = m.transaction.len > 0;
        } else if (bencode_key(&d, "v")) {
            m.version = bencode_read_string(&r, KRPC_DATAGRAM_IN);
        } else if (bencode_key(&d, "y")) {
            read_kind(&r, &m, &y);
        } else {
            (void)bencode_read_value(&r);
        }
    }
    bool whole = y == 'q' ? fields && named : y == 'r' ? fields : y == 'e' && error;
    enum err err = reader_end(&r);
    if (err == ERR_OK && (!whole || !transaction)) {
        err = ERR_MALFORMED;
    }
    if (err == ERR_OK && m.kind != KRPC_ERROR && !m.has_id) {
        err = ERR_MALFORMED; /* BEP 5: always there */
    }
    if (err == ERR_OK) {
        *out = m;
    } else {
        salvage(datagram, out);
    }
    return err;
}

/* --- writing --- */

static void put_text_slice(struct writer *w, const char *key, struct slice s)
{
    if (s.len > 0) {
        bencode_text(w, key);
        bencode_string(w, s);
    }
}

static void put_int(struct writer *w, const char *key, bool there, int64_t v)
{
    if (there) {
        bencode_text(w, key);
        bencode_int(w, v);
    }
}

static void write_peers(struct writer *w, const struct krpc *m)
{
    size_t size = m->peers_v6 ? DHT_COMPACT6 : DHT_COMPACT4;
    assert(m->peers.len % size == 0);
    bencode_text(w, "values");
    bencode_list(w);
    for (size_t at = 0; at < m->peers.len; at += size) {
        bencode_string(w, slice_of(m->peers.p + at, size));
    }
    bencode_close(w);
}

static void write_want(struct writer *w, const struct krpc *m)
{
    bencode_text(w, "want");
    bencode_list(w);
    if (m->want4) {
        bencode_text(w, "n4");
    }
    if (m->want6) {
        bencode_text(w, "n6");
    }
    bencode_close(w);
}

/* Arguments or values, in ascending order of their keys. */
static void write_fields(struct writer *w, const struct krpc *m)
{
    bool peers = m->method == KRPC_GET_PEERS || m->method == KRPC_ANNOUNCE_PEER;
    bencode_dict(w);
    put_int(w, "cas", m->has_cas, m->cas);
    put_text_slice(w, "id", slice_of(m->id.b, DHT_ID));
    put_int(w, "implied_port", m->implied_port, 1);
    if (m->has_target && peers) {
        put_text_slice(w, "info_hash", slice_of(m->target.b, DHT_ID));
    }
    put_text_slice(w, "k", slice_of(m->key, m->has_key ? KRPC_KEY : 0));
    put_text_slice(w, "nodes", m->nodes);
    put_text_slice(w, "nodes6", m->nodes6);
    put_int(w, "port", m->has_port, m->port);
    put_text_slice(w, "salt", m->salt);
    put_int(w, "seq", m->has_seq, m->seq);
    put_text_slice(w, "sig", slice_of(m->signature, m->has_signature ? KRPC_SIGNATURE : 0));
    if (m->has_target && !peers) {
        put_text_slice(w, "target", slice_of(m->target.b, DHT_ID));
    }
    put_text_slice(w, "token", m->token);
    if (m->value.len > 0) {
        bencode_text(w, "v");
        writer_slice(w, m->value);
    }
    if (m->has_peers) {
        write_peers(w, m);
    }
    if (m->want4 || m->want6) {
        write_want(w, m);
    }
    bencode_close(w);
}

static void write_error(struct writer *w, const struct krpc *m)
{
    bencode_text(w, "e");
    bencode_list(w);
    bencode_int(w, m->code);
    bencode_string(w, m->text);
    bencode_close(w);
}

void krpc_write(struct writer *w, const struct krpc *m)
{
    assert(m->transaction.len > 0 && m->transaction.len <= KRPC_TRANSACTION);
    bencode_dict(w);
    if (m->kind == KRPC_QUERY) {
        bencode_text(w, "a");
        write_fields(w, m);
    } else if (m->kind == KRPC_ERROR) {
        write_error(w, m);
    }
    put_text_slice(w, "ip", m->ip);
    if (m->kind == KRPC_QUERY) {
        bencode_text(w, "q");
        bencode_text(w, krpc_method_name(m->method));
    } else if (m->kind == KRPC_REPLY) {
        bencode_text(w, "r");
        write_fields(w, m);
    }
    put_int(w, "ro", m->read_only, 1);
    bencode_text(w, "t");
    bencode_string(w, m->transaction);
    put_text_slice(w, "v", m->version);
    bencode_text(w, "y");
    bencode_text(w, m->kind == KRPC_QUERY ? "q" : m->kind == KRPC_REPLY ? "r" : "e");
    bencode_close(w);
}
