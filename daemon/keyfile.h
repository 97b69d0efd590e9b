/* SPDX-License-Identifier: Apache-2.0
 *
 * keyfile: small files that hold keys: read whole, put in place whole or not at all, overwritten
 * before they are removed. docs/protocol/08-at-rest.md, sections 8.4 and 8.11.
 *
 * Knows nothing of what is in them. <name>.new is a file in the making, or the one that it has
 * replaced; after a crash keyfile_tidy takes it away.
 */
#ifndef PETREL_DAEMON_KEYFILE_H
#define PETREL_DAEMON_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    KEYFILE_NAME = 32,   /* longest file name, with its NUL */
    KEYFILE_MAX = 12288, /* largest file that is overwritten whole; of a larger one, so much */
};

/* Reads a file of exactly len bytes. guarded: ERR_CONFIG for what group or others may read, or what
 * belongs to neither us nor root. ERR_NOT_FOUND, ERR_CORRUPT (another size, no file), ERR_IO. */
enum err keyfile_read(const char *dir, const char *name, bool guarded, uint8_t *out,
                      size_t len) PETREL_MUST_USE;
/* Puts dir/name in place, mode 0600, durable. On an error what was there is there still; where the
 * folder could not be flushed, a power cut may leave either. ERR_DISK_FULL, ERR_IO, ERR_NO_MEMORY.
 */
enum err keyfile_write(const char *dir, const char *name, struct slice bytes) PETREL_MUST_USE;
/* As keyfile_write, and the file that was there before stays as <name>.new, for keyfile_tidy to
 * destroy; where the file system cannot exchange two names, it is overwritten. */
enum err keyfile_replace(const char *dir, const char *name, struct slice bytes) PETREL_MUST_USE;
/* Whether there is something of this name; also when that cannot be told. */
bool keyfile_exists(const char *dir, const char *name);
/* Overwrites a part of a file that is there, with fsync. */
enum err keyfile_patch(const char *dir, const char *name, size_t at,
                       struct slice bytes) PETREL_MUST_USE;
/* Overwrites the file in place with zeros, as far as the file system does that, flushes and removes
 * it; the caller flushes the folder. One that is not there is fine. ERR_IO, ERR_DISK_FULL. */
enum err keyfile_destroy(const char *dir, const char *name) PETREL_MUST_USE;
/* Destroys <name>.new. Errors as keyfile_destroy. */
enum err keyfile_tidy(const char *dir, const char *name) PETREL_MUST_USE;

#endif
