/* SPDX-License-Identifier: Apache-2.0
 *
 * crypto_sim: cheap stand-ins for public-key functions, see crypto_sim.c.
 */
#ifndef PETREL_TESTS_SIM_CRYPTO_SIM_H
#define PETREL_TESTS_SIM_CRYPTO_SIM_H

#include <stdbool.h>

#include "crypto/prim.h"

/* From now on; keys that were made before are of no use then. */
void crypto_sim_use(bool use);
/* signs hears of each key that something is signed with, and what one is signed with of which is is
 * true is well signed, whatever it is: a liar can sign all that it says, changed behind its back or
 * not. NULL, NULL: nobody lies. */
void crypto_sim_liars(void (*signs)(const struct sign_pk *pk),
                      bool (*is)(const struct sign_pk *pk));

#endif
