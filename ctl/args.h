/* SPDX-License-Identifier: Apache-2.0
 *
 * args: petrelctl's command line: what comes before the command, and what each command takes.
 * docs/man/petrelctl.1.
 */
#ifndef PETREL_CTL_ARGS_H
#define PETREL_CTL_ARGS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes; 1 to 4 follow the class of the error. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_LOCAL = 1,     /* this machine: disk, keys, memory */
    EXIT_USAGE = 2,     /* a wrong call */
    EXIT_PEER = 3,      /* somebody else's fault */
    EXIT_STATE = 4,     /* right, but not now */
    EXIT_NO_DAEMON = 5, /* no petreld answers */
};

struct args {
    char home[PATH_MAX];
    bool json;
    uint64_t timeout_ms;
    bool timeout_set; /* it was given, not the default */
    uint64_t account; /* number; 0: the first one */
    int argc;         /* what follows the options: the command and its own arguments */
    char **argv;
};

/* What the command line asks for. */
enum args_ask {
    ARGS_RUN, /* the command in args */
    ARGS_HELP,
    ARGS_VERSION
};

/* Takes the common options out of argv: they may stand anywhere before "--". EXIT_OK, or a code
 * after a sentence on stderr. args holds a command only with ARGS_RUN. */
int args_parse(struct args *args, int argc, char **argv, enum args_ask *ask);

/* One option of a command. */
struct args_option {
    const char *name;   /* "--limit" */
    const char **value; /* where its value goes; NULL for a flag */
    bool *flag;         /* where a flag goes; NULL otherwise */
};

/* Takes the options out of argv (in any place, up to "--") and leaves the plain arguments, of which
 * there must be least to most, in argv[0..*argc). "-" is a plain argument. */
int args_command(const struct args_option *options, size_t count, int *argc, char **argv, int least,
                 int most, const char *usage);
/* A number in decimal. */
int args_number(const char *name, const char *text, uint64_t *out);

#endif
