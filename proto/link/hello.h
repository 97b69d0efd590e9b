/* SPDX-License-Identifier: Apache-2.0
 *
 * hello: the body of the first frame each way: which versions of the protocol a node speaks.
 *
 * docs/protocol/03-link.md, section 5.2. Unknown keys are skipped, so that a hello of any later
 * version can be read and refused by name.
 */
#ifndef PETREL_LINK_HELLO_H
#define PETREL_LINK_HELLO_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    HELLO_VERSION = 1,     /* of the protocol, newest that is spoken here */
    HELLO_VERSION_MIN = 1, /* and oldest */
    HELLO_BODY_MAX = 64,   /* longest body that hello_write writes */
};

struct hello {
    uint16_t version;      /* newest that the sender speaks, from 1 */
    uint16_t min;          /* oldest */
    struct slice software; /* UTF-8, for people; borrowed */
    uint32_t features;     /* bit set; none is defined yet */
};

/* What this program says of itself. */
struct hello hello_own(void);
void hello_write(struct writer *w, const struct hello *hello);
/* Borrows from body. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err hello_read(struct slice body, struct hello *hello) PETREL_MUST_USE;
/* The newest version that both speak; 0: none. */
uint16_t hello_agree(const struct hello *a, const struct hello *b);

#endif
