/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/backup.h"

#include <stdlib.h>
#include <string.h>

#include "node/params.h"

bool sim_backup_more(struct sim *sim, struct sim_node *n, struct sim_backup *backup)
{
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct slice records;
    uint32_t pairs = backup->next[0] != '\0';
    if (pairs > 0) {
        sim_pair_str(&w, "after", backup->next);
    }
    enum err err = sim_query(sim, n, "backup.read", pairs, writer_done(&w));
    sim_check(sim, err == ERR_OK && backup->parts < BACKUP_PARTS, "backup.read: %s", err_name(err));
    sim_check(sim, params_blob(slice_of(n->reply, n->reply_len), "records", SIM_RESULT, &records),
              "a backup without records");
    sim_check(sim,
              backup->parts > 0 || sim_result_str(n, "words", backup->words, sizeof backup->words),
              "a backup without words");
    uint8_t *part = malloc(records.len + 1);
    sim_check(sim, part != NULL, "out of memory");
    memcpy(part, records.p, records.len);
    backup->part[backup->parts] = part;
    backup->len[backup->parts++] = records.len;
    backup->next[0] = '\0';
    return sim_result_str(n, "next", backup->next, sizeof backup->next);
}

struct sim_backup sim_backup_of(struct sim *sim, struct sim_node *n)
{
    struct sim_backup backup = {.parts = 0};
    while (sim_backup_more(sim, n, &backup)) {
    }
    return backup;
}

void sim_backup_free(struct sim_backup *backup)
{
    for (size_t i = 0; i < backup->parts; i++) {
        free(backup->part[i]);
    }
    backup->parts = 0;
}

enum err sim_restore_begin(struct sim *sim, struct sim_node *n, const char *words)
{
    uint8_t bytes[512];
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_str(&w, "words", words);
    sim_pair_true(&w, "restore");
    return sim_call(sim, n, "account.create", 2, writer_done(&w));
}

enum err sim_restore_put(struct sim *sim, struct sim_node *n, const uint8_t *part, size_t len)
{
    uint8_t *bytes = malloc(len + 64);
    sim_check(sim, bytes != NULL, "out of memory");
    struct writer w = writer_of(bytes, len + 64);
    pack_str(&w, "records");
    pack_bin(&w, part, len);
    enum err err = sim_call(sim, n, "restore.put", 1, writer_done(&w));
    free(bytes);
    return err;
}
