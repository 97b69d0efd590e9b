/* SPDX-License-Identifier: Apache-2.0
 *
 * id: any text as a person's and as a node's ID; what decodes must encode back to itself.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bech32m.h"
#include "base/id.h"
#include "fuzz/parts/parts.h"

void part_id(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len);
    struct bech32m b;
    uint8_t pk[32];
    char id[ID_TEXT];
    char node[NODE_ID_TEXT];
    char again[BECH32M_TEXT + 1];
    if (id_decode(text, pk) == ERR_OK) {
        id_encode(pk, id);
        if (strncasecmp(id, (const char *)data, len) != 0) {
            abort();
        }
    }
    if (node_id_decode(text, pk) == ERR_OK) {
        node_id_encode(pk, node);
        if (strncasecmp(node, (const char *)data, len) != 0) {
            abort();
        }
    }
    if (bech32m_decode(text, &b) == ERR_OK) {
        uint8_t bytes[BECH32M_GROUPS];
        size_t n;
        if (bech32m_encode(b.hrp, b.groups, b.count, again) != ERR_OK ||
            strncasecmp(again, (const char *)data, len) != 0) {
            abort();
        }
        (void)!bech32m_to_bytes(b.groups, b.count, bytes, sizeof bytes, &n);
    }
}
