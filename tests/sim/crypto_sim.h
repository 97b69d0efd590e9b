/* SPDX-License-Identifier: Apache-2.0
 *
 * crypto_sim: cheap stand-ins for public-key functions, see crypto_sim.c.
 */
#ifndef PETREL_TESTS_SIM_CRYPTO_SIM_H
#define PETREL_TESTS_SIM_CRYPTO_SIM_H

#include <stdbool.h>

/* From now on; keys that were made before are of no use then. */
void crypto_sim_use(bool use);

#endif
