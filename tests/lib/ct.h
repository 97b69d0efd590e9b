/* SPDX-License-Identifier: Apache-2.0
 *
 * ct: what the constant-time tests (unit/<room>/test_ct.c) share. Secrets are marked undefined, so
 * that valgrind's memcheck reports every branch and every index that depends on them. They link a
 * proto/ of their own, with PETREL_CTGRIND and the optimiser of a release; tests/CMakeLists.txt
 * builds it only where valgrind is. tests/tools/constant_time.py says which functions need a case.
 */
#ifndef PETREL_TESTS_LIB_CT_H
#define PETREL_TESTS_LIB_CT_H

#include <stdio.h>
#include <stdlib.h>

#include "crypto/ct.h"
#include "lib/unit.h"

#ifdef PETREL_CTGRIND
#define CT_SECRET(p, len) (void)VALGRIND_MAKE_MEM_UNDEFINED((p), (len))
#define CT_AT_WORK(p)     (RUNNING_ON_VALGRIND && ct_is_secret(p))

static inline bool ct_is_secret(const uint8_t *p)
{
    uint8_t bits = 0;
    (void)VALGRIND_GET_VBITS(p, &bits, 1);
    return bits == 0xff;
}
#else
#define CT_SECRET(p, len) ((void)(p), (void)(len))
#define CT_AT_WORK(p)     ((void)(p), false)
#endif

/* An env whose randomness is secret, all but draws of less than 32 bytes: nonces and numbers that
 * go out as they are. */
struct ct_env {
    struct env from;
};

static inline void ct_random(void *ctx, uint8_t *out, size_t len)
{
    const struct ct_env *c = ctx;
    env_random(&c->from, out, len);
    if (len >= 32) {
        CT_SECRET(out, len);
    }
}

/* State lies in *c. */
static inline struct env ct_env_of(struct ct_env *c, const struct env *from)
{
    c->from = *from;
    return (struct env){.now_ms = from->now_ms, .random = ct_random, .random_ctx = c};
}

/* Fills len bytes with a secret that is the same in every run. */
static inline void ct_fill(void *p, size_t len, uint8_t with)
{
    uint8_t *bytes = p;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(with + 7 * i);
    }
    CT_SECRET(p, len);
}

/* As unit_main; fails where memcheck sees nothing undefined, for then the cases prove nothing. */
static inline int ct_main(const char *name, void (*add)(TCase *tc))
{
    uint8_t secret = 0;
    CT_SECRET(&secret, 1);
    if (!CT_AT_WORK(&secret)) {
        fprintf(stderr, "this program proves nothing without valgrind's memcheck\n");
        return EXIT_FAILURE;
    }
    return unit_main(name, add);
}

#endif
