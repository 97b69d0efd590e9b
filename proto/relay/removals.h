/* SPDX-License-Identifier: Apache-2.0
 *
 * removals: the members whose things are being deleted, by name. They are none any more.
 * docs/protocol/04-relay.md, section 4.5. Memory only: host_remove keeps them in the store.
 */
#ifndef PETREL_RELAY_REMOVALS_H
#define PETREL_RELAY_REMOVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "store/seal.h"

struct relay_removals {
    size_t count;
    uint8_t names[LIMIT_REMOVALS][SEAL_NAME];
};

bool relay_removals_has(const struct relay_removals *removals,
                        const uint8_t name[static SEAL_NAME]);

#endif
