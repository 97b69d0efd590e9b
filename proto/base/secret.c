/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <sodium.h>

void *secret_new(size_t len)
{
    void *p = sodium_malloc(len);
    if (p != NULL) {
        sodium_memzero(p, len);
    }
    return p;
}

void secret_free(void *p)
{
    sodium_free(p);
}

void secret_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}
