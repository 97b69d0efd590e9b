/* SPDX-License-Identifier: Apache-2.0
 *
 * backup: what the host does with a backup: reads it part by part, and puts it into another node.
 * docs/protocol/10-backup.md.
 */
#ifndef PETREL_TESTS_SIM_BACKUP_H
#define PETREL_TESTS_SIM_BACKUP_H

#include "sim/sim.h"

enum {
    BACKUP_PARTS = 16,
};

struct sim_backup {
    char words[256]; /* of the identity */
    uint8_t *part[BACKUP_PARTS];
    size_t len[BACKUP_PARTS];
    size_t parts;
    char next[64]; /* cursor of the next part */
};

/* The next part of a backup of n's account; false: that was all. */
bool sim_backup_more(struct sim *sim, struct sim_node *n, struct sim_backup *backup);
struct sim_backup sim_backup_of(struct sim *sim, struct sim_node *n);
void sim_backup_free(struct sim_backup *backup);

/* A new account, which does nothing but take records, until restore.end. */
enum err sim_restore_begin(struct sim *sim, struct sim_node *n, const char *words);
enum err sim_restore_put(struct sim *sim, struct sim_node *n, const uint8_t *part, size_t len);

#endif
