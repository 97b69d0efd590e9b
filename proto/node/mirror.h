/* SPDX-License-Identifier: Apache-2.0
 *
 * mirror: what the devices of one person tell each other, inside of sessions, so that all of them
 * show the same: what was written on one, which contacts there are, what was read.
 * docs/protocol/07-node.md, section 7.1.1.
 */
#ifndef PETREL_NODE_MIRROR_H
#define PETREL_NODE_MIRROR_H

#include "node/content.h"
#include "node/core.h"

/* Encodes a content whose body is a device list. */
enum err mirror_list(struct step *step, enum content_type type, struct slice list,
                     struct slice *content) PETREL_MUST_USE;

/* To all our other devices; nothing when there are none. */
/* This content was written to who. */
enum err mirror_sent(struct account *me, struct step *step, const struct contact_row *who,
                     struct slice content) PETREL_MUST_USE;
/* What is known of who. */
enum err mirror_contact(struct account *me, struct step *step,
                        const struct contact_row *who) PETREL_MUST_USE;
/* All up to the message with this content id was read. */
enum err mirror_read(struct account *me, struct step *step, const struct contact_row *who,
                     const uint8_t id[CONTENT_ID]) PETREL_MUST_USE;
/* Where our own queues and record are. */
enum err mirror_places(struct account *me, struct step *step) PETREL_MUST_USE;

/* One of these came from another device of ours, row; what is out of form is passed over. */
enum err mirror_take(struct account *me, struct step *step, const struct peer_row *row,
                     const struct content *content) PETREL_MUST_USE;

#endif
