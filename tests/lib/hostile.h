/* SPDX-License-Identifier: Apache-2.0
 *
 * hostile: one node with an account, whose own relay is played by the test, and strangers who know
 * the node's key bundle. The relay answers as a good one would unless told otherwise; every input
 * is a turn of its own, run as the daemon runs it.
 */
#ifndef PETREL_TESTS_LIB_HOSTILE_H
#define PETREL_TESTS_LIB_HOSTILE_H

#include "lib/unit.h"
#include "node/content.h"
#include "node/device.h"
#include "node/node.h"
#include "node/peer_rows.h"
#include "node/rows.h"
#include "pair/prekey.h"
#include "pair/session.h"
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

/* A person who is not the node. */
struct stranger {
    struct sign_pk id;
    struct sign_sk identity;
    struct sign_sk sign; /* the device's */
    struct dh_sk dh;
    struct device_certificate device;
    uint8_t certificate[LIMIT_CERTIFICATE];
    size_t certificate_len;
    uint8_t list[LIMIT_DEVICE_LIST];
    size_t list_len;
    struct device_entry entry; /* of that list */
    struct sign_sk relay;      /* of the relay that it names */
    uint32_t list_version;
    struct session *session;
};

void stranger_init(struct hostile *h, struct stranger *s);
void stranger_fini(struct stranger *s);
/* A fresh device key; keeps the identity. */
void stranger_device(struct hostile *h, struct stranger *s);
/* Signs a list with one device, whose queue is at this host. */
void stranger_list(struct hostile *h, struct stranger *s, uint32_t version, uint64_t created_ms,
                   const char *host);
/* A new session from the node's bundle, with its last-resort key. invite: secret or NULL. */
void stranger_begin(struct hostile *h, struct stranger *s, const uint8_t *invite);
/* Adds the stranger by ID, and opens the link on which the descriptor is asked for. */
void stranger_add(struct hostile *h, const struct stranger *s);
/* The same, and reads the descriptor; the key bundle is asked for then. */
void stranger_look_up(struct hostile *h, struct stranger *s);
/* Lets the node find its stamp, until it has sent a request of this kind. */
void hostile_mine(struct hostile *h, uint8_t kind);
/* The stranger's relay answers a pop or get: the key bundle with this signed prekey and the list
 * that was signed last. */
void stranger_popped(struct hostile *h, struct stranger *s, const struct prekey_secret *prekey);
/* The node's relay answers with the stranger's descriptor of today, which names the same list. */
void stranger_described(struct hostile *h, struct stranger *s);
/* The same for another period. */
void stranger_described_for(struct hostile *h, struct stranger *s, uint64_t period);
/* The same record and queue at the same relay, but a list of this version. */
void stranger_relist(struct hostile *h, struct stranger *s, uint32_t version);
/* Seals content of this type; the envelope lies in h->scratch. */
struct slice stranger_seal(struct hostile *h, struct stranger *s, uint32_t type, const char *text);
/* The same for any content. */
struct slice stranger_seal_content(struct hostile *h, struct stranger *s, struct content *content);
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
