/* SPDX-License-Identifier: Apache-2.0
 *
 * decoy: the work of opening a sealed row, where there is none to open or a larger one might have
 * been. docs/protocol/04-relay.md, section 4.4.3.
 *
 * A refusal must cost the relay the same whether it knows the target or not. This makes up for what
 * a refused request has not done; a granted one never comes here.
 */
#ifndef PETREL_RELAY_DECOY_H
#define PETREL_RELAY_DECOY_H

#include "store/store.h"

/* As much as seal_open does for a row of table t whose key is a name and that has len bytes of
 * plaintext, at most a record's. ERR_NO_MEMORY. */
enum err decoy_open(struct turn *turn, enum store_table t, size_t len) PETREL_MUST_USE;

#endif
