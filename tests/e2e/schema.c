/* SPDX-License-Identifier: Apache-2.0
 *
 * e2e_schema FOLDER [VERSION WRITER]: prints the schema version of a home's database, or sets it.
 * No daemon may run on that home. The row is that of docs/protocol/08-at-rest.md, section 8.5,
 * written with LMDB alone.
 */
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCHEMA_WRITER = 64,
    SCHEMA_TABLES = 64,
};

static int fail(const char *what, int rc)
{
    fprintf(stderr, "e2e_schema: %s: %s\n", what, mdb_strerror(rc));
    return EXIT_FAILURE;
}

static int show(MDB_txn *txn, MDB_dbi table, MDB_val *key)
{
    MDB_val row;
    int rc = mdb_get(txn, table, key, &row);
    if (rc != 0 || row.mv_size < 4) {
        return fail("no schema row", rc);
    }
    const uint8_t *p = row.mv_data;
    printf("%lu\n", (unsigned long)p[0] << 24 | (unsigned long)p[1] << 16 |
                        (unsigned long)p[2] << 8 | (unsigned long)p[3]);
    return EXIT_SUCCESS;
}

static int set(MDB_txn *txn, MDB_dbi table, MDB_val *key, unsigned long version, const char *writer)
{
    uint8_t bytes[4 + SCHEMA_WRITER];
    size_t len = strnlen(writer, SCHEMA_WRITER - 1);
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(version >> (24 - 8 * i));
    }
    memcpy(bytes + 4, writer, len);
    MDB_val row = {.mv_size = 4 + len, .mv_data = bytes};
    int rc = mdb_put(txn, table, key, &row, 0);
    if (rc == 0) {
        rc = mdb_txn_commit(txn);
    }
    return rc == 0 ? EXIT_SUCCESS : fail("cannot write", rc);
}

int main(int argc, char **argv)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi table;
    char name[] = "schema";
    MDB_val key = {.mv_size = sizeof name - 1, .mv_data = name};
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: e2e_schema FOLDER [VERSION WRITER]\n");
        return 2;
    }
    int rc = mdb_env_create(&env);
    if (rc == 0) {
        rc = mdb_env_set_maxdbs(env, SCHEMA_TABLES);
    }
    if (rc == 0) {
        rc = mdb_env_open(env, argv[1], argc == 2 ? MDB_RDONLY : 0, 0600);
    }
    if (rc == 0) {
        rc = mdb_txn_begin(env, NULL, argc == 2 ? MDB_RDONLY : 0, &txn);
    }
    if (rc == 0) {
        rc = mdb_dbi_open(txn, "meta", 0, &table);
    }
    if (rc != 0) {
        return fail(argv[1], rc);
    }
    int status = argc == 2 ? show(txn, table, &key)
                           : set(txn, table, &key, strtoul(argv[2], NULL, 10), argv[3]);
    if (argc == 2) {
        mdb_txn_abort(txn);
    }
    mdb_env_close(env);
    return status;
}
