/* SPDX-License-Identifier: Apache-2.0
 *
 * input: what petrelctl reads from standard input, descriptors and the terminal.
 */
#ifndef PETREL_CTL_INPUT_H
#define PETREL_CTL_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    INPUT_SECRET = 1024, /* longest passphrase or list of words */
};

/* Reads all of fd, at most cap bytes (then EXIT_USAGE), and takes one newline off the end. what
 * names it in error messages. */
int input_read(int fd, const char *what, uint8_t *out, size_t cap, size_t *len);
/* Reads a secret from the descriptor whose number stands in text. */
int input_secret_fd(const char *option, const char *text, uint8_t out[static INPUT_SECRET],
                    size_t *len);
/* Asks on the terminal, without showing what is typed; twice: a second time, and both must match.
 */
int input_secret_ask(const char *prompt, int twice, uint8_t out[static INPUT_SECRET], size_t *len);
/* Asks whether to do what cannot be undone, where somebody sits at a terminal (standard error is
 * one): EXIT_USAGE unless the answer is y or yes. Elsewhere nobody is asked: EXIT_OK. */
int input_confirm(const char *question);

#endif
