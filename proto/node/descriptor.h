/* SPDX-License-Identifier: Apache-2.0
 *
 * descriptor: what a person publishes under a key that changes every day: newest device list, key
 * bundle, relays; readable only by who knows the ID. Protocol section 3;
 * docs/protocol/06-identity.md, section 9.
 */
#ifndef PETREL_NODE_DESCRIPTOR_H
#define PETREL_NODE_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "crypto/bep44.h"
#include "crypto/blind.h"
#include "node/address.h"
#include "node/device.h"

enum {
    DESCRIPTOR_TYPE = 1,
    DESCRIPTOR_PLAIN = 952, /* len u16 | body and zeros 886 | signature 64 */
    DESCRIPTOR_BODY = 886,
};

struct descriptor_relay {
    struct address address;
    uint32_t flags; /* none are defined yet */
    bool has_ipv4;  /* literals that spare the resolver a DNS query; the host comes first */
    uint8_t ipv4[4];
    bool has_ipv6;
    uint8_t ipv6[16];
};

struct descriptor {
    uint64_t created_ms;   /* Unix ms */
    uint32_t list_version; /* newest device list */
    uint8_t list_hash[DEVICE_LIST_HASH];
    struct sign_pk record; /* key bundle of the main device, at relays[0] */
    unsigned relay_count;  /* 1 .. LIMIT_RELAYS */
    struct descriptor_relay relays[LIMIT_RELAYS];
};

/* now / one day: the same turn for all. */
uint64_t descriptor_period(uint64_t now_ms);
/* Seals and signs twice; the same descriptor gives the same item. ERR_ARGUMENT (counts, seq),
 * ERR_TOO_LARGE (a relay's entry above LIMIT_RELAY_ENTRY), ERR_BAD_KEY. */
enum err descriptor_seal(const struct sign_sk *identity, uint64_t period, uint64_t seq,
                         const struct descriptor *descriptor,
                         struct bep44_item *out) PETREL_MUST_USE;
/* Checks everything: that the item is id's of this period, both signatures, form. ERR_BAD_KEY,
 * ERR_BAD_SIGNATURE, ERR_DECRYPT, ERR_MALFORMED, ERR_UNSUPPORTED (another type), ERR_TOO_LARGE. */
enum err descriptor_open(const struct sign_pk *id, uint64_t period, const struct bep44_item *item,
                         struct descriptor *out) PETREL_MUST_USE;

#endif
