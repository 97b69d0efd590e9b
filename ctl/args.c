/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ARGS_TIMEOUT_MS = 30000,
    ARGS_TIMEOUT_MAX_S = 86400,
};

int args_number(const char *name, const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || *end != '\0') {
        fprintf(stderr, "petrelctl: %s: '%s' is not a number\n", name, text);
        return EXIT_USAGE;
    }
    *out = v;
    return EXIT_OK;
}

/* The same folder that petreld would take. */
static int home_resolve(const char *flag, char out[static PATH_MAX])
{
    const char *petrel = getenv("PETREL_HOME");
    const char *data = getenv("XDG_DATA_HOME");
    const char *user = getenv("HOME");
    int n = -1;
    if (flag != NULL) {
        n = snprintf(out, PATH_MAX, "%s", flag);
    } else if (petrel != NULL && petrel[0] != '\0') {
        n = snprintf(out, PATH_MAX, "%s", petrel);
    } else if (data != NULL && data[0] == '/') {
        n = snprintf(out, PATH_MAX, "%s/petrel", data);
    } else if (user != NULL && user[0] == '/') {
        n = snprintf(out, PATH_MAX, "%s/.local/share/petrel", user);
    }
    if (n <= 0 || n >= PATH_MAX) {
        fprintf(stderr, "petrelctl: no home folder: use --home DIR or set PETREL_HOME\n");
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* Matches "--name VALUE" and "--name=VALUE". 1: taken, 0: another option, -1: no value. */
static int take_value(const char *name, int argc, char **argv, int *i, const char **value)
{
    size_t len = strlen(name);
    if (strncmp(argv[*i], name, len) != 0) {
        return 0;
    }
    if (argv[*i][len] == '=') {
        *value = argv[*i] + len + 1;
        return 1;
    }
    if (argv[*i][len] != '\0') {
        return 0;
    }
    if (*i + 1 >= argc) {
        fprintf(stderr, "petrelctl: %s needs a value\n", name);
        return -1;
    }
    *value = argv[++*i];
    return 1;
}

static int parse_timeout(struct args *args, const char *text)
{
    uint64_t seconds = 0;
    int rc = text == NULL ? EXIT_OK : args_number("--timeout", text, &seconds);
    if (rc != EXIT_OK || text == NULL) {
        return rc;
    }
    if (seconds == 0 || seconds > ARGS_TIMEOUT_MAX_S) {
        fprintf(stderr, "petrelctl: --timeout: from 1 to %d seconds\n", (int)ARGS_TIMEOUT_MAX_S);
        return EXIT_USAGE;
    }
    args->timeout_ms = seconds * 1000;
    args->timeout_set = true;
    return EXIT_OK;
}

/* --account, else $PETREL_ACCOUNT, else the first one. */
static int parse_account(struct args *args, const char *text)
{
    const char *set = getenv("PETREL_ACCOUNT");
    if (text == NULL && (set == NULL || set[0] == '\0')) {
        return EXIT_OK;
    }
    int rc = args_number(text != NULL ? "--account" : "PETREL_ACCOUNT", text != NULL ? text : set,
                         &args->account);
    if (rc == EXIT_OK && args->account == 0) {
        fprintf(stderr, "petrelctl: accounts are numbered from 1\n");
        rc = EXIT_USAGE;
    }
    return rc;
}

static enum args_ask asked(const char *arg)
{
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        return ARGS_HELP;
    }
    return strcmp(arg, "--version") == 0 ? ARGS_VERSION : ARGS_RUN;
}

int args_parse(struct args *args, int argc, char **argv, enum args_ask *ask)
{
    const char *home = NULL;
    const char *timeout = NULL;
    const char *account = NULL;
    bool literal = false; /* after "--" everything is the command's */
    int kept = 0;         /* arguments that stay in argv[1..] */
    *ask = ARGS_RUN;
    *args = (struct args){.timeout_ms = ARGS_TIMEOUT_MS};
    for (int i = 1; i < argc; i++) {
        int taken = literal ? 0 : take_value("--home", argc, argv, &i, &home);
        if (taken == 0 && !literal) {
            taken = take_value("--timeout", argc, argv, &i, &timeout);
        }
        if (taken == 0 && !literal) {
            taken = take_value("--account", argc, argv, &i, &account);
        }
        if (taken < 0) {
            return EXIT_USAGE;
        }
        bool option = !literal && argv[i][0] == '-' && argv[i][1] != '\0';
        if (taken > 0) {
            continue;
        }
        if (option && strcmp(argv[i], "--json") == 0) {
            args->json = true;
            continue;
        }
        if (option && kept == 0) {
            *ask = asked(argv[i]);
            if (*ask == ARGS_RUN) {
                fprintf(stderr, "petrelctl: there is no option '%s'\n", argv[i]);
            }
            return *ask == ARGS_RUN ? EXIT_USAGE : EXIT_OK;
        }
        literal |= option && strcmp(argv[i], "--") == 0;
        argv[++kept] = argv[i];
    }
    args->argc = kept;
    args->argv = argv + 1;
    int rc = parse_timeout(args, timeout);
    rc = rc != EXIT_OK ? rc : parse_account(args, account);
    return rc != EXIT_OK ? rc : home_resolve(home, args->home);
}

/* 1: argv[*i] was one of the options, 0: it was not, -1: it has no value. */
static int match_option(const struct args_option *options, size_t count, int argc, char **argv,
                        int *i)
{
    for (size_t k = 0; k < count; k++) {
        if (options[k].flag != NULL) {
            if (strcmp(argv[*i], options[k].name) == 0) {
                *options[k].flag = true;
                return 1;
            }
        } else {
            int taken = take_value(options[k].name, argc, argv, i, options[k].value);
            if (taken != 0) {
                return taken;
            }
        }
    }
    return 0;
}

int args_command(const struct args_option *options, size_t count, int *argc, char **argv, int least,
                 int most, const char *usage)
{
    int plain = 0;
    bool only_plain = false;
    for (int i = 0; i < *argc; i++) {
        if (only_plain || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[plain++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            only_plain = true;
            continue;
        }
        int taken = match_option(options, count, *argc, argv, &i);
        if (taken == 0) {
            fprintf(stderr, "petrelctl: there is no option '%s' here\n", argv[i]);
        }
        if (taken <= 0) {
            fprintf(stderr, "usage: petrelctl %s\n", usage);
            return EXIT_USAGE;
        }
    }
    if (plain < least || plain > most) {
        fprintf(stderr, "usage: petrelctl %s\n", usage);
        return EXIT_USAGE;
    }
    *argc = plain;
    return EXIT_OK;
}
