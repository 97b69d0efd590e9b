/* SPDX-License-Identifier: Apache-2.0
 *
 * accounts: which accounts the database has, before the core is loaded: what opens them is looked
 * for by whoever starts or checks a home.
 */
#ifndef PETREL_DAEMON_ACCOUNTS_H
#define PETREL_DAEMON_ACCOUNTS_H

#include "daemon/store/store_lmdb.h"

/* Whether its files are to be opened: they may be half destroyed while it is being removed, and
 * nobody's when a creation did not come to its turn. *generation: of the root that the store wants.
 * LOCAL. */
enum err accounts_wanted(struct store_lmdb *db, uint32_t account, bool *stays,
                         uint32_t *generation) PETREL_MUST_USE;

#endif
