/* SPDX-License-Identifier: Apache-2.0
 *
 * backup_file: the file of a backup: sealed parts one after the other, under a key out of a
 * passphrase. docs/protocol/10-backup.md, section 10.2. What the parts hold is not looked at here.
 *
 * Argon2id, then libsodium's secretstream (XChaCha20-Poly1305): parts cannot be left out, moved or
 * cut off unseen. Every function prints what is wrong and gives an exit code.
 */
#ifndef PETREL_CTL_BACKUP_FILE_H
#define PETREL_CTL_BACKUP_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    BACKUP_PART = 256 * 1024, /* bytes of a part, at most */
};

struct backup_file;

/* A new file at path (0600), not there before it is finished; nothing that is there is replaced.
 * NULL, and *rc says why. path is borrowed. */
struct backup_file *backup_file_create(const char *path, struct slice passphrase, int *rc);
/* Opens one. */
struct backup_file *backup_file_open(const char *path, struct slice passphrase, int *rc);
/* Appends a part of 0 to BACKUP_PART bytes; last: and nothing comes after it. */
int backup_file_write(struct backup_file *file, struct slice part, bool last);
/* After the last part: on the disk, under its name. */
int backup_file_finish(struct backup_file *file);
/* The next part, valid until the next call; *last: it is the last one, and the file ends there. */
int backup_file_read(struct backup_file *file, struct slice *part, bool *last);
/* Wipes and closes; what was not finished is removed. NULL is fine. */
void backup_file_close(struct backup_file *file);

#endif
