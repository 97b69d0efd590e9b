/* SPDX-License-Identifier: Apache-2.0
 *
 * people: a relay and some persons on it, with what tests of the simulator do over and over: meet,
 * write, wait, look at what came.
 */
#ifndef PETREL_TESTS_SIM_PEOPLE_H
#define PETREL_TESTS_SIM_PEOPLE_H

#include "node/invite.h"
#include "relay/token.h"
#include "sim/sim.h"

enum {
    PEOPLE_MAX = 52,
    PEOPLE_CODE = INVITE_TEXT + 16,
    PEOPLE_WORDS = 256,
};

struct person {
    struct sim_node *n;
    uint32_t account;       /* on it; 0: the first one */
    struct sim_node *relay; /* the one that it joined first */
    char id[128];
};

struct people {
    struct sim sim;
    struct sim_node *relay; /* of the first person */
    char address[256];
    struct person person[PEOPLE_MAX];
    size_t count;
};

/* A relay and n persons who have joined it. Free with people_free. */
struct people *people_new(uint64_t seed, size_t n);
/* The same with a relay for each person. */
struct people *people_new_apart(uint64_t seed, size_t n);
void people_free(struct people *p);

/* One call with text parameters: name, value, ..., NULL. */
enum err people_call(struct people *p, struct sim_node *n, const char *method, ...);
enum err people_query(struct people *p, struct sim_node *n, const char *method, ...);

/* Runs until done(p, ctx), for at most ms of the nodes' time; false: it never was. */
bool people_until(struct people *p, bool (*done)(struct people *p, void *ctx), void *ctx,
                  uint64_t ms);

/* One more identity on the node of `beside`, which has joined this relay. */
struct person *people_beside(struct people *p, struct person *beside, struct sim_node *relay);
/* The node of who, for calls about their account. */
struct sim_node *people_as(struct person *who);
void people_use_relay(struct people *p, struct sim_node *relay, struct person *who);
/* As the second one, and waits until the queue is there. */
void people_use_second(struct people *p, struct sim_node *relay, struct person *who);
/* The operator of a relay with one member takes that away. */
void people_remove_member(struct people *p, struct sim_node *relay);
/* All that can be had back without a backup. */
void people_words(struct people *p, struct person *who, char words[PEOPLE_WORDS]);
/* A new node with the identity of who and nothing else, at this relay. */
struct person *people_anew(struct people *p, const struct person *who, const char *words,
                           struct sim_node *relay);
bool people_ready(struct people *p, struct person *who);
/* Members that a relay has. */
uint64_t people_members(struct people *p, struct sim_node *relay);
/* An invitation of who. */
void people_invite(struct people *p, struct person *who, char link[INVITE_TEXT]);
/* Adds an invitation or ID, with the text "hello". */
void people_add(struct people *p, struct person *who, const char *link);
/* Waits for at most two hours until who gives this contact that state; fails the test. */
void people_wait_state(struct people *p, struct person *who, struct person *of, const char *state);
/* A link code of who. */
void people_link_code(struct people *p, struct person *who, char code[PEOPLE_CODE]);
/* The name of device i of who's list, from 0. */
void people_device(struct people *p, struct person *who, unsigned i, char name[32]);
/* `device`, an account without anything, becomes one of who's, with nothing left to send. */
void people_link(struct people *p, struct person *who, struct person *device);
/* a invites b, and both are contacts afterwards, with nothing left to send. */
void people_meet(struct people *p, struct person *a, struct person *b);
/* Two who have met; each on a relay of its own, when apart. */
struct people *people_two(uint64_t seed, bool apart, struct person **a, struct person **b);
/* Waits until everything was acknowledged, for at most ms; fails the test if it never is. */
void people_quiet(struct people *p, uint64_t ms);
/* Sends "<prefix><i>". */
void people_say(struct people *p, struct person *from, struct person *to, const char *prefix,
                unsigned i);
/* Both say "a <i>" and "b <i>" in turn, n times, with pauses of up to pause_ms. */
void people_chat(struct people *p, struct person *a, struct person *b, unsigned n,
                 uint64_t pause_ms);
enum err people_send(struct people *p, struct person *from, struct person *to, const char *text);
/* The state that who gives this contact: "" when there is none. */
const char *people_state(struct people *p, struct person *who, struct person *of);
/* A number that who's list of contacts has for this one: "devices", "read", "unread". */
uint64_t people_number(struct people *p, struct person *who, struct person *of, const char *name);
/* Entries in the outbox. */
uint64_t people_outbox(struct people *p, struct person *who);
/* Lines in the history that say why keys were renewed: "why", NULL: any. */
unsigned people_notes(struct people *p, struct person *who, struct person *of, const char *why);
/* Everything that everybody wrote was acknowledged. */
bool people_all_quiet(struct people *p, void *ctx);
/* How many events of this type there are. */
unsigned people_events(struct people *p, struct person *who, const char *type);
/* How many messages of the history with `of` are in this state (NULL: any), and, with text, say
 * just that. */
unsigned people_messages(struct people *p, struct person *who, struct person *of, const char *state,
                         const char *text);
/* Checks that all texts "<prefix> 0" ... "<prefix> n-1" of `of` are in the history of who, each
 * once and in this order. */
void people_in_order(struct people *p, struct person *who, struct person *of, const char *prefix,
                     unsigned n);
/* Gives `from` n more tokens for the queue of `to`, so that no stamps are needed. */
void people_tokens(struct people *p, struct person *from, struct person *to, unsigned n);
/* Takes out all tokens that `from` has for the queue of `to`; how many of them are in out. */
size_t people_tokens_take(struct people *p, struct person *from, struct person *to,
                          struct token *out, size_t cap);
/* How many there are. */
uint64_t people_tokens_count(struct people *p, struct person *from, struct person *to);
/* Puts tokens behind those that `from` has, wherever they come from. */
void people_tokens_put(struct people *p, struct person *from, struct person *to,
                       const struct token *tokens, size_t n);
/* The names under which the relay of who knows them. */
void people_names(struct people *p, struct person *who, struct sign_pk *queue,
                  struct sign_pk *record);
/* n tokens that admit a pop of the record of who. */
void people_pop_tokens(struct people *p, struct person *who, struct token *out, size_t n);
/* The secrets of all one-time parts of who are lost; what the relay has of them stays. */
void people_lose_parts(struct people *p, struct person *who);

#endif
