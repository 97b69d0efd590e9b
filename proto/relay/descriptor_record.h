/* SPDX-License-Identifier: Apache-2.0
 *
 * descriptor_record: descriptors at a relay: exactly the BEP 44 items (A', seq, signature, v) of
 * protocol section 3, put by a member, given to anyone who asks for the blinded key A'.
 * docs/protocol/04-relay.md, section 8. Codec, both ends; the relay's side is
 * relay/host_descriptor.h.
 *
 * The relay checks the BEP 44 signature and nothing else: it cannot open v.
 */
#ifndef PETREL_RELAY_DESCRIPTOR_RECORD_H
#define PETREL_RELAY_DESCRIPTOR_RECORD_H

#include "crypto/bep44.h"
#include "relay/wire.h"

#define DESCRIPTOR_PUT_LABEL "petrel/1 descriptor put"

/* Signed by the item's own key, so that nobody puts what is another's, and by a member's. A higher
 * seq replaces, the same item again is fine. */
struct descriptor_put {
    struct sign_pk member; /* filled by read */
    uint32_t period;       /* Unix time / 1 day: when it is to be announced; kept until one day
                              after its end */
    bool quiet;            /* given to who asks, and not announced in the DHT */
    struct bep44_item item;
};
/* Reply: relay_reply. ERR_BAD_SIGNATURE (any of the three), ERR_REFUSED (no member), ERR_STALE,
 * ERR_QUOTA, ERR_EXPIRED (a period before yesterday), ERR_TOO_FAR_AHEAD, ERR_BACKPRESSURE. */
enum err descriptor_put_write(struct writer *w, struct arena *arena,
                              const uint8_t hash[static RELAY_HASH],
                              const struct descriptor_put *put, const struct relay_signer *blinded,
                              const struct sign_sk *member) PETREL_MUST_USE;
enum err descriptor_put_read(struct slice bytes, struct arena *arena,
                             const uint8_t hash[static RELAY_HASH],
                             struct descriptor_put *put) PETREL_MUST_USE;
enum err descriptor_put_body_read(struct slice body, struct descriptor_put *put) PETREL_MUST_USE;

/* Anyone. ERR_NOT_FOUND. The caller verifies the item (descriptor_open does). */
struct descriptor_get {
    struct sign_pk blinded;
};
struct descriptor_get_reply {
    struct relay_reply head;
    struct bep44_item item;
};
void descriptor_get_write(struct writer *w, const struct descriptor_get *get);
enum err descriptor_get_read(struct slice bytes, struct descriptor_get *get) PETREL_MUST_USE;
void descriptor_get_reply_write(struct writer *w, const struct descriptor_get_reply *reply);
enum err descriptor_get_reply_read(struct slice bytes,
                                   struct descriptor_get_reply *reply) PETREL_MUST_USE;

#endif
