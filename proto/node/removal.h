/* SPDX-License-Identifier: Apache-2.0
 *
 * removal: an identity goes. What the core object does for it is in node/core.h; here is what
 * queries, which see the store alone, want to know. docs/protocol/07-node.md, section 7.9.
 */
#ifndef PETREL_NODE_REMOVAL_H
#define PETREL_NODE_REMOVAL_H

#include <stdbool.h>

#include "node/step.h"

/* Whether it is noted that the account is being removed. */
enum err removal_noted(struct step *step, uint32_t account, bool *removing) PETREL_MUST_USE;

#endif
