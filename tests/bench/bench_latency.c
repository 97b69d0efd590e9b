/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_latency: from message.send on Alice's control socket to the event on Bob's, through a
 * relay: three real daemons on this machine, one message at a time. docs/bench.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/call.h"
#include "bench/rig.h"
#include "node/address.h"

enum {
    SAMPLES = 1000,
    WARM = 200,        /* messages before, so that the session is warm and tokens are in stock */
    STOCK_EVERY = 16,  /* samples between two looks at the stock */
    STOCK_MIN = 32,    /* tokens that must be there then */
    PATIENCE_S = 60,   /* for each thing that is waited for */
    EVENT_MS = 10000,  /* one message may take this long */
    PAUSE_MS = 20,     /* between two looks */
    ID_TEXT_MAX = 128, /* an ID as text */
    LINK_MAX = 1024,   /* an invitation */
};

struct person {
    struct rig_daemon daemon;
    struct call *call;
    struct call *events;
    char id[ID_TEXT_MAX];
};

static bool text_is(struct slice map, const char *name, const char *wanted)
{
    struct slice text;
    return control_get_str(map, name, &text) && slice_equal(text, slice_of(wanted, strlen(wanted)));
}

static void person_open(struct person *p, const char *home, const char *relay)
{
    static const char *const args[] = {"--listen", "127.0.0.1:0", NULL};
    (void)rig_start(&p->daemon, home, args, -1);
    p->call = call_open(home, p->daemon.pid);
    p->events = call_open(home, p->daemon.pid);
    call_take(call_plain(p->call, "account.create"), "id", p->id, sizeof p->id);
    call_begin(p->call);
    call_text(p->call, "address", relay);
    (void)call_run(p->call, "relay.use");
    for (unsigned i = 0; !text_is(call_plain(p->call, "relay.status"), "state", "ready"); i++) {
        if (i > PATIENCE_S * 1000 / PAUSE_MS) {
            rig_die("%s: the relay is not ready", home);
        }
        rig_sleep_ms(PAUSE_MS);
    }
}

static void person_close(struct person *p)
{
    call_close(p->call);
    call_close(p->events);
    rig_stop(&p->daemon);
}

/* The first contact of the list. */
static struct slice contact(struct person *p)
{
    struct slice list;
    if (!control_get(call_plain(p->call, "contact.list"), "contacts", &list)) {
        rig_die("contact.list has no contacts");
    }
    struct reader r = reader_of(list);
    return pack_read_array(&r, 1) == 1 ? reader_rest(&r) : slice_of(NULL, 0);
}

static void wait_accepted(struct person *p)
{
    for (unsigned i = 0;; i++) {
        struct slice c = contact(p);
        if (c.len > 0 && text_is(c, "state", "accepted")) {
            return;
        }
        if (i > PATIENCE_S * 1000 / PAUSE_MS) {
            rig_die("%s: the contact is not accepted", p->daemon.home);
        }
        rig_sleep_ms(PAUSE_MS);
    }
}

/* Waits until the stock is full enough; the tokens that are there. */
static uint64_t wait_tokens(struct person *p)
{
    for (unsigned i = 0;; i++) {
        uint64_t tokens = 0;
        if (control_get_uint(contact(p), "tokens", &tokens) && tokens >= STOCK_MIN) {
            return tokens;
        }
        if (i > PATIENCE_S * 1000 / PAUSE_MS) {
            rig_die("%s: only %llu tokens", p->daemon.home, (unsigned long long)tokens);
        }
        rig_sleep_ms(PAUSE_MS);
    }
}

static void meet(struct person *a, struct person *b)
{
    char link[LINK_MAX];
    call_take(call_plain(a->call, "invite.create"), "link", link, sizeof link);
    call_begin(b->call);
    call_text(b->call, "link", link);
    (void)call_run(b->call, "contact.add");
    wait_accepted(a);
    wait_accepted(b);
}

/* Sends one text and waits for the event with it: ms. */
static double send_one(struct person *from, struct person *to, unsigned n)
{
    char text[64];
    struct slice event;
    struct slice data;
    snprintf(text, sizeof text, "message %u, about as long as most are", n);
    uint64_t began = rig_ns();
    call_begin(from->call);
    call_text(from->call, "contact", to->id);
    call_text(from->call, "text", text);
    (void)call_run(from->call, "message.send");
    do {
        event = call_event(to->events, EVENT_MS);
        if (event.len == 0) {
            rig_die("message %u did not arrive", n);
        }
    } while (!text_is(event, "type", "message.received") || !control_get(event, "data", &data) ||
             !text_is(data, "text", text));
    return (double)(rig_ns() - began) / 1e6;
}

static void measure(struct person *alice, struct person *bob)
{
    static double ms[SAMPLES];
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < WARM; i++) {
        if (i % STOCK_EVERY == 0 && i > 0) {
            (void)wait_tokens(alice);
        }
        (void)send_one(alice, bob, i);
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        if (i % STOCK_EVERY == 0) {
            uint64_t tokens = wait_tokens(alice);
            least = tokens < least ? tokens : least;
        }
        ms[i] = send_one(alice, bob, WARM + i);
    }
    printf("# %d samples; at least %llu tokens at each look, every %d messages\n", (int)SAMPLES,
           (unsigned long long)least, (int)STOCK_EVERY);
    rig_value("latency_p50_ms", rig_percentile(ms, SAMPLES, 50), "ms");
    rig_value("latency_p99_ms", rig_percentile(ms, SAMPLES, 99), "ms");
}

int main(void)
{
    static const char *const args[] = {"--listen", "127.0.0.1:0", "--relay-open", NULL};
    char address[ADDRESS_TEXT];
    struct rig_daemon relay;
    struct person alice;
    struct person bob;
    rig_begin();
    (void)rig_start(&relay, "relay", args, -1);
    struct call *call = call_open("relay", relay.pid);
    call_take(call_plain(call, "daemon.status"), "node", address, sizeof address);
    call_close(call);
    person_open(&alice, "alice", address);
    person_open(&bob, "bob", address);
    meet(&alice, &bob);
    (void)call_plain(bob.events, "event.subscribe");
    measure(&alice, &bob);
    person_close(&alice);
    person_close(&bob);
    rig_stop(&relay);
    rig_end();
    return EXIT_SUCCESS;
}
