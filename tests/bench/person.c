/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/person.h"

#include <stdio.h>
#include <string.h>

enum {
    PATIENCE_S = 60, /* for each thing that is waited for */
    PAUSE_MS = 20,   /* between two looks */
};

static bool text_is(struct slice map, const char *name, const char *wanted)
{
    struct slice text;
    return control_get_str(map, name, &text) && slice_equal(text, slice_of(wanted, strlen(wanted)));
}

/* Between look number i and the next one; ends the bench when there were too many. */
static void look_again(const struct person *p, unsigned i, const char *missing)
{
    if (i > PATIENCE_S * 1000 / PAUSE_MS) {
        rig_die("%s: %s", p->daemon.home, missing);
    }
    rig_sleep_ms(PAUSE_MS);
}

void person_relay(struct rig_daemon *d, const char *home, const char *more,
                  char address[static ADDRESS_TEXT])
{
    char text[PERSON_CONFIG];
    static const char *const args[] = {"--listen", "127.0.0.1:0", "--relay-open", NULL};
    snprintf(text, sizeof text, "relay.forward_private = yes\n%s", more);
    rig_config(home, text);
    (void)rig_start(d, home, args, -1);
    struct call *call = call_open(home, d->pid);
    call_take(call_plain(call, "daemon.status"), "node", address, ADDRESS_TEXT);
    call_close(call);
}

void person_open(struct person *p, const char *home, const char *relay)
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
        look_again(p, i, "the relay is not ready");
    }
}

void person_close(struct person *p)
{
    call_close(p->call);
    call_close(p->events);
    rig_stop(&p->daemon);
}

void person_listen(struct person *p)
{
    (void)call_plain(p->events, "event.subscribe");
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
    struct slice c = contact(p);
    for (unsigned i = 0; c.len == 0 || !text_is(c, "state", "accepted"); i++) {
        look_again(p, i, "the contact is not accepted");
        c = contact(p);
    }
}

void person_invite(struct person *p, char link[static PERSON_LINK])
{
    call_take(call_plain(p->call, "invite.create"), "link", link, PERSON_LINK);
}

void person_meet(struct person *a, struct person *b)
{
    char link[PERSON_LINK];
    person_invite(a, link);
    call_begin(b->call);
    call_text(b->call, "link", link);
    (void)call_run(b->call, "contact.add");
    wait_accepted(a);
    wait_accepted(b);
}

uint64_t person_tokens(struct person *p, uint64_t least)
{
    uint64_t tokens = 0;
    for (unsigned i = 0; !control_get_uint(contact(p), "tokens", &tokens) || tokens < least; i++) {
        look_again(p, i, "too few tokens");
    }
    return tokens;
}

void person_await(struct person *p, const char *type, const char *text)
{
    struct slice event;
    struct slice data;
    do {
        event = call_event(p->events, PERSON_EVENT_MS);
        if (event.len == 0) {
            rig_die("%s: no event %s", p->daemon.home, type);
        }
    } while (
        !text_is(event, "type", type) ||
        (text != NULL && (!control_get(event, "data", &data) || !text_is(data, "text", text))));
}
