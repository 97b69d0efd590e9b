/* SPDX-License-Identifier: Apache-2.0
 *
 * e2e_store: what tests do to the database of a home on which no daemon runs, with LMDB alone:
 *   schema FOLDER                 prints the schema version (docs/protocol/08-at-rest.md, 8.6)
 *   schema FOLDER VERSION WRITER  sets it
 *   tables FOLDER                 prints the name of each table that is not empty, and its rows
 *   copy FOLDER TARGET            writes a compacted copy into another, existing folder
 */
#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STORE_WRITER = 64, /* longest writer with its NUL */
    STORE_NAME = 64,   /* longest name of a table likewise */
    STORE_TABLES = 64,
};

static int fail(const char *what, int rc)
{
    fprintf(stderr, "e2e_store: %s: %s\n", what, mdb_strerror(rc));
    return EXIT_FAILURE;
}

static int schema_show(MDB_txn *txn, MDB_dbi table, MDB_val *key)
{
    MDB_val row;
    int rc = mdb_get(txn, table, key, &row);
    if (rc != 0 || row.mv_size < 4) {
        return fail("no schema row", rc);
    }
    const uint8_t *p = row.mv_data;
    unsigned long version = 0;
    for (int i = 0; i < 4; i++) {
        version = version << 8 | p[i];
    }
    printf("%lu\n", version);
    return EXIT_SUCCESS;
}

static int schema_set(MDB_txn *txn, MDB_dbi table, MDB_val *key, unsigned long version,
                      const char *writer)
{
    uint8_t bytes[4 + STORE_WRITER];
    size_t len = strnlen(writer, STORE_WRITER - 1);
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(version >> (24 - 8 * i));
    }
    memcpy(bytes + 4, writer, len);
    MDB_val row = {.mv_size = 4 + len, .mv_data = bytes};
    int rc = mdb_put(txn, table, key, &row, 0);
    return rc == 0 ? EXIT_SUCCESS : fail("cannot write", rc);
}

static int schema(MDB_txn *txn, int argc, char **argv)
{
    MDB_dbi table;
    char name[] = "schema";
    MDB_val key = {.mv_size = sizeof name - 1, .mv_data = name};
    int rc = mdb_dbi_open(txn, "meta", 0, &table);
    if (rc != 0) {
        return fail("meta", rc);
    }
    return argc == 3 ? schema_show(txn, table, &key)
                     : schema_set(txn, table, &key, strtoul(argv[3], NULL, 10), argv[4]);
}

static int tables(MDB_txn *txn)
{
    MDB_dbi root;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc = mdb_dbi_open(txn, NULL, 0, &root);
    if (rc == 0) {
        rc = mdb_cursor_open(txn, root, &cursor);
    }
    if (rc != 0) {
        return fail("tables", rc);
    }
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        char name[STORE_NAME] = "";
        MDB_dbi table;
        MDB_stat stat;
        memcpy(name, key.mv_data, key.mv_size < sizeof name ? key.mv_size : sizeof name - 1);
        rc = mdb_dbi_open(txn, name, 0, &table);
        if (rc == 0) {
            rc = mdb_stat(txn, table, &stat);
        }
        if (rc != 0) {
            mdb_cursor_close(cursor);
            return fail(name, rc);
        }
        if (stat.ms_entries > 0) {
            printf("%s %zu\n", name, stat.ms_entries);
        }
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? EXIT_SUCCESS : fail("tables", rc);
}

/* Runs what argv[1] says in a transaction of its own. */
static int in_transaction(MDB_env *env, int argc, char **argv)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(env, NULL, 0, &txn);
    if (rc != 0) {
        return fail(argv[2], rc);
    }
    int status = strcmp(argv[1], "tables") == 0 ? tables(txn) : schema(txn, argc, argv);
    if (status == EXIT_SUCCESS && argc == 5) {
        rc = mdb_txn_commit(txn);
        return rc == 0 ? EXIT_SUCCESS : fail("cannot commit", rc);
    }
    mdb_txn_abort(txn);
    return status;
}

int main(int argc, char **argv)
{
    MDB_env *env = NULL;
    bool known = (argc == 3 && strcmp(argv[1], "tables") == 0) ||
                 (argc == 4 && strcmp(argv[1], "copy") == 0) ||
                 ((argc == 3 || argc == 5) && strcmp(argv[1], "schema") == 0);
    if (!known) {
        fprintf(stderr, "usage: e2e_store schema FOLDER [VERSION WRITER] | tables FOLDER | "
                        "copy FOLDER TARGET\n");
        return 2;
    }
    int rc = mdb_env_create(&env);
    if (rc == 0) {
        rc = mdb_env_set_maxdbs(env, STORE_TABLES);
    }
    if (rc == 0) {
        rc = mdb_env_open(env, argv[2], 0, 0600);
    }
    if (rc != 0) {
        return fail(argv[2], rc);
    }
    int status;
    if (argc == 4) {
        rc = mdb_env_copy2(env, argv[3], MDB_CP_COMPACT);
        status = rc == 0 ? EXIT_SUCCESS : fail(argv[3], rc);
    } else {
        status = in_transaction(env, argc, argv);
    }
    mdb_env_close(env);
    return status;
}
