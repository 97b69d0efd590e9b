/* SPDX-License-Identifier: Apache-2.0
 *
 * options: petreld's command line. docs/man/petreld.8.
 */
#ifndef PETREL_DAEMON_OPTIONS_H
#define PETREL_DAEMON_OPTIONS_H

#include <stdbool.h>

#include "base/err.h"

enum options_action {
    OPTIONS_RUN,
    OPTIONS_CHECK_CONFIG,
    OPTIONS_CHECK,
    OPTIONS_PRINT_CONFIG,
    OPTIONS_VERSION,
    OPTIONS_HELP,
};

/* Texts are borrowed from argv; NULL or false: not given. */
struct options {
    enum options_action action;
    const char *home;
    const char *config;
    const char *listen;
    const char *log_level;
    const char *sandbox;
    bool relay;
    bool relay_open;
    int passphrase_fd; /* -1: none */
};

/* ERR_ARGUMENT after a sentence on stderr. */
enum err options_parse(struct options *options, int argc, char **argv) PETREL_MUST_USE;
/* The text of --help. */
const char *options_help(void);

#endif
