/* SPDX-License-Identifier: Apache-2.0
 *
 * keyring: the keys that open a home: the node's store key (file node.key, 0600, made at first
 * start, or a credential) and each account's root R, out of its erase file (store/erase.h), under a
 * secret from a passphrase (Argon2id), of a 0600 key file, or of a credential.
 * docs/protocol/08-at-rest.md, sections 8.3, 8.4 and 8.11.
 */
#ifndef PETREL_DAEMON_KEYRING_H
#define PETREL_DAEMON_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/env.h"
#include "node/io.h"
#include "store/seal.h"

/* Where keys are; all borrowed. */
struct keyring {
    const char *home;       /* folder */
    const uint8_t *node;    /* credential node.key (daemon/credential.h), SEAL_KEY bytes; or NULL */
    const uint8_t *account; /* credential account.key, likewise */
};

/* The node's store key: the credential, else <home>/node.key, which is made when it is not there
 * and the home is a new one. ERR_NO_CREDENTIAL: the home is not new, and there is neither.
 * ERR_WRONG_KEY: there are both, and they differ. ERR_IO, ERR_DISK_FULL, ERR_CORRUPT (wrong size),
 * ERR_CONFIG (group or others may read it, or it belongs to somebody else). */
enum err keyring_node_key(const struct keyring *k, bool new_home,
                          uint8_t key[static SEAL_KEY]) PETREL_MUST_USE;

/* What opens an account. A file that is there but cannot be read or is damaged counts as
 * KEYRING_KEY_FILE: opening it then says what is wrong. */
enum keyring_kind {
    KEYRING_NONE,       /* no erase file: no account */
    KEYRING_KEY_FILE,   /* opens without being asked, likewise */
    KEYRING_CREDENTIAL, /* this */
    KEYRING_PASSPHRASE, /* needs a passphrase */
};
enum keyring_kind keyring_account_kind(const struct keyring *k, uint32_t account);

/* Draws R, writes the erase file (generation 1) under the passphrase, or, when that is empty, under
 * the credential, or without one under a new key file; everything with fsync. Replaces an orphan of
 * a creation that never committed; the caller knows that no account row exists. random: fills R and
 * salts. root: all of it; wipe it after use. */
enum err keyring_account_create(const struct keyring *k, uint32_t account, struct slice passphrase,
                                const struct env *env, struct node_root *root) PETREL_MUST_USE;
/* What a passphrase costs to try. keyring_account_create and _change take libsodium's MODERATE. */
struct keyring_cost {
    uint32_t ops;     /* passes */
    uint32_t mem_kib; /* memory */
};
/* As keyring_account_create, at another cost: for tests. */
enum err keyring_account_create_at(const struct keyring *k, uint32_t account,
                                   struct slice passphrase, const struct env *env,
                                   struct keyring_cost cost,
                                   struct node_root *root) PETREL_MUST_USE;
/* Opens R of this generation, which is the one that the store names. ERR_ROLLBACK: the file has
 * others only, so the store is of another time. ERR_WRONG_KEY (also: the key file is not there, or
 * a passphrase is needed and none was given), ERR_NO_CREDENTIAL, ERR_NO_ACCOUNT, ERR_CORRUPT,
 * ERR_CONFIG (others may read the key file), ERR_IO, ERR_NO_MEMORY. root: all of it, wiped on
 * error; wipe it after use. Argon2id takes a while: not on the I/O or the engine thread, except at
 * start. */
enum err keyring_account_open(const struct keyring *k, uint32_t account, struct slice passphrase,
                              uint32_t generation, struct node_root *root) PETREL_MUST_USE;

/* Makes an account open with something else from now on, and destroys what opened it before.
 * passphrase: the present one; ignored when it has none. to: KEYRING_KEY_FILE (a new one),
 * KEYRING_CREDENTIAL, or KEYRING_PASSPHRASE with `fresh`. When it opens with just that already,
 * nothing is changed: so a call whose reply was lost may come again. Roots, generations and all
 * that is in the database stay. Errors as keyring_account_open, where the present one does not open
 * the account; ERR_ARGUMENT, ERR_NO_CREDENTIAL (there is none to be put under), ERR_DISK_FULL: then
 * the present one is in force, and all is as it was. *left: what was in force before is not
 * destroyed yet; keyring_account_tidy does it. root: as keyring_account_open gives it from now on.
 */
struct keyring_change {
    struct slice passphrase;
    enum keyring_kind to;
    struct slice fresh;
    struct keyring_cost cost; /* of fresh */
};
/* The usual cost. */
struct keyring_cost keyring_cost_usual(void);
enum err keyring_account_change(const struct keyring *k, uint32_t account,
                                const struct keyring_change *change, uint32_t generation,
                                const struct env *env, struct node_root *root,
                                bool *left) PETREL_MUST_USE;
/* Destroys what a change that was cut short left in the home: the new files before it was in force,
 * what opened the account before when it was. Nothing where the erase file cannot be read. ERR_IO,
 * ERR_DISK_FULL. */
enum err keyring_account_tidy(const struct keyring *k, uint32_t account) PETREL_MUST_USE;

/* Puts root into the slot of its account's erase file that the generation before it is not in, with
 * fsync. ERR_CORRUPT: that one is in none. ERR_WRONG_KEY: root->secret does not open that one, so
 * nothing would open the new one. ERR_NO_ACCOUNT, ERR_IO, ERR_DISK_FULL. */
enum err keyring_root_put(const struct keyring *k, const struct env *env,
                          const struct node_root *root) PETREL_MUST_USE;
/* Overwrites the slot that this generation is not in, with fsync; nothing when it is empty. Tidies
 * up, too. Errors as keyring_root_put. */
enum err keyring_root_keep(const struct keyring *k, uint32_t account,
                           uint32_t generation) PETREL_MUST_USE;

/* Destroys what opens the account: overwrites and removes its erase file and its key file, with
 * fsync. Files that are not there are fine; a credential is not ours to destroy. ERR_CONFIG,
 * ERR_IO.
 */
enum err keyring_account_erase(const struct keyring *k, uint32_t account) PETREL_MUST_USE;

#endif
