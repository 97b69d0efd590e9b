/* SPDX-License-Identifier: Apache-2.0
 *
 * mirror_body: bodies of the contents that devices of one person say to each other.
 * docs/protocol/06-identity.md, section 12.2.
 *
 * Each read gives false for what is out of form; slices borrow from body. A writer's room is at
 * most MIRROR_SPARE beside what is borrowed.
 */
#ifndef PETREL_NODE_MIRROR_BODY_H
#define PETREL_NODE_MIRROR_BODY_H

#include "node/contact_rows.h"
#include "node/device.h"

enum {
    MIRROR_SPARE = 256,
};

/* What one device knows of a contact. */
struct mirror_about {
    struct sign_pk id;
    enum contact_state state; /* from CONTACT_INCOMING on */
    bool verified;
    uint64_t created_ms;
    uint64_t changed_ms; /* Unix ms, that device's clock */
    struct slice name;   /* UTF-8 */
    struct slice text;   /* likewise */
    struct slice list;   /* signed, not verified here; or empty */
};

void mirror_about_write(struct writer *w, const struct mirror_about *about);
bool mirror_about_read(struct slice body, struct mirror_about *out);
/* [ID, bytes]. max: of these, at most. */
void mirror_pair_write(struct writer *w, const struct sign_pk *id, struct slice bytes);
bool mirror_pair_read(struct slice body, struct sign_pk *id, struct slice *bytes, size_t max);
/* Record and queues of entry alone; there is at least one. */
void mirror_places_write(struct writer *w, const struct device_entry *entry);
bool mirror_places_read(struct slice body, struct device_entry *entry);
/* A device list, not verified here. */
bool mirror_list_read(struct slice body, struct slice *list);

#endif
