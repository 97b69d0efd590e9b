/* SPDX-License-Identifier: Apache-2.0
 *
 * relay_rig: a relay host over the memory store for tests, and shorthands for its requests. Every
 * request is a turn of its own; keys, queues and members are numbers.
 */
#ifndef PETREL_TESTS_LIB_RELAY_RIG_H
#define PETREL_TESTS_LIB_RELAY_RIG_H

#include "lib/unit.h"
#include "relay/descriptor_record.h"
#include "relay/host.h"
#include "relay/member.h"
#include "relay/queue.h"
#include "relay/record.h"
#include "store/mem.h"

#define RIG_NOW (UINT64_C(20000) * LIMIT_DAY_MS) /* the first day of epoch 625 */

struct relay_rig {
    struct unit_env unit;
    struct store_mem *mem;
    struct store store;
    struct arena arena;
    struct turn turn;
    struct seal_keys *keys;
    struct sign_sk node_sk;
    struct relay_host_config config;
    struct relay_host *host;
    bool growth;      /* of the next turns */
    uint64_t link;    /* of the next requests */
    uint8_t hash[64]; /* likewise: its handshake hash, from the link's number */
    uint8_t body[LIMIT_FRAME];
    uint8_t out[LIMIT_FRAME];
    struct slice reply; /* of the last request */
    enum err broken;    /* what failed the last turn, ERR_OK: nothing */
};

void rig_init(struct relay_rig *r, uint64_t spent_lru);
void rig_fini(struct relay_rig *r);
/* A new host on the same store, as after a crash. */
void rig_restart(struct relay_rig *r);
void rig_use_link(struct relay_rig *r, uint64_t link);

/* Key pairs by number. */
void rig_sk(struct sign_sk *sk, unsigned kind, unsigned n);
struct sign_pk rig_pk(unsigned kind, unsigned n);
enum {
    RIG_MEMBER = 1,
    RIG_QUEUE = 2,
    RIG_RECORD = 3
};
struct token_key rig_k(unsigned n);
struct token_siv_key rig_siv(unsigned n);

/* One turn with this request. On a LOCAL error: aborted, and the host is made anew. */
enum err rig_request(struct relay_rig *r, uint8_t kind, struct slice body);
/* The error code of the last reply. */
enum err rig_refusal(struct relay_rig *r);

enum err rig_join(struct relay_rig *r, unsigned member, const uint8_t *code);
enum err rig_leave(struct relay_rig *r, unsigned member);
enum err rig_register(struct relay_rig *r, unsigned queue, unsigned member, unsigned k);
enum err rig_attach(struct relay_rig *r, unsigned queue, uint32_t *waiting);
/* Token number n of queue, envelope of this class filled with fill. */
struct queue_deposit rig_deposit_of(struct relay_rig *r, unsigned queue, uint32_t n, uint8_t *space,
                                    unsigned envelope_class, uint8_t fill);
enum err rig_deposit(struct relay_rig *r, const struct queue_deposit *d,
                     struct queue_deposit_reply *reply);
/* Shorthand: 1 KiB, lifetime class 3. */
enum err rig_put(struct relay_rig *r, unsigned queue, uint32_t n, uint8_t fill);
enum err rig_ack(struct relay_rig *r, unsigned queue, uint64_t number);
/* Voids tokens number first to first + n - 1 of queue, as rig_deposit_of makes them. */
enum err rig_void(struct relay_rig *r, unsigned queue, uint32_t first, uint32_t n);
/* The next push, in a turn of its own; ERR_NOT_FOUND. The envelope lies in r->out. */
enum err rig_push(struct relay_rig *r, struct queue_push *push, uint64_t *link);
enum err rig_tick(struct relay_rig *r);
/* As relay_host_fresh. */
enum err rig_fresh(struct relay_rig *r, struct bep44_item *item);
/* The keys of all descriptors that are to be in the DHT now; their number. */
unsigned rig_announced(struct relay_rig *r, struct sign_pk *keys, unsigned max);
/* Ticks until the deadline is not due any more. */
void rig_settle(struct relay_rig *r);
/* Rows of the queue index. */
size_t rig_index_rows(const struct relay_rig *r);
/* Mines a stamp for target and payload. */
struct relay_admission rig_stamp(struct relay_rig *r, const struct sign_pk *target,
                                 struct slice payload, unsigned bits);

#endif
