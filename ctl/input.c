/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "base/secret.h"
#include "ctl/args.h"

int input_read(int fd, const char *what, uint8_t *out, size_t cap, size_t *len)
{
    size_t n = 0;
    for (;;) {
        uint8_t spare;
        ssize_t got = n < cap ? read(fd, out + n, cap - n) : read(fd, &spare, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            fprintf(stderr, "petrelctl: %s: %s\n", what, strerror(errno));
            return EXIT_LOCAL;
        }
        if (got == 0) {
            break;
        }
        if (n == cap) {
            fprintf(stderr, "petrelctl: %s: longer than %zu bytes\n", what, cap);
            return EXIT_USAGE;
        }
        n += (size_t)got;
    }
    *len = n > 0 && out[n - 1] == '\n' ? n - 1 : n;
    return EXIT_OK;
}

int input_secret_fd(const char *option, const char *text, uint8_t out[static INPUT_SECRET],
                    size_t *len)
{
    uint64_t fd = 0;
    int rc = args_number(option, text, &fd);
    if (rc == EXIT_OK && fd > INT_MAX) {
        rc = EXIT_USAGE;
    }
    if (rc == EXIT_OK) {
        rc = input_read((int)fd, option, out, INPUT_SECRET, len);
    }
    if (rc == EXIT_OK && *len == 0) {
        fprintf(stderr, "petrelctl: %s: nothing to read there\n", option);
        rc = EXIT_USAGE;
    }
    return rc;
}

/* One line from the terminal, not shown. */
static int ask(int tty, const char *prompt, uint8_t out[static INPUT_SECRET], size_t *len)
{
    struct termios shown;
    struct termios hidden;
    size_t n = 0;
    if (tcgetattr(tty, &shown) != 0) {
        return EXIT_LOCAL;
    }
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(tty, TCSAFLUSH, &hidden); /* before anybody is asked to type */
    ssize_t got = dprintf(tty, "%s", prompt) < 0 ? 0 : 1;
    while (got == 1 && n < INPUT_SECRET && (got = read(tty, out + n, 1)) == 1 && out[n] != '\n') {
        n++;
    }
    (void)tcsetattr(tty, TCSAFLUSH, &shown);
    (void)dprintf(tty, "\n");
    *len = n;
    return got == 1 && n > 0 && n < INPUT_SECRET ? EXIT_OK : EXIT_USAGE;
}

int input_secret_ask(const char *prompt, int twice, uint8_t out[static INPUT_SECRET], size_t *len)
{
    uint8_t again[INPUT_SECRET];
    size_t again_len = 0;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0) {
        fprintf(stderr, "petrelctl: no terminal to ask on: use --passphrase-fd N\n");
        return EXIT_USAGE;
    }
    int rc = ask(tty, prompt, out, len);
    if (rc == EXIT_OK && twice) {
        rc = ask(tty, "Once more: ", again, &again_len);
        if (rc == EXIT_OK && (again_len != *len || sodium_memcmp(again, out, *len) != 0)) {
            fprintf(stderr, "petrelctl: the two are not the same\n");
            rc = EXIT_USAGE;
        }
        secret_wipe(again, sizeof again);
    }
    close(tty);
    return rc;
}

int input_confirm(const char *question)
{
    char answer[8] = "";
    if (!isatty(STDERR_FILENO)) {
        return EXIT_OK;
    }
    FILE *tty = fopen("/dev/tty", "r"); /* standard input may be what the command reads */
    fprintf(stderr, "%s [y/N] ", question);
    bool yes = tty != NULL && fgets(answer, sizeof answer, tty) != NULL &&
               (strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0);
    if (tty != NULL) {
        (void)fclose(tty);
    }
    if (!yes) {
        fprintf(stderr, "petrelctl: nothing was done\n");
    }
    return yes ? EXIT_OK : EXIT_USAGE;
}
