/* SPDX-License-Identifier: Apache-2.0
 *
 * seal: the erase-ready row format, and the keys that rows are sealed under.
 *
 * Row: format u8 | bucket u8 | key generation u32 | nonce 24 | ciphertext + 16, XChaCha20-Poly1305,
 * AD = table name | 0x00 | key. An account's 256 bucket keys and its name key lie in STORE_BUCKET,
 * each wrapped under the root R of the account's erase file (store/erase.h); they are unwrapped on
 * first use. The node's own rows (relay, node identity) use one key and bucket 0.
 * docs/protocol/08-at-rest.md. Thread use: an object belongs to one thread; a worker makes its own
 * from R.
 */
#ifndef PETREL_STORE_SEAL_H
#define PETREL_STORE_SEAL_H

#include "store/store.h"

enum {
    SEAL_OVERHEAD = 1 + 1 + 4 + 24 + 16,
    SEAL_KEY = 32,
    SEAL_BUCKETS = 256,
    SEAL_BUCKET_SESSION = 0,  /* 0-15: ratchets and prekeys */
    SEAL_BUCKET_ACCOUNT = 15, /* identity, relays in use, contacts */
    SEAL_BUCKET_MESSAGE = 16, /* 16-255: message keys by (conversation, expiry day) */
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
/* The message bucket of (conversation, expiry day): 16 + H mod 240. */
uint8_t seal_message_bucket(struct seal_keys *keys, uint32_t conversation, uint32_t day);
/* A keyed hash of name under label: what stands in LMDB keys instead of IDs and queue names. */
void seal_name(struct seal_keys *keys, const char *label, struct slice name,
               uint8_t out[static SEAL_NAME]);

/* Seals plain and puts it. */
enum err seal_put(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                  uint8_t bucket, struct slice plain) PETREL_MUST_USE;
/* As seal_put with store_append. */
enum err seal_append(struct seal_keys *keys, struct turn *turn, enum store_table t,
                     struct slice key, uint8_t bucket, struct slice plain) PETREL_MUST_USE;
/* Gets and opens; plain lies in the turn's arena. ERR_NOT_FOUND, ERR_CORRUPT (wrong key, another
 * row's bytes, changed bytes), LOCAL. */
enum err seal_get(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                  struct slice *plain) PETREL_MUST_USE;
/* Opens a row that seek returned. */
enum err seal_open(struct seal_keys *keys, struct turn *turn, enum store_table t, struct slice key,
                   struct slice row, struct slice *plain) PETREL_MUST_USE;

#endif
