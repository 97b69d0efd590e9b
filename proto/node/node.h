/* SPDX-License-Identifier: Apache-2.0
 *
 * node: the core. Inputs go in one by one inside a turn, outputs come out, a deadline says when it
 * next wants a tick. Everything durable is in the turn's store; what the object holds in memory can
 * be rebuilt from there, and is, by node_load, at start and after a failed turn.
 *
 * docs/architecture.md, "A turn is a transaction". It owns no socket, clock, disk or thread.
 */
#ifndef PETREL_NODE_NODE_H
#define PETREL_NODE_NODE_H

#include <stdint.h>

#include "crypto/prim.h"
#include "node/io.h"
#include "store/store.h"

struct node;

/* NULL when out of memory. Copies config. */
struct node *node_new(const struct node_config *config);
void node_free(struct node *node);
/* Rebuilds memory from the store; on an empty store it makes what must exist (the node ID). Call
 * once, in a turn of its own, before anything else. roots: of the accounts that the host could
 * open; any other one is locked until account.unlock. */
enum err node_load(struct node *node, struct turn *turn, const struct node_root *roots,
                   size_t nroots, struct node_outputs *outs) PETREL_MUST_USE;
/* Handles one input. A peer's or client's mistake is answered in outs and gives ERR_OK; any other
 * result is LOCAL and means that the turn has failed: abort it, free outs, free the node. */
enum err node_step(struct node *node, struct turn *turn, const struct node_input *input,
                   struct node_outputs *outs) PETREL_MUST_USE;
/* Call after the last input of a turn, before the commit: pushes, sends and connects that the
 * turn's inputs made possible. */
enum err node_flush(struct node *node, struct turn *turn,
                    struct node_outputs *outs) PETREL_MUST_USE;
/* After a turn that failed, before node_free: replies to the calls of earlier turns that wait for
 * their answer; those of this turn come again. begun: node_step or node_flush was called in it.
 * ERR_NO_MEMORY. */
enum err node_abandon(struct node *node, bool begun, struct node_outputs *outs) PETREL_MUST_USE;
/* When the core wants NODE_TICK, Unix ms; UINT64_MAX: never. */
uint64_t node_deadline(const struct node *node);

/* The node's own ID and the secret of its Noise responder static, for the I/O thread. After load.
 */
void node_identity(const struct node *node, struct sign_pk *id, struct sign_sk *sk);

/* Queries: history, contacts, events and the like, from a read transaction, on any thread. The
 * parameter "account" says whose (without it: the first one); roots: of those that are open. Gives
 * the result map in w, which has LIMIT_CONTROL_MESSAGE bytes. Errors as a control error, STATE or
 * CALLER or LOCAL. */
enum err node_query(struct turn *turn, const struct node_root *roots, size_t nroots,
                    struct slice method, struct slice params, struct writer *w) PETREL_MUST_USE;
/* The smallest number that no account has, for account.create. another: also when there is an
 * account already, else ERR_ACCOUNT_EXISTS then. ERR_QUOTA: LIMIT_ACCOUNTS are there. LOCAL. */
enum err node_account_free(struct turn *turn, bool another, uint32_t *number) PETREL_MUST_USE;
/* The account that remembers the client_id of these parameters, open or not, for account.create:
 * that one was made by this call, and needs no files. ERR_NOT_FOUND: none that stays. LOCAL. */
enum err node_account_made(struct turn *turn, struct slice params,
                           uint32_t *number) PETREL_MUST_USE;
/* The account that parameters name: "account", or the first one. ERR_NO_ACCOUNT, ERR_BAD_TYPE
 * (out of range), LOCAL. */
enum err node_account_named(struct turn *turn, struct slice params,
                            uint32_t *number) PETREL_MUST_USE;

/* The generation of the root that the account's keys are wrapped under. ERR_NOT_FOUND: it has none,
 * or none any more. LOCAL. */
enum err node_account_root(struct turn *turn, uint32_t account,
                           uint32_t *generation) PETREL_MUST_USE;
/* Whether the account is being removed, and NODE_OUT_ERASE was said for it. */
enum err node_account_erasing(struct turn *turn, uint32_t account, bool *erasing) PETREL_MUST_USE;
/* Whether there is such an account (from 1), and what opens it is not to be destroyed. LOCAL. */
enum err node_account_stays(struct turn *turn, uint32_t account, bool *stays) PETREL_MUST_USE;

#endif
