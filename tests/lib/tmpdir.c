/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tmpdir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/unit.h"

void tmpdir_make(char out[static TMPDIR_PATH])
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(out, TMPDIR_PATH, "%s/petrel-test-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_int_lt(n, TMPDIR_PATH);
    ck_assert_ptr_nonnull(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void tmpdir_remove(const char *path)
{
    ck_assert_int_eq(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}
