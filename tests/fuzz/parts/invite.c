/* SPDX-License-Identifier: Apache-2.0
 *
 * invite: any bytes as an invitation's text, and as its payload with a right checksum.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "fuzz/parts/parts.h"
#include "node/invite.h"

static void check(struct slice text)
{
    struct invite invite;
    struct invite got;
    char again[INVITE_TEXT];
    if (invite_decode(text, &invite) != ERR_OK) {
        return;
    }
    invite_encode(&invite, again);
    if (invite_decode(slice_of(again, strlen(again)), &got) != ERR_OK ||
        !address_equal(&invite.relay, &got.relay) ||
        memcmp(invite.secret, got.secret, sizeof got.secret) != 0) {
        abort();
    }
}

void part_invite(const uint8_t *data, size_t len)
{
    if (prim_init() != ERR_OK) {
        abort();
    }
    check(slice_of(data, len));
    if (len <= INVITE_PAYLOAD) {
        struct slice payload = slice_of(data, len);
        uint8_t bytes[INVITE_PAYLOAD + 16];
        char text[2 * INVITE_TEXT] = INVITE_PREFIX;
        if (len > 0) {
            memcpy(bytes, data, len);
        }
        prim_blake2b(bytes + len, 16, slice_of(NULL, 0), "petrel/1 invite checksum", &payload, 1);
        (void)sodium_bin2base64(text + strlen(text), sizeof text - strlen(text), bytes,
                                len + INVITE_CHECKSUM, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        check(slice_of(text, strlen(text)));
    }
}
