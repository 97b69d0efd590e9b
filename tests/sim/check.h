/* SPDX-License-Identifier: Apache-2.0
 *
 * check: what must hold in the stores of a crowd at any time:
 *
 *   index       a relay has one nonce in a queue twice, or a payload without its row
 *   quota       more waits in a queue than its relay gives it
 *   forgetting  what was deleted a minute ago opens in an earlier copy of the store, with the roots
 *               that there are now
 *   receipts    what counts as stored at a relay has no receipt of it for these very bytes
 *   queues      at rest, something waits at a relay
 */
#ifndef PETREL_TESTS_SIM_CHECK_H
#define PETREL_TESTS_SIM_CHECK_H

#include "sim/crowd.h"

/* All relays; rest: nothing may wait. */
void check_relays(struct crowd *c, bool rest);
/* What people's nodes have deposited. */
void check_receipts(struct crowd *c);
/* What became of deletions (crowd_delete) whose time has come. */
void check_forgotten(struct crowd *c);

#endif
