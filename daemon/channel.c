/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/channel.h"

#include "daemon/hostenv.h"

enum {
    CHANNEL_WAIT_MS = 60000, /* longest sleep: the wall clock may be set meanwhile */
};

void channel_init(struct channel *ch, void (*wake)(void *ctx), void *wake_ctx)
{
    ch->wake = wake;
    ch->wake_ctx = wake_ctx;
    pthread_mutex_init(&ch->mutex, NULL);
    hostenv_cond_init(&ch->cond);
}

void channel_fini(struct channel *ch)
{
    engine_input_free_all(&ch->batch);
    engine_input_free_all(&ch->in);
    node_outputs_free(&ch->out);
    pthread_cond_destroy(&ch->cond);
    pthread_mutex_destroy(&ch->mutex);
}

void channel_stop(struct channel *ch)
{
    pthread_mutex_lock(&ch->mutex);
    ch->stop = true;
    pthread_cond_broadcast(&ch->cond);
    pthread_mutex_unlock(&ch->mutex);
}

void channel_put(struct channel *ch, struct engine_input *input)
{
    input->epoch = ch->io_epoch;
    engine_input_append(&ch->batch, input);
    atomic_fetch_add(&ch->in_items, 1);
    atomic_fetch_add(&ch->in_bytes, input->bytes);
}

void channel_flush(struct channel *ch)
{
    if (ch->batch.first == NULL) {
        return;
    }
    pthread_mutex_lock(&ch->mutex);
    engine_input_splice(&ch->in, &ch->batch);
    pthread_mutex_unlock(&ch->mutex);
    pthread_cond_signal(&ch->cond); /* who wakes wants the mutex */
}

static bool in_above(struct channel *ch, size_t items, size_t bytes)
{
    return atomic_load(&ch->in_items) >= items || atomic_load(&ch->in_bytes) >= bytes;
}

bool channel_full(struct channel *ch)
{
    if (atomic_load(&ch->paused)) {
        if (!in_above(ch, LIMIT_CHANNEL_ITEMS / 2, LIMIT_CHANNEL_BYTES / 2)) {
            atomic_store(&ch->paused, false);
        }
    } else if (in_above(ch, LIMIT_CHANNEL_ITEMS, LIMIT_CHANNEL_BYTES)) {
        atomic_store(&ch->paused, true);
    }
    return atomic_load(&ch->paused);
}

static bool out_full(const struct channel *ch)
{
    return ch->out.count >= LIMIT_CHANNEL_ITEMS || ch->out.bytes >= LIMIT_CHANNEL_BYTES;
}

void channel_take(struct channel *ch, struct node_outputs *outs)
{
    pthread_mutex_lock(&ch->mutex);
    bool waited_for = out_full(ch);
    node_outputs_splice(outs, &ch->out);
    pthread_mutex_unlock(&ch->mutex);
    if (waited_for) {
        pthread_cond_signal(&ch->cond);
    }
}

void channel_links_closed(struct channel *ch, uint64_t epoch)
{
    ch->io_epoch = epoch;
}

void channel_release(struct channel *ch, struct node_outputs *outs)
{
    if (outs->first == NULL) {
        return;
    }
    pthread_mutex_lock(&ch->mutex);
    node_outputs_splice(&ch->out, outs);
    pthread_mutex_unlock(&ch->mutex);
    ch->wake(ch->wake_ctx);
}

void channel_done(struct channel *ch, struct engine_inputs *done)
{
    size_t bytes = 0;
    size_t items = done->count;
    for (const struct engine_input *i = done->first; i != NULL; i = i->next) {
        bytes += i->bytes;
    }
    engine_input_free_all(done);
    atomic_fetch_sub(&ch->in_items, items);
    atomic_fetch_sub(&ch->in_bytes, bytes);
    if (atomic_load(&ch->paused) &&
        !in_above(ch, LIMIT_CHANNEL_ITEMS / 2, LIMIT_CHANNEL_BYTES / 2)) {
        ch->wake(ch->wake_ctx);
    }
}

/* How long to sleep until deadline; 0: it has passed. */
static uint64_t deadline_us(uint64_t deadline)
{
    uint64_t now = hostenv_wall_ms();
    uint64_t left = deadline > now ? deadline - now : 0;
    return (left < CHANNEL_WAIT_MS ? left : CHANNEL_WAIT_MS) * 1000;
}

/* How long to sleep until the deadline or the alarm, whichever comes first. */
static uint64_t sleep_us(uint64_t deadline, uint64_t alarm)
{
    uint64_t us = deadline_us(deadline);
    uint64_t now = alarm > 0 ? hostenv_mono_ms() : 0;
    uint64_t left = alarm > now ? (alarm - now) * 1000 : 0;
    return alarm > 0 && left < us ? left : us;
}

bool channel_wait(struct channel *ch, struct engine_inputs *todo, uint64_t deadline, uint64_t alarm)
{
    pthread_mutex_lock(&ch->mutex);
    while (!ch->stop) {
        bool due = todo->first != NULL || ch->in.first != NULL;
        uint64_t us = due ? 0 : sleep_us(deadline, alarm);
        if (out_full(ch)) {
            us = (uint64_t)CHANNEL_WAIT_MS * 1000; /* channel_take signals */
        }
        if (us == 0) {
            break;
        }
        hostenv_cond_wait_us(&ch->cond, &ch->mutex, us);
    }
    engine_input_splice(todo, &ch->in);
    bool go = !ch->stop;
    pthread_mutex_unlock(&ch->mutex);
    return go;
}
