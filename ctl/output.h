/* SPDX-License-Identifier: Apache-2.0
 *
 * output: what becomes of the bytes that were printed. A result that stdout did not take is a local
 * failure, never a silent one.
 */
#ifndef PETREL_CTL_OUTPUT_H
#define PETREL_CTL_OUTPUT_H

/* Writes out what stdout still holds. EXIT_OK, or EXIT_LOCAL after a sentence on stderr when this
 * or an earlier write to stdout failed. */
int output_flush(void);
/* The same at the end of the program, with closing. A stdout that was closed from the start is no
 * failure as long as nothing is printed. */
int output_close(void);

#endif
