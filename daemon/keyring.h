/* SPDX-License-Identifier: Apache-2.0
 *
 * keyring: the keys that open a home: the node's store key (file node.key, 0600, made at first
 * start, or a systemd credential) and each account's root R, out of its erase file (store/erase.h),
 * under a key from a passphrase (Argon2id) or a 0600 key file. docs/protocol/08-at-rest.md.
 */
#ifndef PETREL_DAEMON_KEYRING_H
#define PETREL_DAEMON_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/env.h"
#include "node/io.h"

/* Reads the node's store key: $CREDENTIALS_DIRECTORY/node.key, else <home>/node.key, which is made
 * when it is not there. ERR_IO, ERR_DISK_FULL, ERR_CORRUPT (wrong size), ERR_CONFIG (group or
 * others may read it, or it belongs to somebody else). */
enum err keyring_node_key(const char *home, uint8_t key[static SEAL_KEY]) PETREL_MUST_USE;

/* A file that is there but cannot be read or is damaged counts as KEYRING_KEY_FILE: opening it then
 * says what is wrong. */
enum keyring_account {
    KEYRING_NONE,       /* no erase file: no account */
    KEYRING_KEY_FILE,   /* opens without being asked */
    KEYRING_PASSPHRASE, /* needs a passphrase */
};
enum keyring_account keyring_account_kind(const char *home, uint32_t account);
/* Draws R, writes the erase file (generation 1) under the passphrase, or under a new key file when
 * passphrase is empty (or under the credential account.key, where the system has handed one in),
 * everything with fsync. Replaces an orphan of a creation that never committed; the caller knows
 * that no account row exists. random: fills R and salts. root: all of it; wipe it after use. */
enum err keyring_account_create(const char *home, uint32_t account, struct slice passphrase,
                                const struct env *env, struct node_root *root) PETREL_MUST_USE;
/* What a passphrase costs to try. keyring_account_create takes libsodium's MODERATE. */
struct keyring_cost {
    uint32_t ops;     /* passes */
    uint32_t mem_kib; /* memory */
};
/* As keyring_account_create, at another cost: for tests. */
enum err keyring_account_create_at(const char *home, uint32_t account, struct slice passphrase,
                                   const struct env *env, struct keyring_cost cost,
                                   struct node_root *root) PETREL_MUST_USE;
/* Opens R of this generation, which is the one that the store names. ERR_ROLLBACK: the file has
 * others only, so the store is of another time. ERR_WRONG_KEY (also: the key file is not there, or
 * a passphrase is needed and none was given), ERR_NO_ACCOUNT, ERR_CORRUPT, ERR_CONFIG (others may
 * read the key file), ERR_IO, ERR_NO_MEMORY. root: all of it, wiped on error; wipe it after use.
 * Argon2id takes a while: not on the I/O or the engine thread, except at start. */
enum err keyring_account_open(const char *home, uint32_t account, struct slice passphrase,
                              uint32_t generation, struct node_root *root) PETREL_MUST_USE;
/* Puts root into the slot of its account's erase file that the generation before it is not in, with
 * fsync. ERR_CORRUPT: that one is in none. ERR_WRONG_KEY: root->secret does not open that one, so
 * nothing would open the new one. ERR_NO_ACCOUNT, ERR_IO, ERR_DISK_FULL. */
enum err keyring_root_put(const char *home, const struct env *env,
                          const struct node_root *root) PETREL_MUST_USE;
/* Overwrites the slot that this generation is not in, with fsync; nothing when it is empty. Errors
 * as keyring_root_put. */
enum err keyring_root_keep(const char *home, uint32_t account, uint32_t generation) PETREL_MUST_USE;

/* Destroys what opens the account: overwrites and removes its erase file and its key file, with
 * fsync. Files that are not there are fine; a credential is not ours to destroy. ERR_CONFIG,
 * ERR_IO.
 */
enum err keyring_account_erase(const char *home, uint32_t account) PETREL_MUST_USE;

#endif
