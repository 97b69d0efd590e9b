/* SPDX-License-Identifier: Apache-2.0
 *
 * person: relays and people on them, each a daemon of its own, for benches that measure what a
 * user sees.
 */
#ifndef PETREL_TESTS_BENCH_PERSON_H
#define PETREL_TESTS_BENCH_PERSON_H

#include "bench/call.h"
#include "bench/rig.h"
#include "node/address.h"

enum {
    PERSON_ID = 128,         /* an ID as text */
    PERSON_LINK = 1024,      /* an invitation */
    PERSON_CONFIG = 512,     /* lines of a petreld.conf */
    PERSON_EVENT_MS = 10000, /* an event may take this long */
};

struct person {
    struct rig_daemon daemon;
    struct call *call;
    struct call *events; /* nothing but event.subscribe and events */
    char id[PERSON_ID];
};

/* Starts a relay that anybody may join. It passes requests on to relays on this machine too. more:
 * lines of its configuration. */
void person_relay(struct rig_daemon *d, const char *home, const char *more,
                  char address[static ADDRESS_TEXT]);

/* A fresh home, but perhaps for its configuration, with an account that has joined this relay. */
void person_open(struct person *p, const char *home, const char *relay);
void person_close(struct person *p);
/* From now on the events of the daemon come. */
void person_listen(struct person *p);

/* An invitation of p. */
void person_invite(struct person *p, char link[static PERSON_LINK]);
/* b uses an invitation of a; both are contacts when it returns. */
void person_meet(struct person *a, struct person *b);
/* Waits until the one contact of p has so many tokens of p's; how many there are. */
uint64_t person_tokens(struct person *p, uint64_t least);
/* Waits for an event of this type (with this text, unless it is NULL), and drops others. */
void person_await(struct person *p, const char *type, const char *text);

#endif
