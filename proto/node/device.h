/* SPDX-License-Identifier: Apache-2.0
 *
 * device: device certificates and the device list, both signed by the identity. Protocol section 1;
 * docs/protocol/06-identity.md, sections 5 and 6.
 *
 * The exact bytes are what is signed, hashed and handed on: keep them, never re-encode.
 */
#ifndef PETREL_NODE_DEVICE_H
#define PETREL_NODE_DEVICE_H

#include <stdint.h>

#include "base/limits.h"
#include "crypto/prim.h"
#include "node/address.h"

enum {
    DEVICE_NAME = 16 + 1, /* with NUL */
    DEVICE_LIST_HASH = 32,
    DEVICE_PLACE_WIRE = ADDRESS_WIRE + 37, /* encoded struct device_place, at most */
};

/* Key 3 of a certificate: bits that a device sets for what it can do. None are defined yet. */
struct device_certificate {
    struct sign_pk sign;   /* signs prekeys */
    struct dh_pk dh;       /* "IK" of PQXDH */
    struct sign_pk mls;    /* signs leaves */
    uint64_t capabilities; /* bit set */
    uint64_t added_ms;     /* Unix ms */
};

/* A queue or a record: where it is and its public key. */
struct device_place {
    struct address relay;
    struct sign_pk key;
};

struct device_entry {
    struct slice certificate;         /* encoded and signed; borrowed */
    struct device_certificate device; /* the same, decoded; ignored by device_list_make */
    unsigned queue_count;
    struct device_place queues[LIMIT_DEVICE_QUEUES];
    struct device_place record; /* this device's key bundle */
};

struct device_list {
    uint32_t version;
    uint64_t created_ms; /* Unix ms */
    unsigned count;      /* 1 .. LIMIT_DEVICES */
    struct device_entry entries[LIMIT_DEVICES];
};

/* Appends the certificate [bin(body), bin(signature)]: at most LIMIT_CERTIFICATE bytes. */
enum err device_certificate_make(struct writer *w, const struct device_certificate *certificate,
                                 const struct sign_sk *identity) PETREL_MUST_USE;
/* ERR_TOO_LARGE, ERR_MALFORMED, ERR_BAD_SIGNATURE, ERR_BAD_KEY. */
enum err device_certificate_open(struct slice bytes, const struct sign_pk *id,
                                 struct device_certificate *out) PETREL_MUST_USE;

/* Appends the signed list: at most LIMIT_DEVICE_LIST bytes, else ERR_TOO_LARGE. ERR_ARGUMENT when
 * a count is out of range, ERR_NO_SPACE. */
enum err device_list_make(struct writer *w, const struct device_list *list,
                          const struct sign_sk *identity) PETREL_MUST_USE;
/* Verifies the list and every certificate in it under id, then decodes. Slices in out borrow from
 * bytes. ERR_TOO_LARGE, ERR_MALFORMED (also: no device, or one twice), ERR_BAD_SIGNATURE,
 * ERR_BAD_KEY. */
enum err device_list_open(struct slice bytes, const struct sign_pk *id,
                          struct device_list *out) PETREL_MUST_USE;
/* Whether the two share a key: no list may name both. */
bool device_twins(const struct device_certificate *a, const struct device_certificate *b);
/* Whether the two entries name the same record and the same queues, in the same order. */
bool device_same_places(const struct device_entry *a, const struct device_entry *b);
/* What people call a device: the first 8 bytes of the key that signs its prekeys, in hex. */
void device_name(const uint8_t sign_pk[static 32], char out[static DEVICE_NAME]);
/* BLAKE2b-256("petrel/1 device list hash" | bytes): what a descriptor names. */
void device_list_hash(struct slice bytes, uint8_t out[static DEVICE_LIST_HASH]);

/* Map {0 address, 1 key bin 32}: in lists, and alone as the route of a session body. */
void device_place_write(struct writer *w, const struct device_place *place);
void device_place_read(struct reader *r, struct device_place *out);

#endif
