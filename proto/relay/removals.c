/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/removals.h"

#include <string.h>

bool relay_removals_has(const struct relay_removals *removals, const uint8_t name[static SEAL_NAME])
{
    for (size_t i = 0; i < removals->count; i++) {
        if (memcmp(removals->names[i], name, SEAL_NAME) == 0) {
            return true;
        }
    }
    return false;
}
