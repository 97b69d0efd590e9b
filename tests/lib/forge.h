/* SPDX-License-Identifier: Apache-2.0
 *
 * forge: first envelopes that somebody makes in another's name, with the secrets that were stolen.
 * After docs/protocol/05-session.md, sections 3 to 8, from its parts and not through session.h: a
 * thief need not keep to an order of calls.
 */
#ifndef PETREL_TESTS_LIB_FORGE_H
#define PETREL_TESTS_LIB_FORGE_H

#include "lib/pair.h"
#include "pair/envelope.h"
#include "pair/ratchet.h"

/* A first envelope from a to b with the text "I am a", made by the thief, with a one-time part: all
 * of the agreement is computed rightly but for DH1, which is handed in. In the thief's arena. */
struct slice forge_first(struct pair_party *thief, const struct pair_party *a, struct pair_party *b,
                         const uint8_t dh1[static 32]);
/* Whether the body opens under a message key and T; the plaintext is not looked at. */
bool forge_body_opens(struct arena *arena, const uint8_t t[static SESSION_T],
                      const struct envelope *e, const struct ratchet_key *message);

#endif
