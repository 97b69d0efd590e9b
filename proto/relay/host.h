/* SPDX-License-Identifier: Apache-2.0
 *
 * host: a relay's side of queue and record: answers requests that came in frames, and says which
 * envelopes to push next. docs/protocol/04-relay.md.
 *
 * Holds only caches (spent nonces of hot queues, who is attached); all state is in the store. It
 * never calls back: the caller asks for pushes with relay_host_next_push.
 */
#ifndef PETREL_RELAY_HOST_H
#define PETREL_RELAY_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/bep44.h"
#include "relay/host_types.h"
#include "store/store.h"

struct relay_host;

struct relay_host *relay_host_new(const struct relay_host_config *config);
void relay_host_free(struct relay_host *host);
/* Reads what must be known before the first request (counters). */
enum err relay_host_load(struct relay_host *host, struct turn *turn) PETREL_MUST_USE;

/* Answers the request (kind, body) of peer into reply: exactly one msgpack value, a map whose key 0
 * is the error code (0: ok); or nothing: relay_host_next_answer will, at the end of the turn.
 * Result: ERR_OK also when the answer is a refusal; a PEER class error (ERR_MALFORMED, ...) means
 * that the bytes were out of form: close the link with it; LOCAL: the turn failed. */
enum err relay_host_request(struct relay_host *host, struct turn *turn,
                            const struct relay_peer *peer, uint8_t kind, struct slice body,
                            struct writer *reply) PETREL_MUST_USE;
/* After the last request of a turn, until ERR_NOT_FOUND: the answers to what this turn stored, with
 * the relay's receipts. */
enum err relay_host_next_answer(struct relay_host *host, struct turn *turn, struct relay_answer *to,
                                struct writer *reply) PETREL_MUST_USE;
void relay_host_link_closed(struct relay_host *host, uint64_t link);
/* Whether a queue is attached on this link: its holder is a member then. */
bool relay_host_is_reader(struct relay_host *host, uint64_t link);

/* The next envelope that an attached owner has room for (LIMIT_PUSH_WINDOW a queue). Gives
 * ERR_NOT_FOUND when there is none. Links in `skip` order are the caller's business: it passes
 * may_send, which says whether a link has credit left. body: one msgpack value for
 * FRAME_QUEUE_PUSH. */
enum err relay_host_next_push(struct relay_host *host, struct turn *turn,
                              bool (*may_send)(void *ctx, uint64_t link), void *ctx, uint64_t *link,
                              struct writer *body) PETREL_MUST_USE;

/* A descriptor that was put lately and is to be in the DHT now. ERR_NOT_FOUND: there is none, any
 * more. */
enum err relay_host_fresh(struct relay_host *host, struct turn *turn,
                          struct bep44_item *item) PETREL_MUST_USE;
/* The next descriptor that is to be in the DHT now, behind *at (zeros: from the beginning), which
 * is moved on; *got: false: none yet, call again. ERR_NOT_FOUND: none is left. */
enum err relay_host_announce(struct relay_host *host, struct turn *turn,
                             uint8_t at[static SEAL_NAME], struct bep44_item *item,
                             bool *got) PETREL_MUST_USE;

/* Expiry of envelopes, spent rows, pops: bounded work, then the next deadline (Unix ms). */
enum err relay_host_tick(struct relay_host *host, struct turn *turn) PETREL_MUST_USE;
uint64_t relay_host_deadline(const struct relay_host *host);

/* The operator's side. */

/* Makes a single-use code for a new member. days: 1 to LIMIT_JOIN_CODE_DAYS_MAX, else ERR_ARGUMENT.
 */
enum err relay_host_invite(struct relay_host *host, struct turn *turn, unsigned days,
                           uint8_t code[static 32]) PETREL_MUST_USE;
/* The members whose names are above `after` (zeros: all), in that order, cap at most. */
enum err relay_host_members(struct relay_host *host, struct turn *turn,
                            const uint8_t after[static SEAL_NAME], struct relay_host_member *out,
                            size_t cap, size_t *count) PETREL_MUST_USE;
/* What waits in the next queues behind *cursor: entries of one member are to be added up. It looks
 * at LIMIT_TALLY_ROWS rows at most; nothing is left when *count is 0. */
enum err relay_host_waiting(struct relay_host *host, struct turn *turn,
                            struct relay_host_cursor *cursor, struct relay_host_waiting *out,
                            size_t cap, size_t *count) PETREL_MUST_USE;
/* Takes the member whose name begins with these bytes away, for good. What it had goes in the turns
 * that follow, also after a crash. ERR_NOT_FOUND, ERR_AMBIGUOUS, ERR_BACKPRESSURE: LIMIT_REMOVALS
 * are under way. */
enum err relay_host_remove(struct relay_host *host, struct turn *turn,
                           const uint8_t name[static RELAY_NAME_SHORT]) PETREL_MUST_USE;
struct relay_limits relay_host_limits(const struct relay_host *host);
/* For all queues, also those that there are: what is above waits on, nothing is added.
 * ERR_ARGUMENT: out of range. */
enum err relay_host_set_limits(struct relay_host *host, struct turn *turn,
                               const struct relay_limits *limits) PETREL_MUST_USE;

struct relay_host_stats {
    uint64_t members;
    uint64_t queues;
    uint64_t attached; /* queues with an owner on line */
};
enum err relay_host_stats(struct relay_host *host, struct turn *turn,
                          struct relay_host_stats *stats) PETREL_MUST_USE;

#endif
