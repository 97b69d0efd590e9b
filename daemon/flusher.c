/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flusher.h"

#include "base/limits.h"

static bool waits(const struct flusher *f)
{
    return f->range.to > f->range.from || f->outs.first != NULL;
}

/* One round: all that waits, with one flush. The mutex is held, except during it. */
static void flush(struct flusher *f)
{
    struct node_outputs outs = f->outs;
    struct wal_range range = f->range;
    f->outs = (struct node_outputs){0};
    f->range.from = f->range.to;
    f->busy = true;
    pthread_mutex_unlock(&f->mutex);
    enum err err = range.to > range.from ? store_lmdb_flush(f->db, range) : ERR_OK;
    if (err == ERR_OK) {
        channel_release(f->channel, &outs);
    }
    pthread_mutex_lock(&f->mutex);
    f->busy = false;
    if (err != ERR_OK) {
        f->err = err; /* and what had been taken waits again, as the first */
        node_outputs_splice(&outs, &f->outs);
        f->outs = outs;
    }
    pthread_cond_broadcast(&f->done);
}

static void *flusher_main(void *arg)
{
    struct flusher *f = arg;
    pthread_mutex_lock(&f->mutex);
    for (;;) {
        if (waits(f) && f->err == ERR_OK) {
            flush(f);
        } else if (f->stop) {
            break;
        } else {
            pthread_cond_wait(&f->work, &f->mutex);
        }
    }
    pthread_mutex_unlock(&f->mutex);
    return NULL;
}

enum err flusher_start(struct flusher *f, struct store_lmdb *db, struct channel *channel)
{
    f->db = db;
    f->channel = channel;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->work, NULL);
    pthread_cond_init(&f->done, NULL);
    f->running = pthread_create(&f->thread, NULL, flusher_main, f) == 0;
    return f->running ? ERR_OK : ERR_NO_MEMORY;
}

void flusher_stop(struct flusher *f)
{
    if (!f->running) {
        return;
    }
    pthread_mutex_lock(&f->mutex);
    f->stop = true;
    pthread_cond_signal(&f->work);
    pthread_mutex_unlock(&f->mutex);
    pthread_join(f->thread, NULL);
    f->running = false;
}

void flusher_fini(struct flusher *f)
{
    if (f->db == NULL) {
        return;
    }
    node_outputs_free(&f->outs);
    pthread_cond_destroy(&f->done);
    pthread_cond_destroy(&f->work);
    pthread_mutex_destroy(&f->mutex);
}

static bool too_much(const struct flusher *f)
{
    return f->outs.bytes >= LIMIT_CHANNEL_BYTES || f->outs.count >= LIMIT_CHANNEL_ITEMS;
}

void flusher_put(struct flusher *f, struct wal_range range, struct node_outputs *outs)
{
    pthread_mutex_lock(&f->mutex);
    while (f->err == ERR_OK && too_much(f)) {
        pthread_cond_wait(&f->done, &f->mutex);
    }
    if (range.to > range.from) {
        f->range.from = f->range.to > f->range.from ? f->range.from : range.from;
        f->range.to = range.to;
    }
    if (f->busy || waits(f)) {
        node_outputs_splice(&f->outs, outs);
        pthread_cond_signal(&f->work);
    } else {
        channel_release(f->channel, outs);
    }
    pthread_mutex_unlock(&f->mutex);
}

enum err flusher_wait(struct flusher *f)
{
    pthread_mutex_lock(&f->mutex);
    while (f->busy || (waits(f) && f->err == ERR_OK)) {
        pthread_cond_wait(&f->done, &f->mutex);
    }
    enum err err = f->err;
    pthread_mutex_unlock(&f->mutex);
    return err;
}

enum err flusher_failed(struct flusher *f)
{
    pthread_mutex_lock(&f->mutex);
    enum err err = f->err;
    pthread_mutex_unlock(&f->mutex);
    return err;
}

void flusher_release(struct flusher *f)
{
    pthread_mutex_lock(&f->mutex);
    channel_release(f->channel, &f->outs);
    f->range.from = f->range.to;
    pthread_mutex_unlock(&f->mutex);
}
