/* SPDX-License-Identifier: Apache-2.0
 *
 * hostile: one node with an account, whose own relay is played by the test. The relay answers as a
 * good one would unless told otherwise; every input is a turn of its own, run as the daemon runs
 * it.
 */
#ifndef PETREL_TESTS_LIB_HOSTILE_H
#define PETREL_TESTS_LIB_HOSTILE_H

#include "lib/unit.h"
#include "node/node.h"
#include "node/peer_rows.h"
#include "node/rows.h"
#include "relay/descriptor_record.h"
#include "relay/record.h"
#include "store/mem.h"

#define HOSTILE_NOW (UINT64_C(20000) * LIMIT_DAY_MS + 12 * LIMIT_HOUR_MS)

enum {
    HOSTILE_LINKS = 64,
    HOSTILE_DESCRIPTORS = 16, /* days of which the relay keeps one */
};

struct hostile {
    struct unit_env unit;
    struct store_mem *mem;
    struct arena arena;   /* of turns */
    struct arena scratch; /* of the test */
    struct seal_keys *node_keys;
    struct node_root root;
    struct node *node;
    struct node_skip skip;
    struct address relay;
    struct sign_pk id;    /* of the account */
    struct sign_pk queue; /* of the account */
    uint64_t link;        /* the node's link to its relay */
    uint8_t hash[64];     /* handshake hash of every link */
    uint64_t pushed;
    /* what the relay was given */
    struct sign_pk record;
    uint8_t body[LIMIT_RECORD_BODY];
    size_t body_len;
    uint64_t seq;
    uint32_t last_part;
    unsigned parts;
    struct bep44_item descriptors[HOSTILE_DESCRIPTORS]; /* the last one of each day */
    size_t ndescriptors; /* that were put; further ones take the place of the oldest */
    /* what the relay answers to record.status: a later sequence number or part than it has */
    bool lies;
    uint64_t lie_seq;
    uint32_t lie_part;
    bool refuse_body;       /* record.put with a body is stale */
    bool refuse_descriptor; /* descriptor.put is stale; descriptor.get gives what was put before */
    unsigned descriptor_gets; /* so often that was asked for */
    uint32_t waiting;         /* what queue.attach says */
    bool put_off; /* record.status is answered with busy, and the longest retry_after_ms */
    /* what came out, since hostile_forget */
    enum err turn;        /* how the last turn ended */
    bool replied;         /* the last call */
    enum err reply;       /* likewise */
    uint8_t result[4096]; /* of the last call */
    size_t result_len;
    unsigned dialled; /* links to anybody but the own relay */
    struct address dialled_last;
    unsigned sent; /* frames on links to anybody but the own relay */
    /* the last request among them */
    uint64_t asked_link; /* 0: none */
    uint8_t asked_kind;
    uint32_t asked_id;
    uint8_t asked[LIMIT_FRAME]; /* its body */
    size_t asked_len;
    unsigned closed; /* links that the node closed */
    unsigned events;
    struct node_root wanted; /* that the host was to keep last; account 0: none */
    uint32_t kept;           /* generation beside which no other is to be; 0: none was named */
    uint64_t acked;          /* newest push that was acknowledged to the relay */
    uint64_t others[HOSTILE_LINKS]; /* numbers of the links dialled */
    uint64_t opened;                /* the link that was opened last */
};

/* With an account at its relay: key bundle published, queue attached. */
void hostile_init(struct hostile *h);
void hostile_fini(struct hostile *h);
/* What the relay has under this blinded key of the account's; NULL: nothing. */
struct bep44_item *hostile_descriptor(struct hostile *h, const struct sign_pk *key);
/* A new node object on the same store, and its link to the relay. */
void hostile_restart(struct hostile *h);
void hostile_forget(struct hostile *h);
/* One turn; outputs are dealt with. LOCAL failures end in h->turn. */
void hostile_input(struct hostile *h, const struct node_input *in);
void hostile_tick(struct hostile *h, uint64_t later_ms);
void hostile_frame(struct hostile *h, uint64_t link, uint8_t kind, uint32_t id, struct slice body);
/* pairs: n encoded pairs. The answer may come with a later turn. */
void hostile_ask(struct hostile *h, const char *method, uint32_t n, struct slice pairs);
/* The same, and it must be there. */
enum err hostile_call(struct hostile *h, const char *method, uint32_t n, struct slice pairs);
/* Opens a link that the node dialled. */
void hostile_open(struct hostile *h, uint64_t link);
/* Answers the last request on a link to another relay. */
void hostile_answer(struct hostile *h, struct slice body);

/* Lets the node find its stamp, until it has sent a request of this kind. */
void hostile_mine(struct hostile *h, uint8_t kind);
/* Pushes an envelope that came with a stamp. */
void hostile_push(struct hostile *h, struct slice envelope);

/* Rows of the node's account, in a read transaction; slices lie in h->scratch. */
void hostile_account(struct hostile *h, struct account_row *row);
enum err hostile_contact(struct hostile *h, const struct sign_pk *id, struct peer_row *row);
/* Puts as many contacts who asked and wait for the user. */
void hostile_requests(struct hostile *h, unsigned count);
/* Events of this type in the log. */
unsigned hostile_events(struct hostile *h, const char *type);
size_t hostile_rows(const struct hostile *h, enum store_table t);

#endif
