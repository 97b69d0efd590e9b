/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flusher.h"

#include "base/limits.h"
#include "daemon/hostenv.h"

enum {
    FLUSHER_SLOW_US = 2000, /* from here on a flush is worth waiting for company */
    FLUSHER_SHARE = 4,      /* which takes this part of it at most, */
    FLUSHER_MOST_US = 4000, /* and not longer than this */
};

static bool waits(const struct flusher *f)
{
    return f->range.to > f->range.from || f->outs.first != NULL;
}

/* Those that a flush answered are likely to ask again at once. Where it is slow they would just
 * miss the next one, and two halves would take turns, each with a flush of its own: so the next one
 * waits a moment for as many as there were. docs/decisions/0007. */
static void gather(struct flusher *f, uint64_t took_us, size_t released)
{
    uint64_t most = took_us / FLUSHER_SHARE;
    bool worth = released >= 2 && took_us >= FLUSHER_SLOW_US;
    f->company = released + f->outs.count;
    f->until_us = worth ? hostenv_mono_us() + (most < FLUSHER_MOST_US ? most : FLUSHER_MOST_US) : 0;
}

/* How long to wait although there is something to flush, us. */
static uint64_t company_us(const struct flusher *f)
{
    bool alone = f->stop || f->hurry;
    uint64_t now = f->until_us > 0 && !alone ? hostenv_mono_us() : 0;
    return !alone && now < f->until_us && f->outs.count < f->company ? f->until_us - now : 0;
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
    size_t count = outs.count;
    uint64_t began = hostenv_mono_us();
    enum err err = range.to > range.from ? store_lmdb_flush(f->db, range) : ERR_OK;
    uint64_t took = hostenv_mono_us() - began;
    if (err == ERR_OK) {
        channel_release(f->channel, &outs);
    }
    pthread_mutex_lock(&f->mutex);
    f->busy = false;
    gather(f, took, count);
    if (err != ERR_OK) {
        f->err = err; /* and what had been taken waits again, as the first */
        node_outputs_splice(&outs, &f->outs);
        f->outs = outs;
        f->range.from = range.from;
    }
    home_flush_waits(f->home, waits(f));
    pthread_cond_broadcast(&f->done);
}

static void *flusher_main(void *arg)
{
    struct flusher *f = arg;
    pthread_mutex_lock(&f->mutex);
    for (;;) {
        if (waits(f) && f->err == ERR_OK) {
            uint64_t us = company_us(f);
            if (us > 0) {
                hostenv_cond_wait_us(&f->work, &f->mutex, us);
            } else {
                flush(f);
            }
        } else if (f->stop) {
            break;
        } else {
            pthread_cond_wait(&f->work, &f->mutex);
        }
    }
    pthread_mutex_unlock(&f->mutex);
    return NULL;
}

enum err flusher_start(struct flusher *f, struct store_lmdb *db, struct channel *channel,
                       struct home *home)
{
    f->db = db;
    f->home = home;
    f->channel = channel;
    pthread_mutex_init(&f->mutex, NULL);
    hostenv_cond_init(&f->work);
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
    flusher_stop(f);
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
    bool later = f->busy || waits(f);
    if (later) {
        home_flush_waits(f->home, true);
        node_outputs_splice(&f->outs, outs);
    } else {
        channel_release(f->channel, outs);
    }
    pthread_mutex_unlock(&f->mutex);
    if (later) {
        pthread_cond_signal(&f->work); /* who wakes wants the mutex */
    }
}

enum err flusher_wait(struct flusher *f)
{
    pthread_mutex_lock(&f->mutex);
    f->hurry = true; /* nobody else will come */
    pthread_cond_signal(&f->work);
    while (f->busy || (waits(f) && f->err == ERR_OK)) {
        pthread_cond_wait(&f->done, &f->mutex);
    }
    f->hurry = false;
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
    home_flush_waits(f->home, false);
    pthread_mutex_unlock(&f->mutex);
}
