/* SPDX-License-Identifier: Apache-2.0 */
#include "node/skip.h"

#include <string.h>

#include "crypto/prim.h"
#include "link/frame.h"
#include "relay/queue.h"

/* The slot of this envelope; SKIP_SLOTS: none. */
static unsigned skip_find(const struct node_skip *skip, const uint8_t hash[static SKIP_HASH])
{
    unsigned i = 0;
    while (i < SKIP_SLOTS &&
           (skip->failures[i] == 0 || memcmp(skip->hash[i], hash, SKIP_HASH) != 0)) {
        i++;
    }
    return i;
}

static void envelope_hash(struct slice envelope, uint8_t hash[static SKIP_HASH])
{
    prim_blake2b(hash, SKIP_HASH, slice_of(NULL, 0), "petrel/1 skip", &envelope, 1);
}

bool node_skip_failed(struct node_skip *skip, struct slice bytes)
{
    struct frame frame;
    struct queue_push push;
    uint8_t hash[SKIP_HASH];
    if (frame_read(bytes, &frame) != ERR_OK || frame.kind != FRAME_QUEUE_PUSH ||
        queue_push_read(frame.body, &push) != ERR_OK) {
        return false;
    }
    envelope_hash(push.envelope, hash);
    unsigned slot = skip_find(skip, hash);
    if (slot == SKIP_SLOTS) {
        slot = skip->next++ % SKIP_SLOTS;
        memcpy(skip->hash[slot], hash, SKIP_HASH);
        skip->failures[slot] = 0;
    }
    if (skip->failures[slot] < SKIP_AFTER) {
        skip->failures[slot]++;
    }
    return skip->failures[slot] == SKIP_AFTER;
}

bool node_skip_has(const struct node_skip *skip, struct slice envelope)
{
    uint8_t hash[SKIP_HASH];
    if (skip == NULL || skip->next == 0) {
        return false;
    }
    envelope_hash(envelope, hash);
    unsigned slot = skip_find(skip, hash);
    return slot < SKIP_SLOTS && skip->failures[slot] == SKIP_AFTER;
}
