/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/keyring.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/limits.h"
#include "base/secret.h"
#include "daemon/keyfile.h"
#include "daemon/store/dir.h"
#include "store/erase.h"

static_assert((int)ERASE_FILE <= (int)KEYFILE_MAX, "an erase file is overwritten whole");

static const char NODE_NAME[] = "node.key";

static void erase_name(char out[static KEYFILE_NAME], uint32_t account)
{
    (void)snprintf(out, KEYFILE_NAME, "erase-%lu", (unsigned long)account);
}

static void key_name(char out[static KEYFILE_NAME], uint32_t account)
{
    (void)snprintf(out, KEYFILE_NAME, "account-%lu.key", (unsigned long)account);
}

/* --- the node --- */

enum err keyring_node_key(const struct keyring *k, bool new_home, uint8_t key[static SEAL_KEY])
{
    uint8_t found[SEAL_KEY];
    enum err err = keyfile_read(k->home, NODE_NAME, true, found, sizeof found);
    if (k->node != NULL && err == ERR_OK) {
        err = prim_equal(found, k->node, SEAL_KEY) ? ERR_OK : ERR_WRONG_KEY;
    } else if (k->node != NULL && err == ERR_NOT_FOUND) {
        memcpy(found, k->node, sizeof found);
        err = ERR_OK;
    } else if (err == ERR_NOT_FOUND && !new_home) {
        err = ERR_NO_CREDENTIAL;
    } else if (err == ERR_NOT_FOUND) {
        randombytes_buf(found, sizeof found);
        err = keyfile_write(k->home, NODE_NAME, slice_of(found, sizeof found));
    }
    if (err == ERR_OK) {
        memcpy(key, found, sizeof found);
    }
    secret_wipe(found, sizeof found);
    return err;
}

/* --- what opens an account --- */

static enum err erase_load(const struct keyring *k, uint32_t account, struct erase_file *out)
{
    char name[KEYFILE_NAME];
    uint8_t bytes[ERASE_FILE];
    erase_name(name, account);
    enum err err = keyfile_read(k->home, name, false, bytes, sizeof bytes);
    if (err == ERR_OK) {
        err = erase_decode(out, slice_of(bytes, sizeof bytes));
    }
    if (err == ERR_OK && out->account != account) {
        err = ERR_CORRUPT;
    }
    return err;
}

static enum keyring_kind kind_of(const struct erase_kdf *kdf)
{
    switch (kdf->kind) {
    case ERASE_KDF_ARGON2ID:
        return KEYRING_PASSPHRASE;
    case ERASE_KDF_CREDENTIAL:
        return KEYRING_CREDENTIAL;
    case ERASE_KDF_KEY_FILE:
        break;
    }
    return KEYRING_KEY_FILE;
}

enum keyring_kind keyring_account_kind(const struct keyring *k, uint32_t account)
{
    struct erase_file f;
    enum err err = erase_load(k, account, &f);
    if (err == ERR_NOT_FOUND) {
        return KEYRING_NONE;
    }
    return err == ERR_OK ? kind_of(&f.kdf) : KEYRING_KEY_FILE;
}

static enum err passphrase_secret(const struct erase_kdf *kdf, struct slice passphrase,
                                  uint8_t secret[static SEAL_KEY])
{
    static_assert(ERASE_SALT == crypto_pwhash_argon2id_SALTBYTES, "Argon2id salt");
    int bad = crypto_pwhash_argon2id(secret, SEAL_KEY, (const char *)passphrase.p, passphrase.len,
                                     kdf->salt, kdf->ops, (size_t)kdf->mem_kib * 1024,
                                     crypto_pwhash_argon2id_ALG_ARGON2ID13);
    return bad != 0 ? ERR_NO_MEMORY : ERR_OK; /* every other reason was excluded before */
}

static enum err credential_secret(const struct keyring *k, uint8_t secret[static SEAL_KEY])
{
    if (k->account == NULL) {
        return ERR_NO_CREDENTIAL;
    }
    memcpy(secret, k->account, SEAL_KEY);
    return ERR_OK;
}

/* What is to open an account from now on: salt and secret, and the key file, if it is one. */
static enum err secret_create(const struct keyring *k, uint32_t account, enum keyring_kind kind,
                              struct slice passphrase, struct keyring_cost cost,
                              const struct env *env, struct erase_kdf *kdf,
                              uint8_t secret[static SEAL_KEY])
{
    char name[KEYFILE_NAME];
    env_random(env, kdf->salt, sizeof kdf->salt);
    switch (kind) {
    case KEYRING_PASSPHRASE:
        kdf->kind = ERASE_KDF_ARGON2ID;
        kdf->ops = cost.ops;
        kdf->mem_kib = cost.mem_kib;
        return passphrase_secret(kdf, passphrase, secret);
    case KEYRING_CREDENTIAL:
        kdf->kind = ERASE_KDF_CREDENTIAL;
        return credential_secret(k, secret);
    case KEYRING_KEY_FILE:
        kdf->kind = ERASE_KDF_KEY_FILE;
        key_name(name, account);
        env_random(env, secret, SEAL_KEY);
        return keyfile_write(k->home, name, slice_of(secret, SEAL_KEY));
    case KEYRING_NONE:
        break;
    }
    return ERR_ARGUMENT;
}

static enum err erase_write(const struct keyring *k, const struct erase_file *f, bool replaces)
{
    char name[KEYFILE_NAME];
    uint8_t bytes[ERASE_FILE];
    erase_name(name, f->account);
    erase_encode(bytes, f);
    return replaces ? keyfile_replace(k->home, name, slice_of(bytes, sizeof bytes))
                    : keyfile_write(k->home, name, slice_of(bytes, sizeof bytes));
}

/* --- creation --- */

/* A key file beside something else opens nothing. */
static enum err key_file_destroy(const struct keyring *k, uint32_t account)
{
    char name[KEYFILE_NAME];
    key_name(name, account);
    return keyfile_destroy(k->home, name);
}

enum err keyring_account_create_at(const struct keyring *k, uint32_t account,
                                   struct slice passphrase, const struct env *env,
                                   struct keyring_cost cost, struct node_root *root)
{
    struct erase_file f = {.account = account};
    struct node_root fresh = {.account = account, .generation = 1};
    uint8_t nonce[PRIM_AEAD_NONCE];
    if (account == 0 || passphrase.len > LIMIT_PASSPHRASE) {
        return ERR_ARGUMENT;
    }
    enum keyring_kind kind = passphrase.len > 0   ? KEYRING_PASSPHRASE
                             : k->account != NULL ? KEYRING_CREDENTIAL
                                                  : KEYRING_KEY_FILE;
    env_random(env, fresh.r, sizeof fresh.r);
    env_random(env, nonce, sizeof nonce);
    enum err err = key_file_destroy(k, account); /* an orphan's */
    if (err == ERR_OK) {
        err = secret_create(k, account, kind, passphrase, cost, env, &f.kdf, fresh.secret);
    }
    if (err == ERR_OK) {
        erase_slot_seal(&f, 0, fresh.generation, fresh.secret, nonce, fresh.r);
        err = erase_write(k, &f, false);
    }
    if (err == ERR_OK) {
        *root = fresh;
    }
    secret_wipe(&fresh, sizeof fresh);
    return err;
}

struct keyring_cost keyring_cost_usual(void)
{
    return (struct keyring_cost){
        .ops = crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
        .mem_kib = crypto_pwhash_argon2id_MEMLIMIT_MODERATE / 1024,
    };
}

enum err keyring_account_create(const struct keyring *k, uint32_t account, struct slice passphrase,
                                const struct env *env, struct node_root *root)
{
    return keyring_account_create_at(k, account, passphrase, env, keyring_cost_usual(), root);
}

/* --- opening --- */

static enum err key_file_secret(const struct keyring *k, uint32_t account,
                                uint8_t secret[static SEAL_KEY])
{
    char name[KEYFILE_NAME];
    key_name(name, account);
    enum err err = keyfile_read(k->home, name, true, secret, SEAL_KEY);
    return err == ERR_NOT_FOUND ? ERR_WRONG_KEY : err;
}

/* The secret of a file that no passphrase opens, tried on one slot. Programs before kind 3 had
 * accounts under the credential as kind 2. */
static enum err stored_open(const struct keyring *k, const struct erase_file *f, unsigned slot,
                            struct node_root *root)
{
    bool credential = f->kdf.kind == ERASE_KDF_CREDENTIAL;
    enum err err = credential ? credential_secret(k, root->secret)
                              : key_file_secret(k, f->account, root->secret);
    if (err == ERR_OK) {
        err = erase_slot_open(f, slot, root->secret, root->r);
    }
    if (err == ERR_WRONG_KEY && !credential && credential_secret(k, root->secret) == ERR_OK) {
        err = erase_slot_open(f, slot, root->secret, root->r);
    }
    return err;
}

static enum err passphrase_open(struct slice passphrase, const struct erase_file *f, unsigned slot,
                                struct node_root *root)
{
    if (passphrase.len == 0 || passphrase.len > LIMIT_PASSPHRASE) {
        return ERR_WRONG_KEY;
    }
    enum err err = passphrase_secret(&f->kdf, passphrase, root->secret);
    return err == ERR_OK ? erase_slot_open(f, slot, root->secret, root->r) : err;
}

/* The slot with this generation; -1: none. */
static int slot_of(const struct erase_file *f, uint64_t generation)
{
    for (int i = 0; i < ERASE_SLOTS && generation != 0; i++) {
        if (f->slots[i].generation == generation) {
            return i;
        }
    }
    return -1;
}

static uint64_t newest(const struct erase_file *f)
{
    return f->slots[erase_newest(f)].generation; /* decode refuses a file without a slot */
}

/* Of a file that may be of any time: no root is newer than the newest. */
static uint32_t former_of(const struct erase_file *f)
{
    uint64_t former = f->former < newest(f) ? f->former : newest(f);
    return former < UINT32_MAX ? (uint32_t)former : UINT32_MAX;
}

static enum err open_file(const struct keyring *k, const struct erase_file *f,
                          struct slice passphrase, uint32_t generation, struct node_root *root)
{
    *root = (struct node_root){
        .account = f->account, .generation = generation, .former = former_of(f), .opened = true};
    int wanted = slot_of(f, generation);
    unsigned slot =
        (unsigned)(wanted >= 0 ? wanted : erase_newest(f)); /* a wrong key is told first */
    enum err err = f->kdf.kind == ERASE_KDF_ARGON2ID ? passphrase_open(passphrase, f, slot, root)
                                                     : stored_open(k, f, slot, root);
    err = err == ERR_OK && wanted < 0 ? ERR_ROLLBACK : err;
    if (err != ERR_OK) {
        secret_wipe(root, sizeof *root);
    }
    return err;
}

enum err keyring_account_open(const struct keyring *k, uint32_t account, struct slice passphrase,
                              uint32_t generation, struct node_root *root)
{
    struct erase_file f;
    enum err err = erase_load(k, account, &f);
    if (err == ERR_OK) {
        return open_file(k, &f, passphrase, generation, root);
    }
    secret_wipe(root, sizeof *root);
    return err == ERR_NOT_FOUND ? ERR_NO_ACCOUNT : err;
}

/* --- another passphrase, key file or credential --- */

/* The roots of one file, sealed for another. One that does not open is nobody's: the one that the
 * store names did. */
static void roots_move(struct erase_file *to, const uint8_t to_secret[static SEAL_KEY],
                       const struct erase_file *from, const uint8_t secret[static SEAL_KEY],
                       const struct env *env)
{
    uint8_t r[SEAL_KEY];
    uint8_t nonce[PRIM_AEAD_NONCE];
    for (unsigned i = 0; i < ERASE_SLOTS; i++) {
        uint64_t generation = from->slots[i].generation;
        if (generation > 0 && erase_slot_open(from, i, secret, r) == ERR_OK) {
            env_random(env, nonce, sizeof nonce);
            erase_slot_seal(to, i, generation, to_secret, nonce, r);
        }
    }
    secret_wipe(r, sizeof r);
    to->former = newest(from);
}

enum err keyring_account_tidy(const struct keyring *k, uint32_t account)
{
    struct erase_file f;
    char name[KEYFILE_NAME];
    if (erase_load(k, account, &f) != ERR_OK) {
        return ERR_OK; /* what is left may be all that there is */
    }
    erase_name(name, account);
    enum err err = keyfile_tidy(k->home, name);
    key_name(name, account);
    if (err == ERR_OK) {
        err = keyfile_tidy(k->home, name);
    }
    if (err == ERR_OK && f.kdf.kind != ERASE_KDF_KEY_FILE && keyfile_exists(k->home, name)) {
        err = dir_flush(k->home); /* the erase file that needs it no more is there for good */
        err = err == ERR_OK ? keyfile_destroy(k->home, name) : err;
    }
    return err;
}

/* Whether the file opens with what is wanted already; root then. */
static bool already(const struct keyring *k, const struct erase_file *f,
                    const struct keyring_change *change, uint32_t generation,
                    struct node_root *root)
{
    char name[KEYFILE_NAME];
    key_name(name, f->account);
    return kind_of(&f->kdf) == change->to &&
           (change->to != KEYRING_KEY_FILE || keyfile_exists(k->home, name)) &&
           open_file(k, f, change->fresh, generation, root) == ERR_OK;
}

static enum err change_to(const struct keyring *k, const struct erase_file *from,
                          const struct keyring_change *change, const struct env *env,
                          struct node_root *root)
{
    struct erase_file to = {.account = from->account};
    uint8_t secret[SEAL_KEY];
    enum err err = secret_create(k, from->account, change->to, change->fresh, change->cost, env,
                                 &to.kdf, secret);
    if (err == ERR_OK) {
        roots_move(&to, secret, from, root->secret, env);
        err = erase_write(k, &to, true);
    }
    if (err == ERR_OK) {
        memcpy(root->secret, secret, sizeof root->secret);
        root->former = former_of(&to);
    }
    secret_wipe(secret, sizeof secret);
    return err;
}

enum err keyring_account_change(const struct keyring *k, uint32_t account,
                                const struct keyring_change *change, uint32_t generation,
                                const struct env *env, struct node_root *root, bool *left)
{
    struct erase_file from;
    *left = false;
    if ((change->to == KEYRING_PASSPHRASE) != (change->fresh.len > 0) ||
        change->fresh.len > LIMIT_PASSPHRASE) {
        return ERR_ARGUMENT;
    }
    enum err err = erase_load(k, account, &from);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_NO_ACCOUNT : err;
    }
    err = keyring_account_tidy(k, account);
    if (err == ERR_OK) {
        err = open_file(k, &from, change->passphrase, generation, root);
    }
    bool same = kind_of(&from.kdf) == change->to && change->to != KEYRING_PASSPHRASE;
    if ((err == ERR_WRONG_KEY || (err == ERR_OK && same)) &&
        already(k, &from, change, generation, root)) {
        return ERR_OK;
    }
    if (err == ERR_OK) {
        err = change_to(k, &from, change, env, root);
    }
    if (err != ERR_OK) {
        enum err tidied = keyring_account_tidy(k, account);
        (void)tidied; /* the next one does it */
        secret_wipe(root, sizeof *root);
        return err;
    }
    *left = keyring_account_tidy(k, account) != ERR_OK || dir_flush(k->home) != ERR_OK;
    return ERR_OK;
}

/* --- roots --- */

/* Writes one slot of the file in place, as it is in f. */
static enum err slot_write(const struct keyring *k, const struct erase_file *f, unsigned slot)
{
    char name[KEYFILE_NAME];
    uint8_t bytes[ERASE_FILE];
    size_t at = (size_t)ERASE_BLOCK * (1 + slot);
    erase_name(name, f->account);
    erase_encode(bytes, f);
    return keyfile_patch(k->home, name, at, slice_of(bytes + at, ERASE_BLOCK));
}

/* The file, and which slot has this generation. */
static enum err slot_find(const struct keyring *k, uint32_t account, uint32_t generation,
                          struct erase_file *f, unsigned *slot)
{
    enum err err = erase_load(k, account, f);
    int found = err == ERR_OK ? slot_of(f, generation) : -1;
    *slot = (unsigned)(found < 0 ? 0 : found);
    if (err == ERR_OK && found < 0) {
        err = ERR_CORRUPT;
    }
    return err == ERR_NOT_FOUND ? ERR_NO_ACCOUNT : err;
}

enum err keyring_root_put(const struct keyring *k, const struct env *env,
                          const struct node_root *root)
{
    struct erase_file f;
    unsigned slot;
    uint8_t nonce[PRIM_AEAD_NONCE];
    uint8_t former[SEAL_KEY];
    enum err err = slot_find(k, root->account, root->generation - 1, &f, &slot);
    if (err == ERR_OK) {
        err = erase_slot_open(&f, slot, root->secret, former);
        secret_wipe(former, sizeof former);
    }
    if (err != ERR_OK) {
        return err;
    }
    env_random(env, nonce, sizeof nonce);
    erase_slot_seal(&f, 1 - slot, root->generation, root->secret, nonce, root->r);
    return slot_write(k, &f, 1 - slot);
}

/* Whether a slot's block has anything in it, also what does not count as a root. */
static enum err slot_used(const struct keyring *k, uint32_t account, unsigned slot, bool *used)
{
    static const uint8_t zeros[ERASE_BLOCK];
    char name[KEYFILE_NAME];
    uint8_t bytes[ERASE_FILE];
    erase_name(name, account);
    enum err err = keyfile_read(k->home, name, false, bytes, sizeof bytes);
    *used =
        err == ERR_OK && memcmp(bytes + (size_t)ERASE_BLOCK * (1 + slot), zeros, sizeof zeros) != 0;
    return err;
}

enum err keyring_root_keep(const struct keyring *k, uint32_t account, uint32_t generation)
{
    struct erase_file f;
    unsigned slot;
    bool used = false;
    enum err err = slot_find(k, account, generation, &f, &slot);
    if (err == ERR_OK) {
        err = slot_used(k, account, 1 - slot, &used);
    }
    if (err == ERR_OK && used) {
        f.slots[1 - slot] = (struct erase_slot){.generation = 0};
        err = slot_write(k, &f, 1 - slot);
    }
    return err == ERR_OK ? keyring_account_tidy(k, account) : err;
}

/* --- the end --- */

enum err keyring_account_erase(const struct keyring *k, uint32_t account)
{
    char names[2][KEYFILE_NAME];
    erase_name(names[0], account);
    key_name(names[1], account);
    enum err err = ERR_OK;
    for (size_t i = 0; i < 2 && err == ERR_OK; i++) {
        err = keyfile_destroy(k->home, names[i]);
        if (err == ERR_OK) {
            err = keyfile_tidy(k->home, names[i]);
        }
    }
    return err == ERR_OK ? dir_flush(k->home) : err;
}
