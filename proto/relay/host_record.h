/* SPDX-License-Identifier: Apache-2.0
 *
 * host_record: a relay's side of records: put, get, pop, status.
 * docs/protocol/04-relay.md, section 7. Private to proto/relay/host*.c.
 */
#ifndef PETREL_RELAY_HOST_RECORD_H
#define PETREL_RELAY_HOST_RECORD_H

#include "relay/host_state.h"

enum err host_record_put(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                         struct slice body, struct writer *reply) PETREL_MUST_USE;
/* The member of an opened record row; false when it is out of form. */
bool host_record_member(struct slice plain, uint8_t member[static SEAL_NAME]);
/* Deletes the record of this row: parts, pops and spent rows, *rows of them at most, then the row.
 * *done: it is gone. */
enum err host_record_remove(struct relay_host *host, struct turn *turn,
                            const uint8_t name[static SEAL_NAME], struct slice plain,
                            unsigned *rows, bool *done) PETREL_MUST_USE;
enum err host_record_get(struct relay_host *host, struct turn *turn, struct slice body,
                         struct writer *reply) PETREL_MUST_USE;
enum err host_record_pop(struct relay_host *host, struct turn *turn, struct slice body,
                         struct writer *reply) PETREL_MUST_USE;
enum err host_record_status(struct relay_host *host, struct turn *turn,
                            const struct relay_peer *peer, struct slice body,
                            struct writer *reply) PETREL_MUST_USE;

#endif
