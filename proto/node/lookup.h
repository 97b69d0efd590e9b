/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup: which contact a user means by a text: an ID, the beginning of one, or a local name.
 */
#ifndef PETREL_NODE_LOOKUP_H
#define PETREL_NODE_LOOKUP_H

#include "node/contact_rows.h"

enum {
    LOOKUP_PREFIX = 7 + 8, /* shortest beginning of an ID: "petrel1" and 8 characters */
};

/* ERR_UNKNOWN_CONTACT, ERR_AMBIGUOUS, LOCAL. */
enum err lookup_contact(struct step *step, struct seal_keys *keys, struct slice text,
                        struct contact_row *row) PETREL_MUST_USE;
/* Whether another contact than `number` has this local name. */
enum err lookup_name_taken(struct step *step, struct seal_keys *keys, struct slice name,
                           uint32_t number, bool *taken) PETREL_MUST_USE;

#endif
