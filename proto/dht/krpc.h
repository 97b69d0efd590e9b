/* SPDX-License-Identifier: Apache-2.0
 *
 * krpc: messages of the Mainline DHT, one a datagram: query, reply or error (BEP 5), with what
 * BEP 32 (IPv6), 42 (the asker's address), 43 (read-only) and 44 (items) add. A codec: it knows
 * form and sizes, not who may say what when. docs/protocol/11-dht.md, section 3.
 */
#ifndef PETREL_DHT_KRPC_H
#define PETREL_DHT_KRPC_H

#include "dht/contact.h"

enum {
    KRPC_DATAGRAM = 1400,  /* we send no larger one, */
    KRPC_DATAGRAM6 = 1232, /* in IPv6, which is not taken apart on its way (RFC 8200, section 5) */
    KRPC_DATAGRAM_IN = 4096, /* and read none */
    KRPC_TRANSACTION = 32,   /* longest transaction ID that is answered */
    KRPC_TOKEN = 64,         /* longest token that is kept and given back */
    KRPC_KEY = 32,
    KRPC_SIGNATURE = 64,
    KRPC_SALT = 64,       /* BEP 44 */
    KRPC_VALUE = 1000,    /* BEP 44, bencoded */
    KRPC_ERROR_TEXT = 64, /* bytes of the words of an error that are read */
    KRPC_VERSION = 4,     /* client and version, BEP 20 */
};

enum krpc_kind {
    KRPC_QUERY,
    KRPC_REPLY,
    KRPC_ERROR,
};

enum krpc_method {
    KRPC_PING,
    KRPC_FIND_NODE,
    KRPC_GET_PEERS,
    KRPC_ANNOUNCE_PEER,
    KRPC_GET,
    KRPC_PUT,
    KRPC_UNKNOWN,
};

/* Codes of errors: BEP 5 and BEP 44. */
enum krpc_code {
    KRPC_GENERIC = 201,
    KRPC_SERVER = 202,
    KRPC_PROTOCOL = 203, /* malformed, or an argument is missing or wrong; a bad token */
    KRPC_METHOD_UNKNOWN = 204,
    KRPC_VALUE_TOO_BIG = 205,
    KRPC_BAD_SIGNATURE = 206,
    KRPC_SALT_TOO_BIG = 207,
    KRPC_CAS_MISMATCH = 301,
    KRPC_SEQ_LESS = 302,
};

/* What is not there is empty, or says so in has_*. Slices are borrowed. */
struct krpc {
    enum krpc_kind kind;
    struct slice transaction; /* t */
    struct slice version;     /* v, any length; ignored */
    bool read_only;           /* ro (BEP 43); of a query */
    struct slice ip;          /* ip (BEP 42): the asker's address, compact; of a reply */

    enum krpc_method method; /* q; of a query */
    bool has_id;             /* id: of a query or reply */
    struct dht_id id;
    bool has_target; /* target or info_hash */
    struct dht_id target;
    bool want4, want6; /* want (BEP 32) */
    struct slice token;
    bool has_port; /* port of announce_peer */
    uint16_t port;
    bool implied_port;
    bool has_peers;      /* values: a list of compact addresses; to write: all of one family, */
    bool peers_v6;       /* this one, */
    struct slice peers;  /* one behind the other; of who asks we want to know nothing of them */
    struct slice nodes;  /* 26 bytes each */
    struct slice nodes6; /* 38 bytes each */

    bool has_seq, has_cas; /* BEP 44 */
    int64_t seq;
    int64_t cas;
    bool has_key;
    uint8_t key[KRPC_KEY]; /* k */
    bool has_signature;
    uint8_t signature[KRPC_SIGNATURE]; /* sig */
    struct slice salt;
    struct slice value; /* v, bencoded as it stands; of a put or a reply */

    int64_t code;      /* of an error */
    struct slice text; /* likewise */
};

/* Whether this datagram can be a KRPC message at all: 'd' first. */
bool krpc_looks(struct slice datagram);
/* Reads one; slices point into it. peers stays empty. ERR_MALFORMED, ERR_TOO_LARGE: the message is
 * out of form; transaction and kind are set all the same when they could be read, so that a query
 * can be answered with KRPC_PROTOCOL. */
enum err krpc_read(struct slice datagram, struct krpc *out) PETREL_MUST_USE;
/* ERR_NO_SPACE latches in w when it does not fit. */
void krpc_write(struct writer *w, const struct krpc *m);
const char *krpc_method_name(enum krpc_method method);

#endif
