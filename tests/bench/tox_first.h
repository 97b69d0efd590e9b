/* SPDX-License-Identifier: Apache-2.0
 *
 * tox_first: two who know each other's addresses find each other with c-toxcore, on this machine.
 */
#ifndef PETREL_TESTS_BENCH_TOX_FIRST_H
#define PETREL_TESTS_BENCH_TOX_FIRST_H

/* From before two instances are started to both seeing the other one as connected, in a network of
 * so many others that know each other already: ms. Local discovery is off, as ours is. */
double tox_first_ms(unsigned others);

#endif
