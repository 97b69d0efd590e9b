/* SPDX-License-Identifier: Apache-2.0
 *
 * seal_keys: the keys that rows are sealed under: one of the node, or 256 bucket keys and a name
 * key of an account, which lie in STORE_BUCKET, wrapped under the root R of the account's erase
 * file (store/erase.h), and are unwrapped on first use. docs/protocol/08-at-rest.md, 8.3 and 8.10.
 * Thread use: an object belongs to one thread; a worker makes its own from R.
 */
#ifndef PETREL_STORE_SEAL_KEYS_H
#define PETREL_STORE_SEAL_KEYS_H

#include "store/seal_row.h"

enum {
    SEAL_OVERHEAD = 1 + 1 + 4 + 24 + 16,
    SEAL_KEY = 32,
    SEAL_BUCKETS = 256,
    SEAL_PACK = 16, /* buckets whose keys lie in one row */
    /* Rows of an account whose keys are packed and in which nothing is renewed: the name key, the
     * key of SEAL_BUCKET_ACCOUNT, packs. */
    SEAL_KEY_ROWS = 2 + SEAL_BUCKETS / SEAL_PACK,
    SEAL_BUCKET_SESSION = 0,  /* 0-14: ratchets, prekeys, the outbox */
    SEAL_BUCKET_ACCOUNT = 15, /* what is not named here; never renewed */
    SEAL_BUCKET_MESSAGE = 16, /* 16-255: messages, by conversation and group; evidence */
    SEAL_NAME = 16,           /* a keyed hash that stands for a name in a key */
};

/* One account's keys, or the node's. Lives in secret memory. */
struct seal_keys;

/* account: the account's number, first in all its keys (0 for the node itself). root is R, or the
 * node's key; copied. NULL when out of memory. */
struct seal_keys *seal_keys_new_account(uint32_t account, const uint8_t root[static SEAL_KEY]);
struct seal_keys *seal_keys_new_node(const uint8_t key[static SEAL_KEY]);
void seal_keys_free(struct seal_keys *keys);
uint32_t seal_keys_account(const struct seal_keys *keys);
/* Makes 256 random bucket keys of generation 1 and the name key, wraps and puts them. Once, at
 * account creation; if that turn is aborted, free the object: its keys are nowhere else. */
enum err seal_keys_create(struct seal_keys *keys, struct turn *turn) PETREL_MUST_USE;
/* Unwraps the name key, which seal_name and seal_message_bucket need (it must outlive R, so it is
 * not derived from R). Every function below that takes a turn does it too, on first use; so does
 * create. Cheap when done before. ERR_CORRUPT when R does not open it, ERR_NOT_FOUND when the
 * account was never created, LOCAL. */
enum err seal_keys_load(struct seal_keys *keys, struct turn *turn) PETREL_MUST_USE;

/* Both: only after seal_keys_load or another call with a turn, for an account's keys. */
/* The bucket of a group of messages of a conversation: 16 + H mod 240. */
uint8_t seal_message_bucket(struct seal_keys *keys, uint32_t conversation, uint32_t group);
/* A keyed hash of name under label: what stands in LMDB keys instead of IDs and queue names. */
void seal_name(struct seal_keys *keys, const char *label, struct slice name,
               uint8_t out[static SEAL_NAME]);

/* --- forgetting: docs/protocol/08-at-rest.md, 8.10 ---
 *
 * A row that was overwritten or deleted stays in the database's free pages. It is forgotten when
 * nothing opens it any more: its bucket gets a new key, what lives in the bucket is sealed again,
 * and then the old key is dropped together with the root that wrapped it. */

/* A set of buckets. */
struct seal_set {
    uint8_t bits[SEAL_BUCKETS / 8];
};
void seal_set_add(struct seal_set *set, uint8_t bucket);
void seal_set_remove(struct seal_set *set, uint8_t bucket);
bool seal_set_has(const struct seal_set *set, uint8_t bucket);
bool seal_set_empty(const struct seal_set *set);
void seal_set_join(struct seal_set *set, const struct seal_set *more);

/* Buckets that hold something to be forgotten: where seal_del deleted, and where seal_put wrote in
 * a table whose rows replace a secret (sessions, prekeys, the outbox). Since the object was made,
 * or since the set was emptied. The caller may change it. */
struct seal_set *seal_touched(struct seal_keys *keys);
/* Gives the bucket a new key, under which rows are put from now on. */
enum err seal_renew(struct seal_keys *keys, struct turn *turn, uint8_t bucket) PETREL_MUST_USE;
/* The buckets that have more keys than one. */
enum err seal_renewing(struct seal_keys *keys, struct turn *turn,
                       struct seal_set *set) PETREL_MUST_USE;
/* Whether the newest key of every bucket can be unwrapped. ERR_CORRUPT: not so. LOCAL. */
enum err seal_whole(struct seal_keys *keys, struct turn *turn) PETREL_MUST_USE;
/* Drops every key but the newest of each bucket, and wraps these under another root. No row may be
 * left under a dropped one. ERR_CORRUPT: a newest key cannot be unwrapped, and nothing was done.
 * LOCAL. */
enum err seal_reroot(struct seal_keys *keys, struct turn *turn, const uint8_t root[static SEAL_KEY],
                     uint32_t generation) PETREL_MUST_USE;
/* The generation of the root that wraps the account's keys; of loaded keys. */
uint32_t seal_root(const struct seal_keys *keys);
/* The same from the store, without a root. ERR_NOT_FOUND: there is no such account. ERR_CORRUPT,
 * LOCAL. */
enum err seal_root_named(struct store *s, uint32_t account, uint32_t *generation) PETREL_MUST_USE;

/* --- for seal.c --- */

/* The newest key of a bucket; borrowed. ERR_CORRUPT, LOCAL. */
enum err seal_key_newest(struct seal_keys *keys, struct turn *turn, uint8_t bucket,
                         const struct seal_key **key) PETREL_MUST_USE;
/* The key that a row names: the newest, or while a bucket is being re-sealed one before it. Wipe
 * *out. */
enum err seal_key_find(struct seal_keys *keys, struct turn *turn, struct seal_header h,
                       struct aead_key *out) PETREL_MUST_USE;

#endif
