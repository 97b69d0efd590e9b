/* SPDX-License-Identifier: Apache-2.0
 *
 * invite: an invitation: all that a stranger needs to write to someone at once, as one line of
 * text. Protocol section 4; docs/protocol/06-identity.md, section 10.
 */
#ifndef PETREL_NODE_INVITE_H
#define PETREL_NODE_INVITE_H

#include <stdint.h>

#include "crypto/prim.h"
#include "node/address.h"
#include "pair/session.h"

#define INVITE_PREFIX "petrel:"
#define DEVICE_PREFIX "petrel-device:" /* of a link code, which is the same otherwise */

enum {
    INVITE_VERSION = 1,
    INVITE_TOKEN = 32,
    INVITE_CHECKSUM = 4,
    INVITE_PAYLOAD = 304,                        /* encoded map, at most */
    INVITE_TEXT = 7 + (304 + 4 + 2) / 3 * 4 + 1, /* with NUL */
};

/* Secret: whoever holds it can use it. Wipe it after use. */
struct invite {
    struct sign_pk id;
    struct address relay;
    struct sign_pk record;               /* key bundle, at relay */
    uint8_t pop_token[INVITE_TOKEN];     /* for the record */
    uint8_t deposit_token[INVITE_TOKEN]; /* for the first queue of the list in the bundle */
    uint8_t secret[INVITE_SECRET];       /* s */
    uint64_t expires_ms;                 /* Unix ms */
};

/* "petrel:" and base64url, NUL-terminated. */
void invite_encode(const struct invite *invite, char out[static INVITE_TEXT]);
/* Does not look at expires_ms: the caller has the clock. ERR_BAD_INVITATION (form),
 * ERR_BAD_CHECKSUM, ERR_VERSION, ERR_BAD_KEY; out is wiped then. */
enum err invite_decode(struct slice text, struct invite *out) PETREL_MUST_USE;
/* BLAKE2b-128("petrel/1 invite id" | s). */
void invite_id(const uint8_t secret[static INVITE_SECRET], uint8_t out[static INVITE_ID]);

#endif
