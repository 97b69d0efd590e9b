/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/store_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/ahead.h"
#include "daemon/store/ballast.h"
#include "daemon/store/dir.h"
#include "daemon/store/lmdb_txn.h"
#include "daemon/store/schema.h"

enum {
    LMDB_READERS = 256, /* read transactions at one time, petrel's own workers and mdb tools */
};

struct store_lmdb {
    struct lmdb lmdb;
    struct store store;    /* what works on write */
    struct lmdb_txn write; /* of this turn, and of those before it that are only in the log */
    struct wal *wal;
    uint64_t replayed; /* turns that the log had at the start, and the database had not */
    struct ahead ahead;
    bool growth; /* there was space when the transaction began */
};

struct store_lmdb_reader {
    struct lmdb_txn read;
};

/* The file has blocks for the turn that begins, if space allows. */
static void keep_ahead(struct store_lmdb *db)
{
    MDB_envinfo info;
    MDB_stat stat;
    if (mdb_env_info(db->lmdb.env, &info) == 0 && mdb_env_stat(db->lmdb.env, &stat) == 0) {
        ahead_keep(&db->ahead, ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize);
    }
}

/* The turns of the log are in no transaction any more: one was aborted. */
static enum err batch_again(struct store_lmdb *db, struct store *store)
{
    if (wal_bytes(db->wal) == 0) {
        return ERR_OK;
    }
    enum err err = wal_apply(db->wal, store);
    if (err != ERR_OK) {
        lmdb_txn_abort(&db->write);
    }
    return err;
}

enum err store_lmdb_begin(struct store_lmdb *db, struct store *store)
{
    if (db->write.txn == NULL) {
        db->growth = !store_lmdb_low_space(db);
        if (db->growth) {
            keep_ahead(db);
        }
        enum err err = lmdb_txn_begin_write(&db->write, &db->lmdb, &db->store);
        if (err == ERR_OK) {
            err = batch_again(db, &db->store);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    db->write.err = ERR_OK;
    db->write.wrote = false;
    db->write.wal = db->wal;
    *store = db->store;
    store->growth = db->growth;
    return ERR_OK;
}

/* The turn that put nothing ends; the transaction does too unless other turns are in it. */
static enum err end_unwritten(struct store_lmdb *db)
{
    enum err err = db->write.err;
    wal_cancel(db->wal);
    if (err != ERR_OK || wal_bytes(db->wal) == 0) {
        lmdb_txn_abort(&db->write);
    }
    return err;
}

enum err store_lmdb_log(struct store_lmdb *db, struct wal_range *range)
{
    assert(db->write.txn != NULL);
    *range = (struct wal_range){.from = 0};
    if (!db->write.wrote) {
        return end_unwritten(db);
    }
    if (db->write.err != ERR_OK) {
        enum err err = db->write.err;
        store_lmdb_abort(db);
        return err;
    }
    return wal_seal(db->wal, range) ? ERR_OK : ERR_NO_SPACE;
}

enum err store_lmdb_flush(struct store_lmdb *db, struct wal_range range)
{
    return wal_flush(db->wal, range);
}

uint64_t store_lmdb_replayed(const struct store_lmdb *db)
{
    return db->replayed;
}

size_t store_lmdb_logged(const struct store_lmdb *db)
{
    return wal_bytes(db->wal);
}

static struct slice wal_key(void)
{
    static const char key[] = "wal";
    return slice_of(key, sizeof key - 1);
}

/* Commits the transaction as the state that follows what it holds: with the next number, so that a
 * record of the log fits this state and no other. It is gone on error. */
static enum err state_commit(struct store_lmdb *db)
{
    uint8_t row[16];
    struct wal_state state = {.number = wal_last(db->wal) + 1};
    bool drawn = getrandom(&state.seed, sizeof state.seed, 0) == (ssize_t)sizeof state.seed;
    struct writer w = writer_of(row, sizeof row);
    writer_u64(&w, state.number);
    writer_u64(&w, state.seed);
    enum err err = drawn ? store_put(&db->store, STORE_META, wal_key(), writer_done(&w)) : ERR_IO;
    if (err != ERR_OK) {
        lmdb_txn_abort(&db->write);
        return err;
    }
    err = lmdb_txn_commit(&db->write);
    if (err == ERR_OK) {
        wal_restart(db->wal, state);
    }
    return err;
}

enum err store_lmdb_commit(struct store_lmdb *db)
{
    assert(db->write.txn != NULL);
    wal_cancel(db->wal);
    db->write.wal = NULL;
    bool changes = db->write.wrote || wal_bytes(db->wal) > 0;
    return changes ? state_commit(db) : end_unwritten(db);
}

void store_lmdb_abort(struct store_lmdb *db)
{
    assert(db->write.txn != NULL);
    wal_cancel(db->wal);
    if (db->write.wrote || db->write.err != ERR_OK || wal_bytes(db->wal) == 0) {
        lmdb_txn_abort(&db->write);
    }
}

enum err store_lmdb_read_begin(struct store_lmdb *db, struct store_lmdb_reader **reader,
                               struct store *store)
{
    struct store_lmdb_reader *r = malloc(sizeof *r);
    if (r == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = lmdb_txn_begin_read(&r->read, &db->lmdb, store);
    if (err != ERR_OK) {
        free(r);
        return err;
    }
    *reader = r;
    return ERR_OK;
}

void store_lmdb_read_end(struct store_lmdb_reader *reader)
{
    lmdb_txn_abort(&reader->read);
    free(reader);
}

bool store_lmdb_low_space(const struct store_lmdb *db)
{
    return ballast_low_space(db->lmdb.dir, 0);
}

void store_lmdb_ballast_drop(struct store_lmdb *db)
{
    ballast_drop(db->lmdb.dir);
}

void store_lmdb_ballast_restore(struct store_lmdb *db)
{
    (void)ballast_make(db->lmdb.dir);
}

enum err store_lmdb_copy(struct store_lmdb *db, const char *name)
{
    char path[PATH_MAX];
    MDB_envinfo info;
    int rc = mdb_env_info(db->lmdb.env, &info);
    int n = snprintf(path, sizeof path, "%s/%s", db->lmdb.dir, name);
    if (rc != 0 || n < 0 || (size_t)n >= sizeof path) {
        return ERR_IO;
    }
    uint64_t bytes = ((uint64_t)info.me_last_pgno + 1) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (ballast_low_space(db->lmdb.dir, bytes)) {
        return ERR_DISK_FULL;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return lmdb_err(&db->lmdb, errno);
    }
    rc = mdb_env_copyfd2(db->lmdb.env, fd, 0);
    if (rc == 0 && fsync(fd) != 0) {
        rc = errno;
    }
    (void)close(fd);
    if (rc != 0) {
        (void)unlink(path);
        return lmdb_err(&db->lmdb, rc);
    }
    return dir_flush(db->lmdb.dir);
}

/* Valgrind and the sanitizers have less. */
size_t store_lmdb_map_bytes(void)
{
    const char *preload = getenv("LD_PRELOAD");
    bool small = preload != NULL && strstr(preload, "vgpreload") != NULL;
#ifdef PETREL_SANITIZED
    small = true;
#endif
    return (size_t)1 << (small ? 34 : 40);
}

static int env_open(struct store_lmdb *db, size_t map_bytes)
{
    mdb_filehandle_t fd = -1;
    int rc = mdb_env_create(&db->lmdb.env);
    if (rc != 0) {
        db->lmdb.env = NULL;
        return rc;
    }
    rc = mdb_env_set_maxdbs(db->lmdb.env, STORE_TABLE_COUNT);
    if (rc == 0) {
        rc = mdb_env_set_maxreaders(db->lmdb.env, LMDB_READERS);
    }
    if (rc == 0) {
        rc = mdb_env_set_mapsize(db->lmdb.env, map_bytes);
    }
    if (rc == 0) {
        rc = mdb_env_open(db->lmdb.env, db->lmdb.dir, MDB_NOTLS, 0600);
    }
    if (rc == 0) {
        rc = mdb_env_get_fd(db->lmdb.env, &fd);
    }
    if (rc == 0) {
        ahead_init(&db->ahead, fd);
        rc = mdb_reader_check(db->lmdb.env, NULL); /* slots of a process that was killed */
    }
    return rc;
}

/* Opens all tables in the open transaction. *rows: how many they hold together. */
static int tables_open(struct store_lmdb *db, size_t *rows)
{
    *rows = 0;
    for (int t = 0; t < STORE_TABLE_COUNT; t++) {
        const char *name = store_table_name((enum store_table)t);
        MDB_stat stat;
        int rc = mdb_dbi_open(db->write.txn, name, MDB_CREATE, &db->lmdb.tables[t]);
        if (rc == 0) {
            rc = mdb_stat(db->write.txn, db->lmdb.tables[t], &stat);
        }
        if (rc != 0) {
            return rc;
        }
        *rows += stat.ms_entries;
    }
    return 0;
}

/* Reads the schema row, or puts it into a database that holds nothing at all. */
static enum err schema_check(struct store_lmdb *db, struct store *store, char writer[static 64])
{
    size_t rows;
    enum err err = lmdb_err(&db->lmdb, tables_open(db, &rows));
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    struct store_schema schema;
    err = store_schema_read(store, &schema);
    if (err == ERR_NOT_FOUND) {
        return rows == 0 ? store_schema_write(store, STORE_SCHEMA) : ERR_CORRUPT;
    }
    if (err == ERR_OK && schema.version > STORE_SCHEMA) {
        memcpy(writer, schema.writer, sizeof schema.writer);
        return ERR_SCHEMA_NEWER;
    }
    return err;
}

/* The state that the database is in. */
static enum err state_get(struct store_lmdb *db, struct wal_state *state)
{
    struct slice row;
    enum err err = store_get(&db->store, STORE_META, wal_key(), &row);
    *state = (struct wal_state){.number = 0};
    if (err == ERR_OK) {
        struct reader r = reader_of(row);
        state->number = reader_u64(&r);
        state->seed = row.len > 8 ? reader_u64(&r) : 0; /* the first programs had none */
        return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Takes over the turns that only the log has. */
static enum err replay(struct store_lmdb *db)
{
    struct wal_state state;
    enum err err = state_get(db, &state);
    if (err == ERR_OK) {
        err = wal_read(db->wal, state, &db->replayed);
    }
    return err == ERR_OK ? wal_apply(db->wal, &db->store) : err;
}

static enum err tables_begin(struct store_lmdb *db, char writer[static 64])
{
    /* Nothing is kept ahead: it may not be ours to write to. */
    enum err err = lmdb_txn_begin_write(&db->write, &db->lmdb, &db->store);
    if (err != ERR_OK) {
        return err;
    }
    err = schema_check(db, &db->store, writer);
    if (err == ERR_OK) {
        err = replay(db);
    }
    if (err != ERR_OK) {
        lmdb_txn_abort(&db->write); /* a newer database is left as it was */
        return err;
    }
    /* Without a change the state is the one that was, and a full disk is no obstacle. */
    return db->write.wrote ? state_commit(db) : lmdb_txn_commit(&db->write);
}

static enum err db_open(struct store_lmdb *db, size_t map_bytes, char writer[static 64])
{
    if (mkdir(db->lmdb.dir, 0700) != 0 && errno != EEXIST) {
        return lmdb_err(&db->lmdb, errno);
    }
    enum err err = lmdb_err(&db->lmdb, env_open(db, map_bytes));
    if (err == ERR_OK) {
        err = wal_open(&db->wal, db->lmdb.dir);
    }
    if (err == ERR_OK) {
        err = tables_begin(db, writer);
    }
    if (err == ERR_DISK_FULL && db->wal != NULL) { /* what the log holds must be taken over */
        ballast_drop(db->lmdb.dir);
        err = tables_begin(db, writer);
    }
    if (err == ERR_OK) {
        (void)ballast_make(db->lmdb.dir);
        err = dir_flush(db->lmdb.dir);
    }
    return err;
}

enum err store_lmdb_open(struct store_lmdb **out, const char *dir, size_t map_bytes,
                         char writer[static 64])
{
    struct store_lmdb *db = calloc(1, sizeof *db);
    if (db == NULL) {
        return ERR_NO_MEMORY;
    }
    int n = snprintf(db->lmdb.dir, sizeof db->lmdb.dir, "%s", dir);
    enum err err = n >= 0 && (size_t)n < sizeof db->lmdb.dir ? ERR_OK : ERR_ARGUMENT;
    if (err == ERR_OK) {
        err = db_open(db, map_bytes, writer);
    }
    if (err != ERR_OK) {
        store_lmdb_close(db);
        return err;
    }
    *out = db;
    return ERR_OK;
}

void store_lmdb_close(struct store_lmdb *db)
{
    if (db == NULL) {
        return;
    }
    if (db->write.txn != NULL) {
        lmdb_txn_abort(&db->write); /* its turns are in the log */
    }
    if (db->lmdb.env != NULL) {
        mdb_env_close(db->lmdb.env);
    }
    wal_close(db->wal);
    free(db);
}
