/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/channel.h"

#include "daemon/hostenv.h"

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

/* Whether the deadline or the alarm has come. */
static bool due(uint64_t deadline, uint64_t alarm)
{
    return hostenv_wall_ms() >= deadline || (alarm > 0 && hostenv_mono_ms() >= alarm);
}

/* Sleeps at most until the first of both. The alarm is near: that the wall clock was set is noticed
 * soon enough when it comes. */
static void sleep_until(struct channel *ch, uint64_t deadline, uint64_t alarm)
{
    if (alarm == 0) {
        hostenv_cond_wait_until(&ch->cond, &ch->mutex, deadline);
        return;
    }
    uint64_t wall = hostenv_wall_ms();
    uint64_t mono = hostenv_mono_ms();
    uint64_t left = deadline > wall ? deadline - wall : 0;
    uint64_t alarm_left = alarm > mono ? alarm - mono : 0;
    hostenv_cond_wait_us(&ch->cond, &ch->mutex, (left < alarm_left ? left : alarm_left) * 1000);
}

bool channel_wait(struct channel *ch, struct engine_inputs *todo, uint64_t deadline, uint64_t alarm)
{
    pthread_mutex_lock(&ch->mutex);
    while (!ch->stop) {
        if (out_full(ch)) {
            pthread_cond_wait(&ch->cond, &ch->mutex); /* channel_take signals */
        } else if (todo->first != NULL || ch->in.first != NULL || due(deadline, alarm)) {
            break;
        } else {
            sleep_until(ch, deadline, alarm);
        }
    }
    engine_input_splice(todo, &ch->in);
    bool go = !ch->stop;
    pthread_mutex_unlock(&ch->mutex);
    return go;
}
