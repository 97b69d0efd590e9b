/* SPDX-License-Identifier: Apache-2.0
 *
 * secret: memory for long-lived keys (identity, device, store): guarded, locked where the system
 * allows it, never in a core dump, wiped on release. Short-lived secrets live on the stack or in
 * an arena and are wiped by their owner with secret_wipe.
 */
#ifndef PETREL_BASE_SECRET_H
#define PETREL_BASE_SECRET_H

#include <stddef.h>

/* len zeroed bytes from sodium_malloc, or NULL. Free with secret_free. */
void *secret_new(size_t len);
/* Wipes and frees; NULL is fine. */
void secret_free(void *p);
/* Overwrites len bytes at p with zeros; the compiler may not remove it. */
void secret_wipe(void *p, size_t len);

#endif
