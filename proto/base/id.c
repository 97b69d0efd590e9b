/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <assert.h>
#include <string.h>

#include "base/bech32m.h"

enum {
    ID_PAYLOAD = 1 + 32,
};

static_assert(ID_GROUPS == (ID_PAYLOAD * 8 + 4) / 5, "groups of an ID");
static_assert(ID_TEXT == sizeof ID_HRP + 1 + ID_GROUPS + BECH32M_CHECKSUM, "text of an ID");
static_assert(NODE_ID_TEXT == sizeof NODE_ID_HRP + 1 + ID_GROUPS + BECH32M_CHECKSUM,
              "text of a node ID");

static void encode(const char *hrp, const uint8_t *pk, char *out, size_t size)
{
    uint8_t payload[ID_PAYLOAD] = {ID_VERSION};
    uint8_t groups[ID_GROUPS];
    char text[BECH32M_TEXT + 1];
    memcpy(payload + 1, pk, 32);
    size_t n = bech32m_from_bytes(slice_of(payload, sizeof payload), groups, sizeof groups);
    enum err err = bech32m_encode(hrp, groups, n, text);
    assert(n == ID_GROUPS && err == ERR_OK && strlen(text) + 1 == size);
    (void)err;
    memcpy(out, text, size);
}

static enum err decode(const char *hrp, size_t size, struct slice text, uint8_t *pk)
{
    struct bech32m b;
    uint8_t payload[ID_PAYLOAD];
    size_t n = 0;
    if (text.len != size - 1) {
        return ERR_BAD_ID;
    }
    enum err err = bech32m_decode(text, &b);
    if (err != ERR_OK) {
        return err == ERR_BAD_CHECKSUM ? err : ERR_BAD_ID;
    }
    if (strcmp(b.hrp, hrp) != 0 ||
        bech32m_to_bytes(b.groups, b.count, payload, sizeof payload, &n) != ERR_OK ||
        n != sizeof payload || payload[0] != ID_VERSION) {
        return ERR_BAD_ID;
    }
    memcpy(pk, payload + 1, 32);
    return ERR_OK;
}

void id_encode(const uint8_t pk[static 32], char out[static ID_TEXT])
{
    encode(ID_HRP, pk, out, ID_TEXT);
}

enum err id_decode(struct slice text, uint8_t pk[static 32])
{
    return decode(ID_HRP, ID_TEXT, text, pk);
}

void node_id_encode(const uint8_t pk[static 32], char out[static NODE_ID_TEXT])
{
    encode(NODE_ID_HRP, pk, out, NODE_ID_TEXT);
}

enum err node_id_decode(struct slice text, uint8_t pk[static 32])
{
    return decode(NODE_ID_HRP, NODE_ID_TEXT, text, pk);
}
