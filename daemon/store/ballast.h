/* SPDX-License-Identifier: Apache-2.0
 *
 * ballast: a file of really allocated space that is given back to a full disk, because LMDB needs
 * free pages even to delete; and the test for a disk that is nearly full.
 *
 * docs/protocol/08-at-rest.md, section 8.5.
 */
#ifndef PETREL_DAEMON_STORE_BALLAST_H
#define PETREL_DAEMON_STORE_BALLAST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define BALLAST_BYTES   (UINT64_C(16) * 1024 * 1024)
#define BALLAST_RESERVE (UINT64_C(64) * 1024 * 1024) /* low space is below this, or below 1 % */

/* Whether the file system of path has less than max(BALLAST_RESERVE, 1 %) + extra bytes free for
 * us. False when it cannot be told. */
bool ballast_low_space(const char *path, uint64_t extra);
/* Makes dir/ballast unless it is whole already or space would be low with it. True when it is
 * there afterwards. */
bool ballast_make(const char *dir);
/* Unlinks dir/ballast. */
void ballast_drop(const char *dir);

#endif
