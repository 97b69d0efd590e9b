/* SPDX-License-Identifier: Apache-2.0
 *
 * backup: backup, restore. The daemon gives and takes records; the file is made and read here.
 * docs/protocol/10-backup.md.
 */
#include <stdio.h>
#include <string.h>

#include "base/pack.h"
#include "base/secret.h"
#include "ctl/backup_file.h"
#include "ctl/command.h"
#include "ctl/input.h"
#include "ctl/json.h"
#include "ctl/render.h"

/* Kinds of records that are counted for people. */
enum {
    KIND_CONTACT = 3,
    KIND_MESSAGE = 4,
    KIND_OUTBOX = 5,
    KIND_MAX = 255,
};

struct counts {
    uint64_t contacts;
    uint64_t messages;
    uint64_t waiting;
};

/* Counts the records of a part; false: it is no list of records. */
static bool count(struct counts *n, struct slice records)
{
    struct reader r = reader_of(records);
    while (r.err == ERR_OK && r.pos < records.len) {
        bool pair = pack_read_array(&r, 2) == 2;
        uint64_t kind = pack_read_uint(&r, KIND_MAX);
        (void)pack_read_bin(&r, records.len);
        if (r.err != ERR_OK || !pair) {
            return false;
        }
        n->contacts += kind == KIND_CONTACT;
        n->messages += kind == KIND_MESSAGE;
        n->waiting += kind == KIND_OUTBOX;
    }
    return true;
}

static int print_counts(const struct ctl *ctl, const char *what, const char *path,
                        const struct counts *n)
{
    if (ctl->args->json) {
        printf("{\"contacts\":%llu,\"messages\":%llu,\"waiting\":%llu}\n",
               (unsigned long long)n->contacts, (unsigned long long)n->messages,
               (unsigned long long)n->waiting);
    } else {
        printf("%s: %s: %llu contacts, %llu messages, %llu not acknowledged yet\n", path, what,
               (unsigned long long)n->contacts, (unsigned long long)n->messages,
               (unsigned long long)n->waiting);
    }
    return EXIT_OK;
}

static int read_passphrase(const char *option, const char *fd, int twice,
                           uint8_t out[static INPUT_SECRET], size_t *len)
{
    int rc = fd != NULL ? input_secret_fd(option, fd, out, len)
                        : input_secret_ask("Passphrase of the backup: ", twice, out, len);
    if (rc == EXIT_OK && *len == 0) {
        fprintf(stderr, "petrelctl: the passphrase is empty\n");
        rc = EXIT_USAGE;
    }
    return rc;
}

/* --- out --- */

/* Takes the next answer into the file. cursor: where it begins; empty afterwards: that was all. */
static int save_part(struct ctl *ctl, struct backup_file *file, char *cursor, size_t size,
                     struct counts *n)
{
    struct slice result;
    struct slice records;
    struct slice words;
    struct slice next;
    client_begin(ctl->client);
    client_text(ctl->client, "after", cursor[0] != '\0' ? cursor : NULL);
    int rc = client_call(ctl->client, "backup.read", ctl->args->json, &result);
    if (rc != EXIT_OK) {
        return rc;
    }
    bool good = control_get_bin(result, "records", &records) && count(n, records) &&
                records.len <= BACKUP_PART;
    if (cursor[0] == '\0') {
        good = good && control_get_str(result, "words", &words);
        rc = good ? backup_file_write(file, words, false) : rc;
    }
    if (good && rc == EXIT_OK) {
        rc = backup_file_write(file, records, false);
    }
    cursor[0] = '\0';
    if (good && control_get_str(result, "next", &next)) {
        good = next.len > 0 && next.len < size;
        if (good) {
            memcpy(cursor, next.p, next.len);
            cursor[next.len] = '\0';
        }
    }
    if (!good) {
        fprintf(stderr, "petrelctl: the daemon's answer is none to backup.read\n");
        return EXIT_LOCAL;
    }
    return rc;
}

static int save(struct ctl *ctl, const char *path, struct slice passphrase)
{
    char cursor[64] = "";
    struct counts n = {0};
    int rc;
    struct backup_file *file = backup_file_create(path, passphrase, &rc);
    if (file == NULL) {
        return rc;
    }
    do {
        rc = save_part(ctl, file, cursor, sizeof cursor, &n);
    } while (rc == EXIT_OK && cursor[0] != '\0');
    if (rc == EXIT_OK) {
        rc = backup_file_write(file, slice_of(NULL, 0), true);
    }
    if (rc == EXIT_OK) {
        rc = backup_file_finish(file);
    }
    backup_file_close(file);
    return rc == EXIT_OK ? print_counts(ctl, "saved", path, &n) : rc;
}

/* --- in --- */

/* Reads all of a file. each: what to do with the words (first) and with each part of records. */
static int read_file(const char *path, struct slice passphrase, struct counts *n,
                     int (*each)(void *ctx, struct slice part, bool words), void *ctx)
{
    struct slice part;
    bool last = false;
    bool words = true;
    int rc;
    struct backup_file *file = backup_file_open(path, passphrase, &rc);
    if (file == NULL) {
        return rc;
    }
    while (rc == EXIT_OK && !last) {
        rc = backup_file_read(file, &part, &last);
        if (rc == EXIT_OK &&
            ((last && (part.len > 0 || words)) || (!last && !words && !count(n, part)))) {
            fprintf(stderr, "petrelctl: %s: holds something else than a backup\n", path);
            rc = EXIT_LOCAL;
        }
        if (rc == EXIT_OK && !last && each != NULL) {
            rc = each(ctx, part, words);
        }
        words = false;
    }
    backup_file_close(file);
    return rc;
}

int cmd_backup(struct ctl *ctl, int argc, char **argv)
{
    const char *fd = NULL;
    bool verify = false;
    uint8_t secret[INPUT_SECRET];
    size_t len = 0;
    struct counts n = {0};
    const struct args_option options[] = {{"--passphrase-fd", &fd, NULL},
                                          {"--verify", NULL, &verify}};
    int rc = args_command(options, 2, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK) {
        rc = read_passphrase("--passphrase-fd", fd, verify ? 0 : 1, secret, &len);
    }
    if (rc == EXIT_OK && verify) {
        rc = read_file(argv[0], slice_of(secret, len), &n, NULL, NULL);
        rc = rc == EXIT_OK ? print_counts(ctl, "whole", argv[0], &n) : rc;
    } else if (rc == EXIT_OK) {
        rc = save(ctl, argv[0], slice_of(secret, len));
    }
    secret_wipe(secret, sizeof secret);
    return rc;
}

struct restoring {
    struct ctl *ctl;
    struct slice passphrase; /* of the new account; empty: a key file */
    bool another;
    uint64_t account; /* 0: not made yet */
};

static int restore_begin(struct restoring *r, struct slice words)
{
    struct slice result;
    client_begin(r->ctl->client);
    client_str(r->ctl->client, "words", words);
    if (r->passphrase.len > 0) {
        client_str(r->ctl->client, "passphrase", r->passphrase);
    }
    client_flag(r->ctl->client, "another", r->another);
    client_flag(r->ctl->client, "restore", true);
    int rc = client_call(r->ctl->client, "account.create", r->ctl->args->json, &result);
    if (rc == EXIT_OK && !control_get_uint(result, "account", &r->account)) {
        fprintf(stderr, "petrelctl: the daemon's answer is none to account.create\n");
        rc = EXIT_LOCAL;
    }
    if (rc == EXIT_OK) {
        client_account(r->ctl->client, r->account);
    }
    return rc;
}

static int restore_part(void *ctx, struct slice part, bool words)
{
    struct restoring *r = ctx;
    struct slice result;
    if (words) {
        return restore_begin(r, part);
    }
    client_begin(r->ctl->client);
    client_bin(r->ctl->client, "records", part);
    int rc = client_call(r->ctl->client, "restore.put", r->ctl->args->json, &result);
    if (rc == EXIT_PEER) {
        fprintf(stderr, "petrelctl: a record of this backup is out of form, or two contacts in it "
                        "have one number or ID: what wrote the file is at fault\n");
    }
    return rc;
}

/* Nothing of an account that could not be restored stays. */
static void restore_undo(struct restoring *r)
{
    struct slice result;
    client_begin(r->ctl->client);
    client_flag(r->ctl->client, "now", true);
    if (client_call(r->ctl->client, "account.remove", false, &result) == EXIT_OK) {
        fprintf(stderr, "petrelctl: nothing was restored\n");
    } else {
        fprintf(stderr,
                "petrelctl: account %llu is half restored and does nothing: remove it with "
                "'petrelctl remove-account %llu --now'\n",
                (unsigned long long)r->account, (unsigned long long)r->account);
    }
}

static int restore(struct restoring *r, const char *path, struct slice passphrase)
{
    struct slice result;
    struct counts n = {0};
    /* All of it is read before anything is made. */
    int rc = read_file(path, passphrase, &n, NULL, NULL);
    n = (struct counts){0};
    if (rc == EXIT_OK) {
        rc = read_file(path, passphrase, &n, restore_part, r);
    }
    bool whole = rc == EXIT_OK;
    if (whole) {
        client_begin(r->ctl->client);
        rc = client_call(r->ctl->client, "restore.end", r->ctl->args->json, &result);
    }
    if (whole && rc == EXIT_NO_DAEMON) {
        /* It may be done, and an account that lives is not to be undone. */
        fprintf(stderr, "petrelctl: all records are there; see 'petrelctl accounts': open, it is "
                        "restored; restoring, remove it and try again\n");
    } else if (rc != EXIT_OK && r->account != 0) {
        restore_undo(r);
    }
    return rc == EXIT_OK ? print_counts(r->ctl, "restored, as a new device", path, &n) : rc;
}

int cmd_restore(struct ctl *ctl, int argc, char **argv)
{
    const char *file_fd = NULL;
    const char *fd = NULL;
    bool ask = false;
    uint8_t secret[INPUT_SECRET];
    uint8_t own[INPUT_SECRET];
    size_t len = 0;
    size_t own_len = 0;
    struct restoring r = {.ctl = ctl};
    const struct args_option options[] = {{"--backup-passphrase-fd", &file_fd, NULL},
                                          {"--passphrase-fd", &fd, NULL},
                                          {"--passphrase", NULL, &ask},
                                          {"--another", NULL, &r.another}};
    int rc = args_command(options, 4, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK) {
        rc = read_passphrase("--backup-passphrase-fd", file_fd, 0, secret, &len);
    }
    if (rc == EXIT_OK && fd != NULL) {
        rc = input_secret_fd("--passphrase-fd", fd, own, &own_len);
    } else if (rc == EXIT_OK && ask) {
        rc = input_secret_ask("Passphrase of the account: ", 1, own, &own_len);
    }
    if (rc == EXIT_OK) {
        r.passphrase = slice_of(own, own_len);
        rc = restore(&r, argv[0], slice_of(secret, len));
    }
    secret_wipe(secret, sizeof secret);
    secret_wipe(own, sizeof own);
    return rc;
}
