/* SPDX-License-Identifier: Apache-2.0
 *
 * dht: a node of the Mainline DHT, sans I/O: BEP 5, with IPv6 (32), IDs bound to addresses (42),
 * read-only nodes (43) and items (44). docs/protocol/11-dht.md.
 *
 * Datagrams and the time go in, datagrams and results come out. It answers others, keeps its tables
 * fresh, and carries out operations: to get an item, or to put one at the nodes nearest to its
 * place. Each asks in IPv4 and in IPv6, where it knows nodes of both.
 *
 *   operation: LOOKING --nobody left to ask--> PUTTING (of a put) --answers, or 5 s--> over
 *
 * Everything in memory only; owns all of it. One thread.
 */
#ifndef PETREL_DHT_DHT_H
#define PETREL_DHT_DHT_H

#include "dht/types.h"

struct dht;

/* env: randomness, and a clock that is never set: it need not be the time of day. NULL when out of
 * memory. */
struct dht *dht_new(const struct dht_config *config, const struct env *env);
void dht_free(struct dht *dht);

/* A node that may be there: asked at once, and again, ever less often, while nobody is known. */
void dht_bootstrap(struct dht *dht, const struct env *env, const struct dht_address *node);
/* A datagram came. Whatever is in it. */
void dht_datagram(struct dht *dht, const struct env *env, const struct dht_address *from,
                  struct slice bytes);
/* Time has passed. */
void dht_tick(struct dht *dht, const struct env *env);
/* When dht_tick has something to do, by env's clock, ms. */
uint64_t dht_deadline(const struct dht *dht);
/* The next output; false: there is none. */
bool dht_next_output(struct dht *dht, struct dht_output *out);

/* Each begins an operation; gives its number, from 1, or 0 when there are DHT_OPERATIONS. Results
 * come as outputs. While nobody is known yet it waits, for 10 s at most. */
uint64_t dht_get_mutable(struct dht *dht, const struct env *env, const struct sign_pk *key,
                         struct slice salt);
uint64_t dht_get_immutable(struct dht *dht, const struct env *env, const struct dht_id *target);
/* A mutable item comes signed. has_cas: only where seq is cas now. */
uint64_t dht_put(struct dht *dht, const struct env *env, const struct dht_item *item, bool has_cas,
                 int64_t cas);

void dht_status(const struct dht *dht, const struct env *env, struct dht_status *out);
/* Known good nodes, compact, IPv4 and then IPv6, each behind its number u16; to dht_restore. w:
 * LIMIT_DHT_SAVED bytes are enough. */
void dht_save(const struct dht *dht, struct writer *w);
/* Asks those that were saved. ERR_MALFORMED: nothing of it was taken. */
enum err dht_restore(struct dht *dht, const struct env *env, struct slice saved) PETREL_MUST_USE;

#endif
