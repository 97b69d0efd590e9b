/* SPDX-License-Identifier: Apache-2.0
 *
 * host_record: a relay's side of records: put, get, pop, status.
 * docs/protocol/04-relay.md, section 7. Private to proto/relay/host*.c.
 */
#ifndef PETREL_RELAY_HOST_RECORD_H
#define PETREL_RELAY_HOST_RECORD_H

#include "relay/host_state.h"

enum {
    RELAY_RECORD_HEAD = 8 + 32 + SEAL_NAME + 4, /* bytes of a row before the body */
};

struct relay_record_row {
    uint8_t name[SEAL_NAME]; /* keyed hash of the record's key: begins all its keys */
    uint64_t seq;
    struct token_key k;
    uint8_t member[SEAL_NAME];
    uint32_t last_part; /* highest id ever added */
    struct slice body;  /* in the turn's arena */
    size_t opened;      /* bytes of the row; 0: there is none */
};

/* ERR_NOT_FOUND: row->name is set all the same, and row->member when it is being removed. */
enum err relay_record_get(struct relay_host *host, struct turn *turn, const struct sign_pk *record,
                          struct relay_record_row *row) PETREL_MUST_USE;
struct store_key relay_record_part_key(const uint8_t name[static SEAL_NAME], uint32_t id);
/* Id of the first part with an id >= from. ERR_NOT_FOUND. */
enum err relay_record_part_next(struct turn *turn, const uint8_t name[static SEAL_NAME],
                                uint32_t from, uint32_t *id) PETREL_MUST_USE;
/* Number of parts with an id >= from; at most LIMIT_ONE_TIME_PARTS are stored. */
enum err relay_record_parts_count(struct turn *turn, const uint8_t name[static SEAL_NAME],
                                  uint32_t from, size_t *count) PETREL_MUST_USE;

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
/* In host_pop.c. */
enum err host_record_pop(struct relay_host *host, struct turn *turn, struct slice body,
                         struct writer *reply) PETREL_MUST_USE;
enum err host_record_status(struct relay_host *host, struct turn *turn,
                            const struct relay_peer *peer, struct slice body,
                            struct writer *reply) PETREL_MUST_USE;

#endif
