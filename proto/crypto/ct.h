/* SPDX-License-Identifier: Apache-2.0
 *
 * ct: helpers of constant-time code: a value that the optimiser may not reason about, and a mark
 * for values that are public although they were computed from a secret.
 */
#ifndef PETREL_CRYPTO_CT_H
#define PETREL_CRYPTO_CT_H

#include <stdint.h>

#ifdef PETREL_CTGRIND
#include <valgrind/memcheck.h>
/* tests/unit/crypto/test_ct.c: from here on these bytes may decide branches and indices. */
#define CT_PUBLIC(p, len) (void)VALGRIND_MAKE_MEM_DEFINED((p), (len))
#else
#define CT_PUBLIC(p, len) ((void)(p), (void)(len))
#endif

/* x itself; keeps the compiler from turning the mask arithmetic around it into a branch. */
static inline uint32_t ct_hide(uint32_t x)
{
    __asm__("" : "+r"(x));
    return x;
}

#endif
