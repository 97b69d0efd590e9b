/* SPDX-License-Identifier: Apache-2.0
 *
 * homes: what becomes of people's homes: they move to another relay, are copied and go back to a
 * copy, or are lost with the machine and restored from a backup on another one. A home that goes
 * back, or is restored, has forgotten what came between (docs/protocol/10-backup.md, section 3).
 */
#include <stdlib.h>

#include "node/core.h"
#include "node/home_keys.h"
#include "sim/crowd.h"
#include "sim/meet.h"

enum {
    MOVED_WORDS = 2, /* that may have been sealed before the new queue was there */
    RESTORES = 6,    /* of one person: a relay holds 8 queues of a member */
};

void crowd_drop_copies(struct crowd_person *who)
{
    while (who->copied > 0) {
        struct crowd_copy *copy = &who->copies[--who->copied];
        sim_copy_free(&copy->home);
        *copy = (struct crowd_copy){.then = {.at = 0}};
    }
    sim_backup_free(&who->backup);
}

/* Contacts hear where who is now: not those who go back to before that, or who are restored from
 * before. Two who know of each other's former queues alone do not find each other before there is
 * another way to look people up, so nothing of before is kept. */
static void went_elsewhere(struct crowd *c, struct crowd_person *who)
{
    crowd_drop_copies(who);
    for (uint32_t i = 0; i < who->contacts; i++) {
        who->lanes[i].moved = who->lanes[i].count + MOVED_WORDS;
        crowd_drop_copies(&c->people[who->lanes[i].to]);
    }
    meet_moved(c, who);
}

void crowd_move(struct crowd *c, struct crowd_person *who, uint32_t relay)
{
    struct sim_node *to = c->relays[relay];
    bool awake = !who->n->asleep && !to->asleep;
    if (awake && relay != who->relay && !who->n->full && !to->full) {
        crowd_use_relay(c, who->n, to);
        who->relay = relay;
        went_elsewhere(c, who);
    }
}

/* Neither in the middle of a meeting, nor unaware of where a contact is. */
static bool is_settled(struct crowd *c, const struct crowd_person *who)
{
    for (uint32_t i = 0; i < who->contacts; i++) {
        uint32_t unused;
        if (crowd_lane(c, who->lanes[i].to, who->index, &unused)->moved > 0) {
            return false;
        }
    }
    return meet_done(who);
}

static struct crowd_time now_of(const struct crowd *c, const struct crowd_person *who)
{
    return (struct crowd_time){.at = sim_now(&c->sim),
                               .cursor = who->cursor,
                               .sent = who->sent.count,
                               .got = who->got.count,
                               .contacts = who->contacts};
}

void crowd_copy(struct crowd *c, struct crowd_person *who)
{
    crowd_look(c, who);
    if (!is_settled(c, who)) {
        return;
    }
    unsigned at =
        who->copied < CROWD_COPIES ? who->copied++ : (unsigned)sim_random(&c->sim, CROWD_COPIES);
    struct crowd_copy *copy = &who->copies[at];
    if (copy->home.mem != NULL) {
        sim_copy_free(&copy->home);
    }
    *copy = (struct crowd_copy){.home = sim_copy_of(who->n), .then = now_of(c, who)};
}

static void excuse(struct crowd *c, struct crowd_mark *mark)
{
    c->did.excused += !mark->excused;
    mark->excused = true;
}

/* One of its two homes goes back: what is under way may be sealed anew, behind later ones. */
static void become_unsure(struct crowd_lane *lane)
{
    uint32_t first = 0;
    while (first < lane->count &&
           (lane->marks[first].told || lane->marks[first].failed || lane->marks[first].excused)) {
        first++;
    }
    lane->unsure = first < lane->unsure ? first : lane->unsure;
}

void crowd_unsure(struct crowd *c)
{
    crowd_look_all(c);
    for (size_t i = 0; i < c->count; i++) {
        for (uint32_t k = 0; k < c->people[i].contacts; k++) {
            become_unsure(&c->people[i].lanes[k]);
        }
    }
}

/* All that came after this time is forgotten. */
static void go_back(struct crowd *c, struct crowd_person *who, const struct crowd_time *then)
{
    for (size_t i = then->sent; i < who->sent.count; i++) {
        const struct crowd_place *p = &who->sent.places[i];
        excuse(c, &who->lanes[p->lane].marks[p->seq]);
    }
    for (size_t i = then->got; i < who->got.count; i++) {
        const struct crowd_place *p = &who->got.places[i];
        struct crowd_mark *mark = &c->people[p->from].lanes[p->lane].marks[p->seq];
        excuse(c, mark);
        mark->got = false;
        c->did.got--;
    }
    for (size_t i = 0; i < c->count; i++) {
        for (uint32_t k = 0; k < c->people[i].contacts; k++) {
            struct crowd_lane *lane = &c->people[i].lanes[k];
            if (who->n->relay || i == who->index || lane->to == who->index) {
                become_unsure(lane);
            }
        }
    }
    who->sent.count = then->sent;
    who->got.count = then->got;
    who->cursor = then->cursor;
    who->deleted = 0;
    meet_forgotten(c, who, then->contacts);
}

static bool is_later(const struct crowd_time *a, const struct crowd_time *b)
{
    return a->sent > b->sent || a->got > b->got || a->contacts > b->contacts;
}

void crowd_roll_back(struct crowd *c, struct crowd_person *who)
{
    if (who->copied == 0) {
        return;
    }
    unsigned at = (unsigned)sim_random(&c->sim, who->copied);
    const struct crowd_copy copy = who->copies[at];
    crowd_look(c, who);
    go_back(c, who, &copy.then);
    sim_roll_back(&c->sim, who->n, &copy.home);
    /* Later copies are of a time that was not. */
    for (unsigned i = who->copied; i-- > 0;) {
        if (is_later(&who->copies[i].then, &copy.then)) {
            struct crowd_copy last = who->copies[--who->copied];
            sim_copy_free(&who->copies[i].home);
            who->copies[i] = last;
        }
    }
    for (unsigned i = who->copied; i < CROWD_COPIES; i++) {
        who->copies[i] = (struct crowd_copy){.then = {.at = 0}};
    }
    if (is_later(&who->saved, &copy.then)) {
        sim_backup_free(&who->backup);
    }
}

/* --- backups --- */

void crowd_save(struct crowd *c, struct crowd_person *who)
{
    crowd_look(c, who);
    if (!who->n->asleep && !who->n->relay && is_settled(c, who)) {
        sim_backup_free(&who->backup);
        who->backup = sim_backup_of(&c->sim, who->n);
        who->saved = now_of(c, who);
        who->saved.cursor = 0; /* events are in no backup */
    }
}

struct homes {
    struct crowd *c;
    struct sim_node *n;
};

/* What waits in its queues, nobody reads. */
static void note_queues(void *ctx, struct turn *turn)
{
    struct homes *h = ctx;
    struct step step = {.turn = turn};
    for (unsigned slot = 0; slot < LIMIT_HOMES; slot++) {
        struct relay_row row;
        if (relay_row_get(&step, h->n->node->accounts->keys, slot, &row) == ERR_OK) {
            h->c->dead = realloc(h->c->dead, (h->c->dead_count + 1) * sizeof *h->c->dead);
            sim_check(&h->c->sim, h->c->dead != NULL, "out of memory");
            home_queue(&row, &h->c->dead[h->c->dead_count++]);
        }
    }
}

static struct sim_node *restored(struct crowd *c, const struct crowd_person *who)
{
    struct sim_node *n = sim_add(&c->sim, false);
    n->person = true;
    n->undialled = true;
    n->backs = who->n->backs + 1;
    crowd_must(c, sim_restore_begin(&c->sim, n, who->backup.words), "account.create");
    for (size_t i = 0; i < who->backup.parts; i++) {
        crowd_must(c, sim_restore_put(&c->sim, n, who->backup.part[i], who->backup.len[i]),
                   "restore.put");
    }
    crowd_must(c, crowd_call(c, n, "restore.end", NULL), "restore.end");
    return n;
}

void crowd_restore(struct crowd *c, struct crowd_person *who)
{
    struct homes h = {.c = c, .n = who->n};
    if (who->n->asleep || who->backup.parts == 0 || who->restores == RESTORES) {
        return;
    }
    crowd_look(c, who);
    sim_turn(&c->sim, who->n, note_queues, &h);
    sim_sleep(&c->sim, who->n);
    who->n->lost = true;
    go_back(c, who, &who->saved);
    who->n = restored(c, who);
    who->placed = 0;
    who->restores++;
    c->did.restored++;
    went_elsewhere(c, who);
}
