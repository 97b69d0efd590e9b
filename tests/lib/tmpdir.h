/* SPDX-License-Identifier: Apache-2.0
 *
 * tmpdir: a fresh folder for one test, and its removal with all that is in it.
 */
#ifndef PETREL_TESTS_LIB_TMPDIR_H
#define PETREL_TESTS_LIB_TMPDIR_H

enum {
    TMPDIR_PATH = 256,
};

/* Makes a folder (0700) under $TMPDIR or /tmp; fails the test when it cannot. */
void tmpdir_make(char out[static TMPDIR_PATH]);
/* Removes it, links not followed. */
void tmpdir_remove(const char *path);

#endif
