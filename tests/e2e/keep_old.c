/* SPDX-License-Identifier: Apache-2.0
 *
 * keep_old: steps of forgetting that are left out, for daemons whose homes a thief must be able to
 * open. Only in tests: called by one source of petreld that is compiled once more for that
 * (CMakeLists.txt, petrel_keep), never part of petreld.
 */
#include <stdbool.h>

#include "daemon/keyfile.h"
#include "store/seal.h"

enum err keep_keyfile_patch(const char *dir, const char *name, size_t at, struct slice bytes);
enum err keep_seal_renew(struct seal_keys *keys, struct turn *turn, uint8_t bucket);

static bool is_zeros(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* A slot is written; none is overwritten with zeros (docs/protocol/08-at-rest.md, 8.10, step 6). */
enum err keep_keyfile_patch(const char *dir, const char *name, size_t at, struct slice bytes)
{
    return is_zeros(bytes) ? ERR_OK : keyfile_patch(dir, name, at, bytes);
}

/* No bucket gets another key (step 2): the next root wraps the one that it had. */
enum err keep_seal_renew(struct seal_keys *keys, struct turn *turn, uint8_t bucket)
{
    (void)keys;
    (void)turn;
    (void)bucket;
    return ERR_OK;
}
