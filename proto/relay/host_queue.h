/* SPDX-License-Identifier: Apache-2.0
 *
 * host_queue: a relay's side of queues: register, attach, deposit, acknowledge, push.
 * docs/protocol/04-relay.md, section 6. Private to proto/relay/host*.c.
 */
#ifndef PETREL_RELAY_HOST_QUEUE_H
#define PETREL_RELAY_HOST_QUEUE_H

#include "relay/host_state.h"

enum err host_queue_register(struct relay_host *host, struct turn *turn,
                             const struct relay_peer *peer, struct slice body,
                             struct writer *reply) PETREL_MUST_USE;
/* The member of an opened queue row; false when it is out of form. */
bool host_queue_member(struct slice plain, uint8_t member[static SEAL_NAME]);
/* Deletes the queue of this row: envelopes and index rows, *rows of them at most, then the row.
 * *done: it is gone. */
enum err host_queue_remove(struct relay_host *host, struct turn *turn,
                           const uint8_t name[static SEAL_NAME], struct slice plain, unsigned *rows,
                           bool *done) PETREL_MUST_USE;
/* What it stores is answered by host_receipt_next. */
enum err host_queue_deposit(struct relay_host *host, struct turn *turn,
                            const struct relay_peer *peer, struct slice body,
                            struct writer *reply) PETREL_MUST_USE;
enum err host_queue_void(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                         struct slice body, struct writer *reply) PETREL_MUST_USE;

/* --- the reader's side: host_reader.c --- */
enum err host_queue_attach(struct relay_host *host, struct turn *turn,
                           const struct relay_peer *peer, struct slice body,
                           struct writer *reply) PETREL_MUST_USE;
enum err host_queue_ack(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                        struct slice body, struct writer *reply) PETREL_MUST_USE;
/* Whether a volatile envelope has a place now: a reader, and room in its window. */
bool host_reader_has_room(const struct relay_host *host, const struct relay_queue *q, size_t len);
/* Holds a volatile envelope until the next push. ERR_NO_MEMORY. */
enum err host_reader_volatile(struct relay_host *host, struct relay_queue *q, bool has_nonce,
                              const uint8_t nonce[static TOKEN_NONCE], uint64_t now_ms,
                              struct slice envelope) PETREL_MUST_USE;
/* Something came for an attached reader. */
void host_reader_wake(struct relay_host *host, struct relay_queue *q);
/* The queues of this member are nobody's any more: forgets them, detaches their readers. */
void host_reader_remove(struct relay_host *host, const uint8_t member[static SEAL_NAME]);
/* As relay_host_link_closed and relay_host_next_push. */
void host_reader_link_closed(struct relay_host *host, uint64_t link);
enum err host_reader_next_push(struct relay_host *host, struct turn *turn,
                               bool (*may_send)(void *ctx, uint64_t link), void *ctx,
                               uint64_t *link, struct writer *body) PETREL_MUST_USE;

/* The payload of (queue, arrival) goes; its index row stays as spent. Nothing happens when it was
 * gone. q: the queue in memory, or NULL. */
enum err host_item_done(struct turn *turn, struct relay_queue *q, uint32_t number,
                        uint64_t arrival) PETREL_MUST_USE;

#endif
