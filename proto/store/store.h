/* SPDX-License-Identifier: Apache-2.0
 *
 * store: the ordered key-value transaction that a turn runs in, as the core sees it.
 *
 * The host hands in an implementation (LMDB in daemon/store, memory in store/mem). All calls of
 * one turn belong to one transaction that the host begins and ends; the core never commits. Keys
 * are big endian, at most STORE_KEY bytes, compared as bytes. A value that get or seek returned is
 * valid until the next put or del in the same transaction: copy what must live longer.
 */
#ifndef PETREL_STORE_STORE_H
#define PETREL_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"
#include "base/err.h"

enum {
    STORE_KEY = 128,      /* longest key, bytes */
    STORE_VALUE = 262144, /* longest value, bytes */
};

/* X(constant, LMDB name). The order may change, names are for ever. Keys:
 * docs/protocol/08-at-rest.md, section 8.5. */
#define STORE_TABLES(X)                                                                            \
    X(META, "meta")               /* schema, writer, node ID, counters */                          \
    X(ACCOUNT, "account")         /* account | what u8: identity; relays; touched buckets */       \
    X(BUCKET, "bucket")           /* account | bucket u8 | generation u32, 0: 16 keys; account */  \
    X(CONTACT, "contact")         /* account | number u32 */                                       \
    X(CONTACT_ID, "contact_id")   /* account | hash of an ID: number of the contact */             \
    X(PEER, "peer")               /* account | number u32: a device of a contact */                \
    X(TOKEN, "token")             /* account | peer u32 | counter u64 */                           \
    X(VOIDING, "voiding")         /* account | peer u32: tokens that the relay is to void */       \
    X(SESSION, "session")         /* account | peer u32 | slot u8 */                               \
    X(PREKEY, "prekey")           /* account | kind u8 | id u32 */                                 \
    X(REPLAY, "replay")           /* account | hash of an EK: whose session it began */            \
    X(INVITE, "invite")           /* account | invite id: handed out */                            \
    X(OUTBOX, "outbox")           /* account | peer u32 | order u64 */                             \
    X(EVIDENCE, "evidence")       /* account | made ms u64 | peer u32 | order u64 */               \
    X(OWED, "owed")               /* account | peer u32: an acknowledgement is owed */             \
    X(MESSAGE, "message")         /* account | contact u32 | order u64: the history */             \
    X(MESSAGE_ID, "message_id")   /* account | hash of a content id: its order */                  \
    X(EVENT, "event")             /* account | cursor u64 */                                       \
    X(CONSUMER, "consumer")       /* account | hash of a name: its cursor */                       \
    X(CLIENT_ID, "client_id")     /* account | client_id 16: first result of a call */             \
    X(CLIENT_AGE, "client_age")   /* ms u64 | account | client_id 16 */                            \
    X(MEMBER, "member")           /* relay: hash of a member key */                                \
    X(JOIN_CODE, "join_code")     /* relay: hash of a single-use code */                           \
    X(QUEUE, "queue")             /* relay: hash of a queue key */                                 \
    X(QUEUE_INDEX, "queue_index") /* relay: queue u32 | arrival u64 */                             \
    X(QUEUE_FRESH, "queue_fresh") /* schema 2 only: index rows of last deposits; empty since */    \
    X(LOG_1H, "log_1h")           /* relay: arrival u64: payload of lifetime class 0 */            \
    X(LOG_1D, "log_1d")           /* class 1 */                                                    \
    X(LOG_7D, "log_7d")           /* class 2 */                                                    \
    X(LOG_30D, "log_30d")         /* class 3 */                                                    \
    X(RECORD, "record")           /* relay: hash of a record key */                                \
    X(RECORD_PART, "record_part") /* relay: record | part id u32 */                                \
    X(RECORD_POP, "record_pop")   /* relay: record | pop nonce 16 */                               \
    X(SPENT, "spent")             /* relay: target | nonce 16 */                                   \
    X(SPENT_AGE, "spent_age")     /* relay: until ms u64 | kind u8 | name | extra 16 */            \
    X(DESCRIPTOR, "descriptor")   /* relay: hash of a blinded key */

enum store_table {
#define STORE_TABLE_ENUM(constant, name) STORE_##constant,
    STORE_TABLES(STORE_TABLE_ENUM)
#undef STORE_TABLE_ENUM
    STORE_TABLE_COUNT
};

/* The table's name for ever; NULL for a number out of range. */
const char *store_table_name(enum store_table table);

enum store_seek {
    STORE_GE, /* smallest key >= the given one */
    STORE_GT, /* smallest key > the given one */
    STORE_LE, /* largest key <= the given one */
    STORE_LT, /* largest key < the given one */
};

struct store_row {
    struct slice key;
    struct slice value;
};

/* Errors: ERR_NOT_FOUND (get, seek, del), otherwise LOCAL: the turn has failed and is aborted. */
struct store_ops {
    enum err (*get)(void *ctx, enum store_table t, struct slice key, struct slice *value);
    enum err (*seek)(void *ctx, enum store_table t, enum store_seek how, struct slice key,
                     struct store_row *row);
    enum err (*put)(void *ctx, enum store_table t, struct slice key, struct slice value);
    /* put, for a key that is larger than all in the table (ERR_BUG otherwise) */
    enum err (*append)(void *ctx, enum store_table t, struct slice key, struct slice value);
    enum err (*del)(void *ctx, enum store_table t, struct slice key);
};

struct store {
    const struct store_ops *ops;
    void *ctx;   /* the host's transaction */
    bool growth; /* false: below the disk reserve, inputs that grow the store are refused */
};

enum err store_get(struct store *s, enum store_table t, struct slice key,
                   struct slice *value) PETREL_MUST_USE;
enum err store_seek(struct store *s, enum store_table t, enum store_seek how, struct slice key,
                    struct store_row *row) PETREL_MUST_USE;
/* Like seek, but ERR_NOT_FOUND when the row's key does not begin with prefix. */
enum err store_seek_prefix(struct store *s, enum store_table t, enum store_seek how,
                           struct slice key, struct slice prefix,
                           struct store_row *row) PETREL_MUST_USE;
enum err store_put(struct store *s, enum store_table t, struct slice key,
                   struct slice value) PETREL_MUST_USE;
enum err store_append(struct store *s, enum store_table t, struct slice key,
                      struct slice value) PETREL_MUST_USE;
enum err store_del(struct store *s, enum store_table t, struct slice key) PETREL_MUST_USE;

/* A key under construction, on the stack. */
struct store_key {
    uint8_t b[STORE_KEY];
    size_t len;
};

struct store_key store_key_new(void);
void store_key_u8(struct store_key *k, uint8_t v);
void store_key_u32(struct store_key *k, uint32_t v);
void store_key_u64(struct store_key *k, uint64_t v);
void store_key_bytes(struct store_key *k, const void *p, size_t len);
struct slice store_key_slice(const struct store_key *k);

/* What every function of a turn is handed. All borrowed, all of them valid for this turn only. */
struct turn {
    const struct env *env;
    struct store *store;
    struct arena *arena;
};

#endif
