/* SPDX-License-Identifier: Apache-2.0
 *
 * route: where a contact says that its queues are; what is read must be read again from a row.
 */
#include <stdlib.h>

#include "fuzz/parts/parts.h"
#include "node/route.h"

void part_route(const uint8_t *data, size_t len)
{
    struct device_place first;
    struct device_place again;
    struct slice second;
    uint64_t since;
    if (route_read(slice_of(data, len), &since, &first, &second) != ERR_OK) {
        return;
    }
    struct peer_row row = {.second = second};
    if (first.relay.port == 0 || second.len > len ||
        route_second(&row, &again) != (second.len > 0)) {
        abort();
    }
}
