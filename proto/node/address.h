/* SPDX-License-Identifier: Apache-2.0
 *
 * address: where a relay is and which key proves that it is the one: petrelnode1...@host:port.
 * docs/protocol/06-identity.md, section 4.
 */
#ifndef PETREL_NODE_ADDRESS_H
#define PETREL_NODE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/limits.h"
#include "base/pack.h"
#include "crypto/prim.h"

enum {
    ADDRESS_TEXT = NODE_ID_TEXT - 1 + 1 + 2 + LIMIT_HOST + 1 + 5 + 1, /* with NUL */
    ADDRESS_WIRE = 107, /* encoded, at most; at most LIMIT_RELAY_ENTRY */
};

struct address {
    struct sign_pk node_id;
    char host[LIMIT_HOST + 1]; /* canonical (node/hostname.h), IPv6 without brackets */
    uint16_t port;             /* 1 .. 65535 */
};

/* A person's ID from text: id_decode and a valid point. ERR_BAD_ID, ERR_BAD_CHECKSUM, ERR_BAD_KEY.
 */
enum err id_parse(struct slice text, struct sign_pk *out) PETREL_MUST_USE;

/* host:port or [v6]:port alone, as in configuration. ERR_BAD_ADDRESS. */
enum err address_parse_host_port(struct slice text, char host[static LIMIT_HOST + 1],
                                 uint16_t *port) PETREL_MUST_USE;
/* A node ID, alone or as the beginning of an address. Errors as address_parse. */
enum err address_parse_node(struct slice text, struct sign_pk *out) PETREL_MUST_USE;
/* ERR_BAD_ADDRESS, ERR_BAD_CHECKSUM (of the node ID), ERR_BAD_KEY. */
enum err address_parse(struct slice text, struct address *out) PETREL_MUST_USE;
void address_print(const struct address *address, char out[static ADDRESS_TEXT]);
bool address_equal(const struct address *a, const struct address *b);

/* Map {0 node ID bin 32, 1 host str, 2 port}. */
void address_write(struct writer *w, const struct address *address);
/* Latches ERR_MALFORMED (form, host that is not canonical, port 0), ERR_BAD_KEY, ERR_TOO_LARGE. */
void address_read(struct reader *r, struct address *out);
/* The same for what we have sealed ourselves: that the node ID is a point was checked when it came,
 * and would take longer than all else about a row. */
void address_read_own(struct reader *r, struct address *out);

/* For maps that are an address and more (a descriptor's relay): the three fields after the map's
 * head; one field by its key, false when it is not one of the three; and the bits of
 * pack_fields_require. */
#define ADDRESS_REQUIRED UINT64_C(7)
void address_write_fields(struct writer *w, const struct address *address);
bool address_read_field(struct reader *r, uint64_t key, struct address *out);

#endif
