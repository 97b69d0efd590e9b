/* SPDX-License-Identifier: Apache-2.0
 *
 * command: the one table of petrelctl's commands. It feeds the dispatcher, --help and shell
 * completion.
 */
#ifndef PETREL_CTL_COMMAND_H
#define PETREL_CTL_COMMAND_H

#include <stdio.h>

#include "ctl/args.h"
#include "ctl/client.h"

/* What a command is handed. */
struct ctl {
    const struct args *args;
    struct client *client;
    const char *usage; /* of the command at hand */
};

struct command {
    const char *name;                                   /* one word or two: "relay use" */
    const char *usage;                                  /* with arguments */
    const char *help;                                   /* one line */
    int (*run)(struct ctl *ctl, int argc, char **argv); /* exit code */
};

/* NULL behind the last one. */
const struct command *command_at(size_t i);
/* The command that argv begins with, and how many words its name has; or NULL. */
const struct command *command_find(int argc, char **argv, int *words);
void command_help(FILE *out);

/* cmd/<noun>.c */
int cmd_init(struct ctl *ctl, int argc, char **argv);
int cmd_accounts(struct ctl *ctl, int argc, char **argv);
int cmd_remove_account(struct ctl *ctl, int argc, char **argv);
int cmd_id(struct ctl *ctl, int argc, char **argv);
int cmd_words(struct ctl *ctl, int argc, char **argv);
int cmd_unlock(struct ctl *ctl, int argc, char **argv);
int cmd_passphrase(struct ctl *ctl, int argc, char **argv);
int cmd_lock(struct ctl *ctl, int argc, char **argv);
int cmd_resolve(struct ctl *ctl, int argc, char **argv);
int cmd_dht(struct ctl *ctl, int argc, char **argv);
int cmd_rekey(struct ctl *ctl, int argc, char **argv);
int cmd_backup(struct ctl *ctl, int argc, char **argv);
int cmd_restore(struct ctl *ctl, int argc, char **argv);
int cmd_status(struct ctl *ctl, int argc, char **argv);
int cmd_doctor(struct ctl *ctl, int argc, char **argv);
int cmd_stop(struct ctl *ctl, int argc, char **argv);
int cmd_invite(struct ctl *ctl, int argc, char **argv);
int cmd_add(struct ctl *ctl, int argc, char **argv);
int cmd_requests(struct ctl *ctl, int argc, char **argv);
int cmd_accept(struct ctl *ctl, int argc, char **argv);
int cmd_block(struct ctl *ctl, int argc, char **argv);
int cmd_contacts(struct ctl *ctl, int argc, char **argv);
int cmd_verify(struct ctl *ctl, int argc, char **argv);
int cmd_send(struct ctl *ctl, int argc, char **argv);
int cmd_history(struct ctl *ctl, int argc, char **argv);
int cmd_delete(struct ctl *ctl, int argc, char **argv);
int cmd_read(struct ctl *ctl, int argc, char **argv);
int cmd_link(struct ctl *ctl, int argc, char **argv);
int cmd_devices(struct ctl *ctl, int argc, char **argv);
int cmd_devices_remove(struct ctl *ctl, int argc, char **argv);
int cmd_events(struct ctl *ctl, int argc, char **argv);
int cmd_rpc(struct ctl *ctl, int argc, char **argv);
int cmd_relay_use(struct ctl *ctl, int argc, char **argv);
int cmd_relay_leave(struct ctl *ctl, int argc, char **argv);
int cmd_relay_status(struct ctl *ctl, int argc, char **argv);
int cmd_relay_audit(struct ctl *ctl, int argc, char **argv);
int cmd_relay_invite(struct ctl *ctl, int argc, char **argv);
int cmd_relay_members(struct ctl *ctl, int argc, char **argv);
int cmd_relay_remove(struct ctl *ctl, int argc, char **argv);
int cmd_relay_limits(struct ctl *ctl, int argc, char **argv);
int cmd_help(struct ctl *ctl, int argc, char **argv);

#endif
