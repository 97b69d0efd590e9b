/* SPDX-License-Identifier: Apache-2.0
 *
 * audit: the list of what relays signed for and did not deliver, for the control interface, and
 * whether one line of it is what it says. docs/protocol/09-control.md, section 3.
 */
#ifndef PETREL_NODE_AUDIT_H
#define PETREL_NODE_AUDIT_H

#include "node/step.h"
#include "store/seal.h"

/* Writes {items, next}: a page of what follows behind `after`, the `next` of the page before, or
 * empty. First the evidence that was kept, the oldest first, then what waits in the outbox.
 * ERR_ARGUMENT: no such page. */
enum err audit_read(struct step *step, struct seal_keys *keys, struct slice after,
                    struct writer *w) PETREL_MUST_USE;
/* Checks one item, by the texts of its relay, queue, envelope and receipt, without any store: the
 * relay has signed then to keep the envelope with this hash in this queue until then.
 * ERR_BAD_SIGNATURE; ERR_MALFORMED, ERR_TOO_LARGE: not an item at all. */
enum err audit_verify(struct slice relay, struct slice queue, struct slice envelope,
                      struct slice receipt, uint64_t *signed_ms,
                      uint64_t *until_ms) PETREL_MUST_USE;

#endif
