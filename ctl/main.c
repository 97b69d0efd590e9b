/* SPDX-License-Identifier: Apache-2.0
 *
 * petrelctl: the control tool. It reads a command, makes calls over the daemon's control socket,
 * and prints what came back. docs/man/petrelctl.1.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <sodium.h>

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/output.h"

static int run(const struct args *args)
{
    int words = 0;
    const struct command *command = command_find(args->argc, args->argv, &words);
    if (command == NULL) {
        if (args->argc > 0) {
            fprintf(stderr, "petrelctl: there is no command '%s'\n\n", args->argv[0]);
        }
        command_help(stderr);
        return EXIT_USAGE;
    }
    struct client *client = client_new(args->home, args->timeout_ms);
    if (client == NULL) {
        fprintf(stderr, "petrelctl: out of memory\n");
        return EXIT_LOCAL;
    }
    client_account(client, args->account);
    struct ctl ctl = {.args = args, .client = client, .usage = command->usage};
    int rc = command->run(&ctl, args->argc - words, args->argv + words);
    client_free(client);
    return rc;
}

int main(int argc, char **argv)
{
    const struct rlimit none = {0, 0};
    struct args args;
    enum args_ask ask = ARGS_RUN;
    /* Passphrases and recovery words pass through here. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (sodium_init() < 0) {
        return EXIT_LOCAL;
    }
    json_begin();
    int rc = args_parse(&args, argc, argv, &ask);
    if (rc != EXIT_OK) {
        return rc;
    }
    switch (ask) {
    case ARGS_RUN:
        rc = run(&args);
        break;
    case ARGS_HELP:
        command_help(stdout);
        break;
    case ARGS_VERSION:
        puts("petrelctl " PETREL_VERSION);
        break;
    }
    return rc == EXIT_OK ? output_close() : rc; /* who failed has said so */
}
