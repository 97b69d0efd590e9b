/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pad.h"

#include <assert.h>

static const size_t sizes[LIMIT_ENVELOPE_CLASSES] = {1024, 4096, 16384, LIMIT_ENVELOPE};

size_t pad_class_size(unsigned class)
{
    assert(class < LIMIT_ENVELOPE_CLASSES);
    return sizes[class];
}

enum err pad_class(size_t len, unsigned *class)
{
    for (unsigned i = 0; i < LIMIT_ENVELOPE_CLASSES; i++) {
        if (len <= sizes[i]) {
            *class = i;
            return ERR_OK;
        }
    }
    return ERR_TOO_LARGE;
}

bool pad_class_exact(size_t len, unsigned *class)
{
    unsigned c;
    if (pad_class(len, &c) != ERR_OK || sizes[c] != len) {
        return false;
    }
    *class = c;
    return true;
}
