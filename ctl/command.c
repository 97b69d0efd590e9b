/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/command.h"

#include <string.h>

static const struct command COMMANDS[] = {
    {"init", "init [--another] [--passphrase | --passphrase-fd N] [--words-fd N]",
     "create an account on this node, or restore one from its words", cmd_init},
    {"accounts", "accounts", "list the accounts of this node", cmd_accounts},
    {"remove-account", "remove-account ID|NUMBER [--now]",
     "remove an account, here and at its relays", cmd_remove_account},
    {"id", "id", "print this account's ID", cmd_id},
    {"status", "status", "show what this node does", cmd_status},
    {"invite", "invite", "print an invitation for one person", cmd_invite},
    {"add", "add LINK|ID|- [--name NAME] [--text TEXT]", "add a contact", cmd_add},
    {"requests", "requests", "list who asks to be a contact", cmd_requests},
    {"accept", "accept ID [--name NAME]", "accept a contact request", cmd_accept},
    {"block", "block CONTACT", "block a contact", cmd_block},
    {"contacts", "contacts", "list contacts", cmd_contacts},
    {"verify", "verify CONTACT [--number NUMBER]", "show the safety number, or mark it as compared",
     cmd_verify},
    {"send", "send CONTACT TEXT|-", "send a message; - reads it from standard input", cmd_send},
    {"history", "history CONTACT [--limit N] [--before ORDER]", "show messages", cmd_history},
    {"delete", "delete CONTACT ORDER", "delete a message here", cmd_delete},
    {"read", "read CONTACT [ORDER]", "mark messages as read, on all devices", cmd_read},
    {"link", "link [CODE|-] [--no-wait] [--yes]",
     "print a link code for a new device; with one: make this account such a device", cmd_link},
    {"devices", "devices", "list the devices of this identity", cmd_devices},
    {"devices remove", "devices remove NAME [--yes]", "take a device away from this identity",
     cmd_devices_remove},
    {"events",
     "events [--as NAME [--ack]] [--since CURSOR] [--count N] [--no-follow] "
     "[--exec [--tries N] CMD [ARG ...]]",
     "print events as they come; --exec: run a program for each", cmd_events},
    {"rpc", "rpc", "answer JSON-RPC 2.0 requests on standard input, one a line", cmd_rpc},
    {"relay use", "relay use ADDRESS [--code CODE] [--second]",
     "use a relay, or one more beside it", cmd_relay_use},
    {"relay leave", "relay leave RELAY", "give up a second relay, or one that is still read",
     cmd_relay_leave},
    {"relay status", "relay status", "show the relays in use", cmd_relay_status},
    {"relay audit", "relay audit [--verify FILE|-]",
     "list what relays signed for and did not deliver; --verify: check such a list",
     cmd_relay_audit},
    {"relay invite", "relay invite [--days N]", "make a code for a new member of this relay",
     cmd_relay_invite},
    {"relay members", "relay members", "list the members of this relay", cmd_relay_members},
    {"relay remove", "relay remove MEMBER", "take a member of this relay away, with all it has",
     cmd_relay_remove},
    {"relay limits", "relay limits [--envelopes N] [--mib N] [--days N]",
     "show or set what every queue of this relay may hold", cmd_relay_limits},
    {"words", "words", "print the 24 recovery words", cmd_words},
    {"unlock", "unlock [--passphrase-fd N]", "open the account, with its passphrase if it has one",
     cmd_unlock},
    {"passphrase", "passphrase [--passphrase-fd N] [--new-fd N | --remove | --credential]",
     "change what opens the account, or remove its passphrase", cmd_passphrase},
    {"lock", "lock", "close the account until it is unlocked", cmd_lock},
    {"rekey", "rekey", "new prekeys and new sessions, after somebody may have had a copy",
     cmd_rekey},
    {"resolve", "resolve ID|CONTACT", "ask all who may know where somebody is, and show it",
     cmd_resolve},
    {"dht", "dht [on|off]", "show or set whether the account is found through the DHT", cmd_dht},
    {"backup", "backup FILE [--verify] [--passphrase-fd N]",
     "save the account into a file, or check such a file", cmd_backup},
    {"restore",
     "restore FILE [--another] [--passphrase|--passphrase-fd N] "
     "[--backup-passphrase-fd N]",
     "make the account of a backup on this node, as a new device", cmd_restore},
    {"doctor", "doctor", "check home, daemon, relays and clock, and say what to do", cmd_doctor},
    {"stop", "stop", "stop the daemon", cmd_stop},
    {"help", "help [--list]", "print this list; --list: only the names", cmd_help},
};

const struct command *command_at(size_t i)
{
    return i < sizeof COMMANDS / sizeof COMMANDS[0] ? &COMMANDS[i] : NULL;
}

/* Whether name, of one or two words, is how argv begins. */
static bool name_fits(const char *name, int argc, char **argv, int *words)
{
    const char *space = strchr(name, ' ');
    if (space == NULL) {
        *words = 1;
        return argc >= 1 && strcmp(argv[0], name) == 0;
    }
    size_t first = (size_t)(space - name);
    *words = 2;
    return argc >= 2 && strlen(argv[0]) == first && memcmp(argv[0], name, first) == 0 &&
           strcmp(argv[1], space + 1) == 0;
}

const struct command *command_find(int argc, char **argv, int *words)
{
    const struct command *found = NULL;
    *words = 0;
    for (size_t i = 0; command_at(i) != NULL; i++) {
        int n = 0;
        if (name_fits(COMMANDS[i].name, argc, argv, &n) && n > *words) {
            found = &COMMANDS[i]; /* "devices remove" before "devices" */
            *words = n;
        }
    }
    return found;
}

void command_help(FILE *out)
{
    fputs("usage: petrelctl [--home DIR] [--account N] [--json] [--timeout SECONDS]\n              "
          "   COMMAND ...\n\n",
          out);
    for (size_t i = 0; command_at(i) != NULL; i++) {
        fprintf(out, "  %s\n        %s\n", COMMANDS[i].usage, COMMANDS[i].help);
    }
    fputs("\nExit codes: 0 ok, 1 local, 2 usage, 3 peer, 4 state, 5 no daemon. See petrelctl(1).\n",
          out);
}

int cmd_help(struct ctl *ctl, int argc, char **argv)
{
    bool list = false;
    const struct args_option options[] = {{"--list", NULL, &list}};
    int rc = args_command(options, 1, &argc, argv, 0, 0, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    if (!list) {
        command_help(stdout);
    }
    for (size_t i = 0; list && command_at(i) != NULL; i++) {
        puts(COMMANDS[i].name);
    }
    return EXIT_OK;
}
