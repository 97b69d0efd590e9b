/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/check.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/secret.h"
#include "daemon/accounts.h"
#include "daemon/credential.h"
#include "daemon/home.h"
#include "daemon/keyring.h"
#include "daemon/store/schema.h"
#include "daemon/store/store_lmdb.h"

struct check {
    const char *home;
    struct keyring keyring;
    uint8_t *credentials; /* secret_new: those of the keyring */
    FILE *out;
    bool well;
};

__attribute__((format(printf, 2, 3))) static void good(struct check *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("ok   ", c->out);
    (void)vfprintf(c->out, format, args);
    fputc('\n', c->out);
    va_end(args);
}

/* what is wrong; todo: one line. */
__attribute__((format(printf, 3, 4))) static void bad(struct check *c, const char *todo,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    c->well = false;
    fputs("bad  ", c->out);
    (void)vfprintf(c->out, format, args);
    fprintf(c->out, "\n     %s\n", todo);
    va_end(args);
}

static bool exists(const struct check *c, const char *name)
{
    char path[HOME_PATH];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", c->home, name);
    return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0;
}

/* --- the folder --- */

static bool check_folder(struct check *c)
{
    struct stat st;
    if (stat(c->home, &st) != 0) {
        bad(c, "start petreld to make one, or give the right one with --home",
            "there is no home at %s: %s", c->home, strerror(errno));
        return false;
    }
    if (!exists(c, "db")) {
        bad(c, "start petreld to make one, or put the folder db back with the rest of the home",
            "there is no database in %s", c->home);
        return false;
    }
    return true;
}

static bool check_lock(struct check *c, struct home **home)
{
    char reason[HOME_REASON];
    enum err err = home_open(home, c->home, reason);
    if (err == ERR_OK) {
        good(c, "home: %s is ours, and no petreld runs on it", c->home);
    } else if (err == ERR_HOME_LOCKED) {
        bad(c, "use petrelctl doctor, or stop it first with petrelctl stop",
            "home: a petreld runs on %s", c->home);
    } else if (err == ERR_CONFIG) {
        bad(c, "petreld does not start on it before; petrelctl doctor says more", "home: %s",
            reason);
    } else {
        bad(c, "see whether the disk is full or broken: df, dmesg", "home: %s", reason);
    }
    return err == ERR_OK;
}

/* --- the node --- */

static void check_credentials(struct check *c)
{
    char reason[CREDENTIAL_REASON];
    c->credentials = secret_new(2 * (size_t)SEAL_KEY);
    if (c->credentials == NULL) {
        bad(c, "make memory free", "credentials: %s", err_message(ERR_NO_MEMORY));
    } else if (credentials_read(c->credentials, &c->keyring.node, &c->keyring.account, reason) !=
               ERR_OK) {
        bad(c, "see CREDENTIALS in petreld(8); petreld does not start with it", "%s", reason);
    }
}

static void check_node_key(struct check *c)
{
    uint8_t key[SEAL_KEY];
    enum err err = keyring_node_key(&c->keyring, false, key);
    secret_wipe(key, sizeof key);
    if (err == ERR_OK) {
        good(c, "node.key: as it should be");
    } else if (err == ERR_NO_CREDENTIAL) {
        bad(c,
            "put its copy back, or hand the credential node.key in; a new node would have an ID "
            "that nobody knows",
            "node.key is missing: nothing else opens the node's own rows");
    } else if (err == ERR_WRONG_KEY) {
        bad(c, "remove the one that does not belong to this home",
            "node.key: there is a file and a credential, and they differ");
    } else if (err == ERR_CONFIG) {
        bad(c, "chmod 600 node.key, and chown it to the user that runs petreld",
            "node.key: others may read it, or it belongs to somebody else");
    } else {
        bad(c, "put it back from a copy", "node.key: %s", err_message(err));
    }
}

/* --- the database --- */

/* What to do about an error; the last row of a table is for all others. */
struct advice {
    enum err err;
    const char *todo;
};

static const char *advice_for(const struct advice *row, enum err err)
{
    while (row->err != err && row->err != ERR_OK) {
        row++;
    }
    return row->todo;
}

static const struct advice DATABASE[] = {
    {ERR_SCHEMA_NEWER,
     "install that version or a newer one; db/schema-*.mdb, if there, is an older state"},
    {ERR_DISK_FULL, "make room on the file system of the home"},
    {ERR_CORRUPT, "put database, erase files and keys back from one copy of the whole home"},
    {ERR_OK, "see whether the disk is broken, or who may read the folder db: dmesg, ls -l"},
};

static void say_schema(struct check *c, struct store_lmdb *db)
{
    struct store_lmdb_reader *reader = NULL;
    struct store store;
    struct store_schema schema = {.version = 0};
    enum err err = store_lmdb_read_begin(db, &reader, &store);
    if (err == ERR_OK) {
        err = store_schema_read(&store, &schema);
        store_lmdb_read_end(reader);
    }
    if (err != ERR_OK) {
        bad(c, advice_for(DATABASE, err), "database: %s", err_message(err));
    } else if (schema.version < STORE_SCHEMA) {
        good(c, "database: schema %u of %s, the next start brings it to %d",
             (unsigned)schema.version, schema.writer, (int)STORE_SCHEMA);
    } else {
        good(c, "database: schema %u, written by %s", (unsigned)schema.version, schema.writer);
    }
}

static bool check_database(struct check *c, struct store_lmdb **db)
{
    char path[HOME_PATH + 8];
    char writer[64] = "";
    snprintf(path, sizeof path, "%s/db", c->home);
    enum err err = store_lmdb_open(db, path, store_lmdb_map_bytes(), writer);
    if (err != ERR_OK) {
        bad(c, advice_for(DATABASE, err), "database: %s%s%.64s", err_message(err),
            err == ERR_SCHEMA_NEWER ? ": " : "", writer);
        return false;
    }
    say_schema(c, *db);
    if (store_lmdb_low_space(*db)) {
        bad(c, "make room on the file system of the home",
            "disk: nearly full, nothing new is taken in");
    }
    return true;
}

/* --- accounts --- */

static const char ERASE_TODO[] = "put erase-N back from a copy of the same time; else remove the "
                                 "account with --now and make it again from its words";

static const struct advice ACCOUNT[] = {
    {ERR_WRONG_KEY, "put account-N.key, or the credential account.key, back from a copy"},
    {ERR_NO_CREDENTIAL, "hand the credential account.key in: CREDENTIALS in petreld(8)"},
    {ERR_ROLLBACK,
     "put database and erase file back from one copy of the home, not one of them alone"},
    {ERR_CONFIG, "chmod 600 account-N.key, and chown it to the user that runs petreld"},
    {ERR_NO_ACCOUNT, ERASE_TODO},
    {ERR_CORRUPT, ERASE_TODO},
    {ERR_OK, "see whether the disk is broken: dmesg"},
};

static void check_account(struct check *c, struct store_lmdb *db, uint32_t account)
{
    struct node_root root;
    bool stays = false;
    uint32_t generation = 0;
    enum err err = accounts_wanted(db, account, &stays, &generation);
    if (err == ERR_OK && !stays) {
        return;
    }
    if (err == ERR_OK && keyring_account_kind(&c->keyring, account) == KEYRING_PASSPHRASE) {
        good(c, "account %u: opens with its passphrase, which was not tried", (unsigned)account);
        return;
    }
    if (err == ERR_OK) {
        err = keyring_account_open(&c->keyring, account, slice_of(NULL, 0), generation, &root);
        secret_wipe(&root, sizeof root);
    }
    if (err == ERR_OK) {
        good(c, "account %u: opens with its %s", (unsigned)account,
             keyring_account_kind(&c->keyring, account) == KEYRING_CREDENTIAL ? "credential"
                                                                              : "key file");
    } else {
        bad(c, advice_for(ACCOUNT, err), "account %u: %s", (unsigned)account,
            err == ERR_NO_ACCOUNT ? "its erase file is missing" : err_message(err));
    }
}

bool check_home(const char *home, FILE *out)
{
    struct check c = {.home = home, .keyring = {.home = home}, .out = out, .well = true};
    struct home *locked = NULL;
    struct store_lmdb *db = NULL;
    if (check_folder(&c) && check_lock(&c, &locked)) {
        check_credentials(&c);
        check_node_key(&c);
        if (check_database(&c, &db)) {
            for (uint32_t account = 1; account <= LIMIT_ACCOUNTS; account++) {
                check_account(&c, db, account);
            }
        }
    }
    store_lmdb_close(db);
    home_close(locked);
    secret_free(c.credentials);
    return c.well;
}
