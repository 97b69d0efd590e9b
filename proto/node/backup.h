/* SPDX-License-Identifier: Apache-2.0
 *
 * backup: an account as a stream of records, out of one store and into another, where it is a new
 * device of the same identity. docs/protocol/10-backup.md.
 *
 * What makes a device is not in it: no sessions, prekeys, tokens, device keys, queues. Nothing here
 * encrypts: the records go over the control socket, and petrelctl seals them into a file.
 */
#ifndef PETREL_NODE_BACKUP_H
#define PETREL_NODE_BACKUP_H

#include "node/step.h"
#include "store/seal.h"

struct account;

enum {
    BACKUP_CURSOR = 32,         /* text of a cursor, with its NUL */
    BACKUP_BYTES = 128 * 1024,  /* of records in one answer, about; one can be 57 KiB more */
    BACKUP_PUT_MAX = 200 * 1024 /* of records in one call */
};

/* Writes records from the cursor `after` on (empty: from the beginning) until BACKUP_BYTES are
 * there, or it looked LIMIT_QUERY_ROWS times for a next row, three times and more for a contact.
 * next: the cursor to go on from, empty at the end. ERR_ARGUMENT: no cursor of ours. LOCAL. */
enum err backup_read(struct step *step, struct seal_keys *keys, struct slice after,
                     struct writer *records, char next[static BACKUP_CURSOR]) PETREL_MUST_USE;
/* Puts records into an account that is being restored; the same again changes nothing.
 * ERR_MALFORMED: no records of a backup, or a number or ID of two contacts, and nothing was put.
 * ERR_NOT_NOW: it is not being restored. */
enum err backup_put(struct account *me, struct step *step, struct slice records) PETREL_MUST_USE;
/* All records are there: the account begins to live. ERR_NOT_NOW: it is not being restored. */
enum err backup_end(struct account *me, struct step *step) PETREL_MUST_USE;

#endif
