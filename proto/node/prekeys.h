/* SPDX-License-Identifier: Apache-2.0
 *
 * prekeys: the secrets behind the account's key bundle, in STORE_PREKEY:
 * account | kind u8 | id u32. docs/protocol/07-node.md, section 2.
 */
#ifndef PETREL_NODE_PREKEYS_H
#define PETREL_NODE_PREKEYS_H

#include "node/step.h"
#include "pair/prekey.h"
#include "store/seal.h"

enum err prekeys_get(struct step *step, struct seal_keys *keys, uint8_t kind, uint32_t id,
                     struct prekey_secret *secret) PETREL_MUST_USE;
/* The secret of this kind and id, made and put when there is none. */
enum err prekeys_make(struct step *step, struct seal_keys *keys, uint8_t kind, uint32_t id,
                      struct prekey_secret *secret) PETREL_MUST_USE;
/* A one-time part was used. */
enum err prekeys_del(struct step *step, struct seal_keys *keys, uint8_t kind,
                     uint32_t id) PETREL_MUST_USE;
/* What began with a signed prekey that is gone by now began before *before; 0: none is gone yet. */
enum err prekeys_horizon(struct step *step, struct seal_keys *keys,
                         uint64_t *before) PETREL_MUST_USE;
/* Removes one-time secrets made before then, LIMIT_SWEEP_ROWS at a time; *more: call again. Our
 * relay was told to drop their parts when the next signed prekey came, LIMIT_PREKEY_KEEP_DAYS ago.
 */
enum err prekeys_sweep(struct step *step, struct seal_keys *keys, uint64_t before,
                       bool *more) PETREL_MUST_USE;

#endif
