/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum option_id {
    OPTION_HOME = 256,
    OPTION_LISTEN,
    OPTION_RELAY,
    OPTION_RELAY_OPEN,
    OPTION_CONFIG,
    OPTION_CHECK_CONFIG,
    OPTION_CHECK,
    OPTION_PRINT,
    OPTION_PASSPHRASE_FD,
    OPTION_LOG_LEVEL,
    OPTION_SANDBOX,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option TABLE[] = {
    {"home", required_argument, NULL, OPTION_HOME},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"relay", no_argument, NULL, OPTION_RELAY},
    {"relay-open", no_argument, NULL, OPTION_RELAY_OPEN},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"print-config", no_argument, NULL, OPTION_PRINT},
    {"passphrase-fd", required_argument, NULL, OPTION_PASSPHRASE_FD},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"sandbox", required_argument, NULL, OPTION_SANDBOX},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

const char *options_help(void)
{
    return "usage: petreld [--home DIR] [--listen HOST:PORT] [--relay] [--relay-open]\n"
           "               [--config FILE] [--passphrase-fd N] [--log-level LEVEL]\n"
           "               [--sandbox MODE]\n"
           "       petreld [--home DIR] [--config FILE] --check | --check-config | --print-config\n"
           "       petreld --version | --help\n"
           "\n"
           "  --home DIR           where everything is kept (else $PETREL_HOME, else\n"
           "                       $XDG_DATA_HOME/petrel)\n"
           "  --listen HOST:PORT   accept links from other nodes; port 0: any free port\n"
           "  --relay              keep messages for others; needs --listen\n"
           "  --relay-open         the same, and anybody may become a member\n"
           "  --config FILE        instead of petreld.conf in the home\n"
           "  --check              check a home that no petreld uses, say what to do, and exit\n"
           "  --check-config       check the configuration and exit\n"
           "  --print-config       print the configuration in effect and exit\n"
           "  --passphrase-fd N    read the account's passphrase from file descriptor N\n"
           "  --log-level LEVEL    error, warn, info or debug\n"
           "  --sandbox MODE       on, strict or off\n"
           "\n"
           "See petreld(8).\n";
}

static enum err parse_fd(const char *text, int *fd)
{
    char *end = NULL;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 0 || n > INT_MAX) {
        fprintf(stderr, "petreld: --passphrase-fd: '%s' is not a file descriptor\n", text);
        return ERR_ARGUMENT;
    }
    *fd = (int)n;
    return ERR_OK;
}

static enum err parse_one(struct options *o, int id)
{
    switch (id) {
    case OPTION_HOME:
        o->home = optarg;
        break;
    case OPTION_LISTEN:
        o->listen = optarg;
        break;
    case OPTION_RELAY_OPEN:
        o->relay_open = true;
        o->relay = true;
        break;
    case OPTION_RELAY:
        o->relay = true;
        break;
    case OPTION_CONFIG:
        o->config = optarg;
        break;
    case OPTION_CHECK_CONFIG:
        o->action = OPTIONS_CHECK_CONFIG;
        break;
    case OPTION_CHECK:
        o->action = OPTIONS_CHECK;
        break;
    case OPTION_PRINT:
        o->action = OPTIONS_PRINT_CONFIG;
        break;
    case OPTION_PASSPHRASE_FD:
        return parse_fd(optarg, &o->passphrase_fd);
    case OPTION_LOG_LEVEL:
        o->log_level = optarg;
        break;
    case OPTION_SANDBOX:
        o->sandbox = optarg;
        break;
    case OPTION_VERSION:
        o->action = OPTIONS_VERSION;
        break;
    case OPTION_HELP:
        o->action = OPTIONS_HELP;
        break;
    default: /* getopt_long has said what is wrong */
        return ERR_ARGUMENT;
    }
    return ERR_OK;
}

enum err options_parse(struct options *options, int argc, char **argv)
{
    struct options o = {.action = OPTIONS_RUN, .passphrase_fd = -1};
    for (;;) {
        int id = getopt_long(argc, argv, "", TABLE, NULL);
        if (id == -1) {
            break;
        }
        enum err err = parse_one(&o, id);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "petreld: '%s': there are no arguments beside options\n", argv[optind]);
        return ERR_ARGUMENT;
    }
    *options = o;
    return ERR_OK;
}
