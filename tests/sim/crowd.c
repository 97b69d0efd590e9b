/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/crowd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "node/params.h"
#include "sim/flood.h"
#include "sim/invite_thief.h"
#include "sim/meet.h"

enum {
    MINUTE = 60000,
    READY_MINUTES = 180, /* until everybody has a relay, or has met everybody */
    EVENT_FIELDS = 16,
    SMALL_QUEUE = 48, /* envelopes */
};

enum err crowd_call(struct crowd *c, struct sim_node *n, const char *method, ...)
{
    uint8_t bytes[2048];
    struct writer w = writer_of(bytes, sizeof bytes);
    uint32_t pairs = 0;
    const char *name;
    va_list args;
    va_start(args, method);
    while ((name = va_arg(args, const char *)) != NULL) {
        sim_pair_str(&w, name, va_arg(args, const char *));
        pairs++;
    }
    va_end(args);
    sim_check(&c->sim, w.err == ERR_OK, "%s: too many parameters", method);
    return sim_call(&c->sim, n, method, pairs, writer_done(&w));
}

void crowd_must(struct crowd *c, enum err err, const char *what)
{
    sim_check(&c->sim, err == ERR_OK, "%s: %s", what, err_name(err));
}

void crowd_result(struct crowd *c, struct sim_node *n, const char *name, char *out, size_t cap)
{
    sim_check(&c->sim, sim_result_str(n, name, out, cap), "no %s in a result", name);
}

static void *more(struct crowd *c, void *old, size_t count, size_t *cap, size_t each)
{
    if (count < *cap) {
        return old;
    }
    *cap = *cap > 0 ? 2 * *cap : 16;
    void *grown = realloc(old, *cap * each);
    sim_check(&c->sim, grown != NULL, "out of memory");
    return grown;
}

static void log_add(struct crowd *c, struct crowd_log *log, struct crowd_place place)
{
    log->places = more(c, log->places, log->count, &log->cap, sizeof *log->places);
    log->places[log->count++] = place;
}

/* --- making --- */

void crowd_use_relay(struct crowd *c, struct sim_node *n, struct sim_node *relay)
{
    char code[80];
    char address[256];
    crowd_must(c, crowd_call(c, relay, "relay.invite", NULL), "relay.invite");
    crowd_result(c, relay, "code", code, sizeof code);
    crowd_must(c, crowd_call(c, relay, "daemon.status", NULL), "daemon.status");
    crowd_result(c, relay, "node", address, sizeof address);
    crowd_must(c, crowd_call(c, n, "relay.use", "address", address, "code", code, NULL),
               "relay.use");
    /* A relay that goes back to before somebody joined has no place for them. */
    for (size_t i = 0; i < c->count; i++) {
        if (c->people[i].n == relay) {
            crowd_drop_copies(&c->people[i]);
        }
    }
}

/* Its operator gives every queue little room: who sleeps for long has it full. */
static void small_queues(struct crowd *c, struct sim_node *relay)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    relay->envelopes = SMALL_QUEUE;
    sim_pair_uint(&w, "envelopes", SMALL_QUEUE);
    crowd_must(c, sim_call(&c->sim, relay, "relay.limits", 1, writer_done(&w)), "relay.limits");
}

static bool is_ready(struct crowd *c, const struct crowd_person *who)
{
    char state[32];
    return crowd_call(c, who->n, "relay.status", NULL) == ERR_OK &&
           sim_result_str(who->n, "state", state, sizeof state) && strcmp(state, "ready") == 0;
}

static bool have_met(struct crowd *c, const struct crowd_person *who)
{
    crowd_look(c, &c->people[who->index]);
    return meet_done(who);
}

static void wait_all(struct crowd *c, bool (*done)(struct crowd *c, const struct crowd_person *who),
                     const char *what)
{
    size_t i = 0;
    for (unsigned minute = 0; minute < READY_MINUTES && i < c->count; minute++) {
        sim_settle(&c->sim, MINUTE);
        while (i < c->count && done(c, &c->people[i])) {
            i++;
        }
    }
    sim_check(&c->sim, i == c->count, "person %zu: %s", i, what);
}

void crowd_init(struct crowd *c, uint64_t seed, size_t n, size_t contacts,
                const struct sim_lines *lines)
{
    size_t relays = n / 10 > 0 ? n / 10 : 1;
    memset(&c->people, 0, sizeof *c - offsetof(struct crowd, people));
    sim_init(&c->sim, seed);
    c->sim.lines = *lines;
    c->people = calloc(n, sizeof *c->people);
    c->relays = calloc(2 * relays, sizeof *c->relays);
    sim_check(&c->sim, c->people != NULL && c->relays != NULL, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct sim_node *node = sim_add(&c->sim, i < 2 * relays && i < n - 1);
        if (node->relay) {
            c->relays[c->relay_count++] = node;
        }
        if (i < relays) {
            continue;
        }
        struct crowd_person *who = &c->people[c->count];
        node->person = true;
        node->undialled = !node->relay; /* behind NAT, like most */
        who->n = node;
        who->index = (uint32_t)c->count++;
        crowd_must(c, crowd_call(c, node, "account.create", NULL), "account.create");
        crowd_result(c, node, "id", who->id, sizeof who->id);
    }
    for (size_t i = 1; i < c->relay_count; i += 2) {
        small_queues(c, c->relays[i]);
    }
    for (size_t i = 0; i < c->count; i++) {
        struct crowd_person *who = &c->people[i];
        who->relay = (uint32_t)sim_random(&c->sim, c->relay_count);
        crowd_use_relay(c, who->n, c->relays[who->relay]);
    }
    wait_all(c, is_ready, "no relay");
    meet_everybody(c, contacts);
    wait_all(c, have_met, "not all contacts were met");
    crowd_look_all(c);
    memset(c->did.met, 0, sizeof c->did.met);
}

void crowd_fini(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct crowd_person *who = &c->people[i];
        for (uint32_t k = 0; k < who->contacts; k++) {
            free(who->lanes[k].marks);
        }
        crowd_drop_copies(who);
        free(who->lanes);
        free(who->sent.places);
        free(who->got.places);
    }
    sim_fini(&c->sim);
    free(c->thefts);
    free(c->dead);
    flood_fini(c);
    free(c->people);
    free(c->relays);
}

/* --- writing --- */

void crowd_say(struct crowd *c, struct crowd_person *who, uint32_t contact)
{
    struct crowd_lane *lane = &who->lanes[contact % who->contacts];
    char text[CROWD_TEXT];
    char hex[2 * CONTENT_ID + 1];
    if (who->n->asleep) {
        return;
    }
    snprintf(text, sizeof text, "%s %u %u %u", CROWD_MARK, (unsigned)who->index, (unsigned)lane->to,
             (unsigned)lane->count);
    enum err err = crowd_call(c, who->n, "message.send", "contact", c->people[lane->to].id, "text",
                              text, NULL);
    if (err != ERR_OK) {
        bool early = err == ERR_UNKNOWN_CONTACT || err == ERR_NOT_ACCEPTED;
        sim_check(&c->sim, err == ERR_DISK_FULL || err == ERR_NOT_NOW || (early && !lane->met),
                  "message.send: %s", err_name(err));
        c->did.refused++;
        return;
    }
    if (lane->count == lane->cap) {
        lane->cap = lane->cap > 0 ? 2 * lane->cap : 16;
        lane->marks = realloc(lane->marks, lane->cap * sizeof *lane->marks);
        sim_check(&c->sim, lane->marks != NULL, "out of memory");
    }
    struct crowd_mark *mark = &lane->marks[lane->count];
    *mark = (struct crowd_mark){.got = false};
    crowd_result(c, who->n, "message", hex, sizeof hex);
    sim_check(&c->sim, hex_decode(unit_str(hex), mark->id, sizeof mark->id), "no message id: %s",
              hex);
    log_add(c, &who->sent,
            (struct crowd_place){who->index, contact % who->contacts, lane->count++, 0});
    c->did.said++;
}

/* --- looking --- */

struct crowd_lane *crowd_lane(struct crowd *c, uint32_t from, uint32_t to, uint32_t *which)
{
    struct crowd_person *who = from < c->count ? &c->people[from] : NULL;
    for (*which = 0; who != NULL && *which < who->contacts; ++*which) {
        if (who->lanes[*which].to == to) {
            return &who->lanes[*which];
        }
    }
    return NULL;
}

static void received(struct crowd *c, struct crowd_person *who, struct slice data)
{
    struct slice text;
    struct slice contact;
    uint64_t order = 0;
    char s[CROWD_TEXT + 1] = "";
    unsigned from = 0;
    unsigned to = 0;
    unsigned seq = 0;
    uint32_t which = 0;
    sim_check(&c->sim,
              params_str(data, "text", &text) && params_str(data, "contact", &contact) &&
                  params_uint(data, "order", &order),
              "a message without a text, writer or place");
    if (theft_spoke(c, who, contact)) {
        return;
    }
    sim_check(&c->sim, meet_lane(c, who, contact) != NULL,
              "strangers: person %u got a message of somebody whom they did not accept",
              (unsigned)who->index);
    memcpy(s, text.p, text.len < CROWD_TEXT ? text.len : CROWD_TEXT);
    struct crowd_lane *lane = NULL;
    if (strncmp(s, CROWD_MARK, sizeof CROWD_MARK - 1) == 0 &&
        sscanf(s + sizeof CROWD_MARK - 1, " %u %u %u", &from, &to, &seq) == 3) {
        lane = crowd_lane(c, from, to, &which);
    }
    sim_check(&c->sim, lane != NULL && to == who->index && seq < lane->count,
              "delivery: person %u got what nobody wrote them: %s", (unsigned)who->index, s);
    sim_check(&c->sim, slice_equal(contact, unit_str(c->people[from].id)),
              "delivery: person %u got what %u wrote in the name of somebody else",
              (unsigned)who->index, from);
    struct crowd_mark *mark = &lane->marks[seq];
    sim_check(&c->sim, !mark->got, "delivery: %u to %u, message %u: came twice", from, to, seq);
    if (!mark->excused) {
        sim_check(&c->sim, seq >= lane->next || lane->next > lane->unsure,
                  "delivery: %u to %u, message %u%s: came when %u%s had come before it", from, to,
                  seq, mark->told ? " (told)" : "", (unsigned)lane->next - 1,
                  lane->marks[lane->next - 1].told ? " (told)" : "");
        lane->next = seq >= lane->next ? seq + 1 : lane->next;
    }
    mark->got = true;
    log_add(c, &who->got, (struct crowd_place){from, which, seq, order});
    c->did.got++;
}

/* Its sessions have healed when all that is told of was told, up to something that was written
 * after the home went back. */
static void see_if_sure(struct crowd_lane *lane)
{
    bool told = false;
    for (uint32_t i = 0; i < lane->count; i++) {
        const struct crowd_mark *mark = &lane->marks[i];
        if (!(mark->told && mark->got) && !mark->failed && !mark->excused) {
            return;
        }
        told |= i >= lane->unsure && mark->told;
    }
    lane->unsure = told ? UINT32_MAX : lane->unsure;
}

static struct crowd_mark *mark_of(struct crowd_person *who, const uint8_t id[CONTENT_ID],
                                  struct crowd_lane **of)
{
    for (uint32_t i = 0; i < who->contacts; i++) {
        struct crowd_lane *lane = &who->lanes[i];
        for (uint32_t k = 0; k < lane->count; k++) {
            uint32_t at = (lane->told + k) % lane->count;
            if (memcmp(lane->marks[at].id, id, CONTENT_ID) == 0) {
                lane->told = at;
                *of = lane;
                return &lane->marks[at];
            }
        }
    }
    return NULL;
}

static void became(struct crowd *c, struct crowd_person *who, struct slice hex, bool failed)
{
    uint8_t id[CONTENT_ID];
    char s[2 * CONTENT_ID + 1] = "";
    memcpy(s, hex.p, hex.len < sizeof s - 1 ? hex.len : sizeof s - 1);
    sim_check(&c->sim, hex_decode(unit_str(s), id, sizeof id), "an event with the message id %s",
              s);
    struct crowd_lane *lane = NULL;
    struct crowd_mark *mark = mark_of(who, id, &lane);
    if (mark !=
        NULL) { /* else a word of the node itself, or sent by a call whose answer was lost */
        c->did.failed += failed && !mark->failed;
        mark->failed |= failed;
        mark->told |= !failed;
        if (!failed && (uint32_t)(mark - lane->marks) >= lane->moved) {
            lane->moved = 0;
        }
        if (lane->unsure != UINT32_MAX && c->liars == 0) {
            see_if_sure(lane);
        }
    }
}

static bool is_about_contact(struct slice type)
{
    static const char *const types[] = {"contact.accepted", "contact.failed", "invite.misused",
                                        "request.received"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (slice_equal(type, unit_str(types[i]))) {
            return true;
        }
    }
    return false;
}

static void about_contact(struct crowd *c, struct crowd_person *who, struct slice type,
                          struct slice data)
{
    struct slice contact;
    struct slice error = slice_of(NULL, 0);
    sim_check(&c->sim, params_str(data, "contact", &contact), "an event of no contact");
    (void)params_str(data, "error", &error);
    bool accepted = slice_equal(type, unit_str("contact.accepted"));
    if (accepted || slice_equal(type, unit_str("request.received"))) {
        meet_heard(c, who, contact, accepted);
    }
    theft_heard(c, who, type, contact, error);
}

static void take_event(struct crowd *c, struct crowd_person *who, struct slice event)
{
    struct slice type = slice_of(NULL, 0);
    struct slice value = slice_of(NULL, 0);
    struct reader r = reader_of(event);
    uint32_t pairs = pack_read_map(&r, EVENT_FIELDS);
    struct slice data = slice_of(NULL, 0);
    for (uint32_t i = 0; i < pairs && r.err == ERR_OK; i++) {
        struct slice key = pack_read_str(&r, 32);
        if (slice_equal(key, unit_str("type"))) {
            type = pack_read_str(&r, 64);
        } else if (slice_equal(key, unit_str("cursor"))) {
            who->cursor = pack_read_uint(&r, UINT64_MAX);
        } else {
            size_t start = r.pos;
            pack_skip(&r, 5);
            data = slice_equal(key, unit_str("data")) ? slice_of(r.p + start, r.pos - start) : data;
        }
    }
    sim_check(&c->sim, r.err == ERR_OK, "an event that cannot be read");
    if (slice_equal(type, unit_str("message.received"))) {
        received(c, who, data);
    } else if (slice_equal(type, unit_str("message.failed"))) {
        sim_check(&c->sim, params_str(data, "message", &value), "a failure of no message");
        became(c, who, value, true);
    } else if (slice_equal(type, unit_str("message.delivered"))) {
        sim_check(&c->sim, params_str(data, "message", &value), "a delivery of no message");
        became(c, who, value, false);
    } else if (is_about_contact(type)) {
        about_contact(c, who, type, data);
    } else if (slice_equal(type, unit_str("session.reset"))) {
        c->did.healed++;
    }
}

void crowd_look(struct crowd *c, struct crowd_person *who)
{
    uint32_t count;
    uint64_t last; /* event that there is */
    who->n->news = 0;
    do {
        uint8_t bytes[64];
        struct writer w = writer_of(bytes, sizeof bytes);
        sim_pair_uint(&w, "since", who->cursor);
        crowd_must(c, sim_query(&c->sim, who->n, "event.read", 1, writer_done(&w)), "event.read");
        struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
        (void)pack_read_map(&r, 4);
        (void)pack_read_str(&r, 32);
        count = pack_read_array(&r, 100000);
        for (uint32_t i = 0; i < count; i++) {
            size_t start = r.pos;
            pack_skip(&r, 6);
            take_event(c, who, slice_of(r.p + start, r.pos - start));
        }
        (void)pack_read_str(&r, 32);
        (void)pack_read_uint(&r, UINT64_MAX); /* the first that there is */
        (void)pack_read_str(&r, 32);
        last = pack_read_uint(&r, UINT64_MAX);
        sim_check(&c->sim, r.err == ERR_OK, "events that cannot be read");
    } while (count > 0 && who->cursor < last);
}

void crowd_look_all(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->people[i].n->news != 0) {
            crowd_look(c, &c->people[i]);
        }
    }
}

void crowd_delete(struct crowd *c, struct crowd_person *who)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (who->n->asleep || who->got.count == 0) {
        return;
    }
    const struct crowd_place *place = &who->got.places[sim_random(&c->sim, who->got.count)];
    sim_pair_str(&w, "contact", c->people[place->from].id);
    sim_pair_uint(&w, "order", place->order);
    enum err err = sim_call(&c->sim, who->n, "message.delete", 2, writer_done(&w));
    sim_check(&c->sim, err == ERR_OK || err == ERR_UNKNOWN_MESSAGE || err == ERR_DISK_FULL,
              "message.delete: %s", err_name(err));
    if (err == ERR_OK) {
        c->did.deleted++;
        who->deleted = who->awake = sim_now(&c->sim);
        who->starts = who->n->starts;
    }
}

/* --- the end --- */

uint64_t crowd_waiting(struct crowd *c)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < c->count; i++) {
        uint64_t n = 0;
        crowd_must(c, crowd_call(c, c->people[i].n, "daemon.status", NULL), "daemon.status");
        sim_check(&c->sim, sim_result_uint(c->people[i].n, "outbox", &n), "no outbox in a result");
        sum += n;
    }
    return sum;
}

static void print_contact(const struct crowd_person *who, struct slice contact, FILE *to)
{
    struct slice id = slice_of(NULL, 0);
    struct slice trouble = slice_of(NULL, 0);
    struct slice state = slice_of(NULL, 0);
    (void)params_str(contact, "id", &id);
    (void)params_str(contact, "trouble", &trouble);
    (void)params_str(contact, "state", &state);
    for (uint32_t i = 0; i < who->contacts; i++) {
        const struct crowd_lane *lane = &who->lanes[i];
        uint32_t waits = 0;
        for (uint32_t k = 0; k < lane->count; k++) {
            const struct crowd_mark *mark = &lane->marks[k];
            waits += !mark->told && !mark->failed && !mark->excused;
        }
        const struct crowd_person *other = who - who->index + lane->to;
        bool unmet = !lane->met || lane->again;
        if ((waits > 0 || unmet) && slice_equal(id, unit_str(other->id))) {
            fprintf(to, "  person %u (node %u) to %u: %u of %u wait;%s %.*s %.*s\n",
                    (unsigned)who->index, (unsigned)who->n->index, (unsigned)lane->to,
                    (unsigned)waits, (unsigned)lane->count, unmet ? " not met;" : "",
                    (int)state.len, (const char *)state.p, (int)trouble.len,
                    (const char *)trouble.p);
        }
    }
}

void crowd_print_waiting(struct crowd *c, FILE *to)
{
    for (size_t i = 0; i < c->count; i++) {
        struct crowd_person *who = &c->people[i];
        if (sim_query(&c->sim, who->n, "contact.list", 0, slice_of(NULL, 0)) != ERR_OK) {
            continue;
        }
        struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
        (void)pack_read_map(&r, 4);
        (void)pack_read_str(&r, 32);
        uint32_t count = pack_read_array(&r, LIMIT_CONTACTS);
        for (uint32_t k = 0; k < count; k++) {
            size_t start = r.pos;
            pack_skip(&r, 4);
            print_contact(who, slice_of(r.p + start, r.pos - start), to);
        }
    }
}

void crowd_settle_accounts(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        for (uint32_t k = 0; k < c->people[i].contacts; k++) {
            const struct crowd_lane *lane = &c->people[i].lanes[k];
            for (uint32_t seq = 0; seq < lane->count; seq++) {
                const struct crowd_mark *mark = &lane->marks[seq];
                sim_check(&c->sim, mark->got || mark->failed || mark->excused,
                          "delivery: %zu to %u, message %u of %u: never came%s", i,
                          (unsigned)lane->to, (unsigned)seq, (unsigned)lane->count,
                          mark->told ? ", and counts as delivered" : ", and nobody was told");
            }
        }
    }
}
