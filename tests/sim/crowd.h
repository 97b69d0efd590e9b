/* SPDX-License-Identifier: Apache-2.0
 *
 * crowd: many people on some relays, and the book that is kept of what they write to each other:
 * what message.send acknowledged has to arrive exactly once, in the order of who wrote it, or who
 * wrote it is told that it did not. A home that goes back to an earlier copy has forgotten what
 * came between; that alone may be lost, or come again. And until its sessions have healed, what it
 * writes or is written can come after what was written later.
 */
#ifndef PETREL_TESTS_SIM_CROWD_H
#define PETREL_TESTS_SIM_CROWD_H

#include "base/id.h"
#include "node/content.h"
#include "sim/backup.h"
#include "sim/sim.h"

/* One message, in its lane. */
struct crowd_mark {
    uint8_t id[CONTENT_ID];
    bool got;     /* its reader's node has shown it, */
    bool told;    /* the writer's node said so, */
    bool failed;  /* or that it was given up; */
    bool excused; /* it went with a home that went back */
};

/* What one person writes to one other. */
struct crowd_lane {
    uint32_t to;
    uint32_t count;
    uint32_t cap;
    struct crowd_mark *marks; /* owned */
    uint32_t next;            /* what comes, unless excused, is not before this one; */
    uint32_t unsure;          /* from this one on even that is not sure, UINT32_MAX: it is */
    uint32_t told;            /* where the search for an id begins */
    uint32_t moved;           /* the writer moved before this one; 0: or the reader knows where */
    bool by_id;               /* they met without an invitation */
    bool met;                 /* the writer's node has them as a contact, */
    bool asked;               /* was asked by them, and has not answered, */
    bool by_hand;             /* accepted them because its owner said so, */
    bool again;               /* is to add them anew */
};

/* A message of a lane, where a person's own are kept in order. */
struct crowd_place {
    uint32_t from;
    uint32_t lane;
    uint32_t seq;
    uint64_t order; /* in the reader's history */
};

struct crowd_log {
    struct crowd_place *places; /* owned */
    size_t count;
    size_t cap;
};

/* How far the book was at one time. */
struct crowd_time {
    uint64_t at;
    uint64_t cursor;
    size_t sent;
    size_t got;
    uint32_t contacts;
};

/* A home at that time. */
struct crowd_copy {
    struct sim_copy home;
    struct crowd_time then;
};

/* What every text begins with. */
#define CROWD_MARK "petrel-sim-text"

enum {
    CROWD_COPIES = 4,
    CROWD_WAYS = 4,     /* to meet, see meet.h; */
    CROWD_THEFTS = 3,   /* to steal, see invite_thief.h; */
    CROWD_FLOODS = 3,   /* for strangers to write, see flood.h */
    CROWD_PARTS = 8192, /* one-time parts of one record that are counted */
    CROWD_TEXT = 64,
};

struct crowd_person {
    struct sim_node *n;
    uint32_t index;
    uint32_t relay; /* which one */
    char id[ID_TEXT];
    struct crowd_lane *lanes; /* one for each contact; owned */
    uint32_t contacts;
    uint64_t cursor; /* of the last event that was looked at */
    struct crowd_log sent;
    struct crowd_log got;
    struct crowd_copy copies[CROWD_COPIES];
    unsigned copied;
    struct sim_backup backup; /* no parts: there is none; */
    struct crowd_time saved;  /* was made then */
    unsigned restores;
    uint64_t deleted; /* when something was, that is to be forgotten; 0: nothing */
    uint64_t awake;   /* since then its node ran undisturbed: */
    uint64_t starts;  /* it had so many */
    uint32_t placed;  /* 1 + the relay at which these are theirs; 0: not known: */
    struct sign_pk queue;
    struct sign_pk record;
    struct sign_pk popped_of; /* record of which strangers took these parts, one bit each, */
    uint64_t popped_backs;    /* since its relay's home went back so often */
    uint8_t popped[CROWD_PARTS / 8];
};

/* How often what came to pass. Numbers of 64 bits alone, which are added up. */
struct crowd_counts {
    uint64_t said; /* acknowledged by message.send */
    uint64_t refused;
    uint64_t got;
    uint64_t failed;  /* given up, and said so */
    uint64_t excused; /* went with a home that went back */
    uint64_t deleted;
    uint64_t forgotten;       /* copies that did not open when something was */
    uint64_t healed;          /* sessions that were replaced, each side counted */
    uint64_t met[CROWD_WAYS]; /* pairs that began to meet, by each way; */
    uint64_t met_again;       /* who added somebody again */
    uint64_t restored;        /* from backups */
    uint64_t stolen[CROWD_THEFTS];
    uint64_t alarms;      /* that inviters heard, */
    uint64_t warned;      /* and those who were invited */
    uint64_t thief_words; /* messages of thieves who were contacts */
    uint64_t popped;      /* bundles that strangers took, */
    uint64_t parts;       /* one-time parts in them, */
    uint64_t drained;     /* and so often there was none left */
    uint64_t floods[CROWD_FLOODS];
    uint64_t flooded;     /* all envelopes of strangers, */
    uint64_t turned_away; /* and those for which there was no room */
    uint64_t paid;        /* hashes for all that */
};

struct crowd_theft;
struct crowd_flood;

struct crowd {
    struct sim sim;
    struct crowd_person *people; /* owned */
    size_t count;
    struct sim_node **relays; /* owned */
    size_t relay_count;
    unsigned liars; /* lies that are being told: order is not sure meanwhile */
    struct crowd_counts did;
    uint64_t asking;      /* requests that waited at one person, at most */
    struct sign_pk *dead; /* queues of machines that were lost; owned */
    size_t dead_count;
    bool lied;                  /* some relay has lied */
    struct crowd_theft *thefts; /* of invitations; owned */
    size_t theft_count;
    struct crowd_flood *flood; /* owned; NULL: none yet */
};

/* n nodes of which about a tenth are relays, and as many again both; each person has about
 * `contacts` contacts and all have met. The book begins. */
void crowd_init(struct crowd *c, uint64_t seed, size_t n, size_t contacts,
                const struct sim_lines *lines);
void crowd_fini(struct crowd *c);

/* A call with text parameters: name, value, ..., NULL. */
enum err crowd_call(struct crowd *c, struct sim_node *n, const char *method, ...);
void crowd_must(struct crowd *c, enum err err, const char *what);
/* A text of the result. */
void crowd_result(struct crowd *c, struct sim_node *n, const char *name, char *out, size_t cap);
/* An account that has none joins this relay, which does not sleep. */
void crowd_use_relay(struct crowd *c, struct sim_node *n, struct sim_node *relay);
/* The lane from one to another, and which one of theirs it is; NULL: they did not meet. */
struct crowd_lane *crowd_lane(struct crowd *c, uint32_t from, uint32_t to, uint32_t *which);

/* who writes to one of their contacts (modulo how many they have), unless they sleep. */
void crowd_say(struct crowd *c, struct crowd_person *who, uint32_t contact);
/* Looks at the events of one, or of all that have some. */
void crowd_look(struct crowd *c, struct crowd_person *who);
void crowd_look_all(struct crowd *c);
/* Deletes one of the messages that came to them. */
void crowd_delete(struct crowd *c, struct crowd_person *who);
/* Another relay. */
void crowd_move(struct crowd *c, struct crowd_person *who, uint32_t relay);
/* Keeps a copy of the home, in the place of an older one, unless they are just meeting somebody,
 * or do not know where a contact went; goes back to a random one of those. */
void crowd_copy(struct crowd *c, struct crowd_person *who);
void crowd_roll_back(struct crowd *c, struct crowd_person *who);
/* Keeps a backup of the account, likewise, unless its node is a relay too; the machine is lost, and
 * another one gets the backup, if there is one. */
void crowd_save(struct crowd *c, struct crowd_person *who);
void crowd_restore(struct crowd *c, struct crowd_person *who);
/* There is no copy and no backup any more. */
void crowd_drop_copies(struct crowd_person *who);
/* Something begins or ends after which nobody can be sure of the order. */
void crowd_unsure(struct crowd *c);
/* Entries that wait in all outboxes. */
uint64_t crowd_waiting(struct crowd *c);
/* Says who waits for whom, and why. */
void crowd_print_waiting(struct crowd *c, FILE *to);
/* Fails unless all that was acknowledged came, or failed and was told. */
void crowd_settle_accounts(struct crowd *c);

#endif
