/* SPDX-License-Identifier: Apache-2.0
 *
 * credential: keys that the service manager hands in as files of $CREDENTIALS_DIRECTORY
 * (systemd.exec(5), LoadCredentialEncrypted=). docs/protocol/08-at-rest.md, section 8.4.
 *
 * They are read once, at the start, and held in secret memory of the caller's.
 */
#ifndef PETREL_DAEMON_CREDENTIAL_H
#define PETREL_DAEMON_CREDENTIAL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "store/seal.h"

enum {
    CREDENTIAL_REASON = 160, /* longest reason, with its NUL */
};

#define CREDENTIAL_NODE    "node.key"    /* the node's store key */
#define CREDENTIAL_ACCOUNT "account.key" /* what opens accounts that were put under it */

/* Reads credential `name` into a key of 32 bytes: the credential itself when it has just these;
 * of a longer one BLAKE2b-256("petrel/1 credential" | bytes). It is not stretched: it must be
 * random. ERR_NOT_FOUND: none was handed in. Else a sentence in reason: ERR_CONFIG when it is a
 * symbolic link or no file, belongs to neither us nor root, others may read it (the group may when
 * an access list says who), or it has less than LIMIT_CREDENTIAL_MIN or more than LIMIT_CREDENTIAL
 * bytes; ERR_IO. */
enum err credential_read(const char *name, uint8_t key[static SEAL_KEY],
                         char reason[static CREDENTIAL_REASON]) PETREL_MUST_USE;

/* Both. into: 2 * SEAL_KEY bytes of secret memory, wiped by the caller; *node and *account point
 * there, or are NULL when there is none. Errors as credential_read but ERR_NOT_FOUND. */
enum err credentials_read(uint8_t *into, const uint8_t **node, const uint8_t **account,
                          char reason[static CREDENTIAL_REASON]) PETREL_MUST_USE;

#endif
