/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/control_events.h"

#include "control/methods.h"
#include "daemon/hostenv.h"

void control_events_heard(struct control_shared *control, uint32_t account, uint64_t cursor)
{
    if (account <= LIMIT_ACCOUNTS && cursor > control->newest[account]) {
        control->newest[account] = cursor;
    }
}

void control_events_over(struct control_shared *control, uint32_t account)
{
    if (account <= LIMIT_ACCOUNTS) {
        control->newest[account] = 0;
    }
    for (struct control_client *c = control->clients; c != NULL; c = c->next) {
        if (c->subscribed && c->account == account) {
            control_client_close(c, false);
        }
    }
}

/* Tells that what lies between the client's cursor and first was trimmed. */
static void event_gap(struct control_client *client, uint64_t first)
{
    uint8_t bytes[128];
    if (first == 0 || client->cursor >= first - 1) {
        return;
    }
    struct writer w = writer_of(bytes, sizeof bytes);
    pack_map(&w, 4);
    pack_str(&w, "cursor");
    pack_uint(&w, first - 1);
    pack_str(&w, "type");
    pack_str(&w, "gap");
    pack_str(&w, "time");
    pack_uint(&w, hostenv_wall_ms());
    pack_str(&w, "data");
    pack_map(&w, 1);
    pack_str(&w, "first");
    pack_uint(&w, first);
    control_client_event(client, writer_done(&w));
    client->cursor = first - 1;
}

/* Sends events until the client has enough under way; the rest is read again later. */
static void events_send(struct control_client *client, struct slice result)
{
    struct slice events;
    if (!control_get(result, "events", &events)) {
        return;
    }
    struct reader r = reader_of(events);
    uint32_t n = pack_read_array(&r, CONTROL_MAP_MAX);
    for (; n > 0 && !client->closing; n--) {
        size_t start = r.pos;
        uint64_t cursor = 0;
        pack_skip(&r, CONTROL_DEPTH - 1);
        struct slice event = slice_of(events.p + start, r.pos - start);
        if (r.err != ERR_OK || !control_get_uint(event, "cursor", &cursor) ||
            (client->event_bytes > 0 && client->event_bytes + event.len > LIMIT_CONTROL_INFLIGHT)) {
            return;
        }
        control_client_event(client, event);
        client->cursor = cursor > client->cursor ? cursor : client->cursor;
    }
}

static void on_events(struct worker_job *job)
{
    struct control_shared *control = job->owner;
    struct control_client *client = control_client_find(control, job->client);
    if (client != NULL) {
        client->pulling = false;
        client->stalled = job->err != ERR_OK;
        /* A newer subscription of the same client made this read pointless. */
        if (job->err == ERR_OK && client->cursor == job->cursor &&
            client->account == job->account) {
            uint64_t before = client->cursor;
            event_gap(client, job->first);
            events_send(client, worker_result(job));
            client->stalled = client->cursor == before && client->event_bytes == 0;
            control_events_heard(control, job->account, job->last);
        }
        control_events_pull(client);
    }
    worker_job_free(job);
}

void control_events_pull(struct control_client *client)
{
    struct control_shared *control = client->control;
    if (!client->subscribed || client->pulling || client->stalled || client->closing ||
        control->stopping || client->cursor >= control->newest[client->account] ||
        client->event_bytes > LIMIT_CONTROL_INFLIGHT / 2) {
        return;
    }
    struct worker_job *job =
        worker_job_new(&control->worker, WORKER_EVENTS, "event.read", slice_of(NULL, 0));
    if (job == NULL) {
        client->stalled = true;
        return;
    }
    job->owner = control;
    job->done = on_events;
    job->client = client->number;
    job->account = client->account;
    job->cursor = client->cursor;
    client->pulling = true;
    worker_start(job);
}

void control_events_subscribed(struct worker_job *job)
{
    struct control_shared *control = job->owner;
    struct control_client *client = control_client_find(control, job->client);
    if (client != NULL && job->err == ERR_OK && job->account <= LIMIT_ACCOUNTS) {
        uint8_t bytes[64];
        struct writer w = writer_of(bytes, sizeof bytes);
        pack_map(&w, 2);
        pack_str(&w, "cursor");
        pack_uint(&w, job->last);
        pack_str(&w, "start");
        pack_uint(&w, job->cursor);
        client->subscribed = true;
        client->stalled = false;
        client->account = job->account;
        client->cursor = job->cursor;
        control_events_heard(control, job->account, job->last);
        control_client_reply(control, job->client, job->id, ERR_OK, 0, writer_done(&w));
        event_gap(client, job->first);
        control_events_pull(client);
    } else {
        control_client_reply(control, job->client, job->id, job->err, 0, slice_of(NULL, 0));
    }
    worker_job_free(job);
}
