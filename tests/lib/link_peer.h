/* SPDX-License-Identifier: Apache-2.0
 *
 * link_peer: the other end of a link, scripted by hand on link/noise.h and link/sealer.h, so that a
 * test can make a link hear anything at any point; and the keys that link tests share.
 */
#ifndef PETREL_TESTS_LIB_LINK_PEER_H
#define PETREL_TESTS_LIB_LINK_PEER_H

#include <stdbool.h>

#include "lib/unit.h"
#include "link/frame.h"
#include "link/link.h"
#include "link/noise.h"
#include "link/sealer.h"

enum {
    LINK_PEER_WIRE = 3 * (RECORD_HEADER + RECORD_MAX), /* bytes of one exchange in a test */
};

/* Static keys of a test: the responder's node ID and the initiator's link key. */
struct link_keys {
    struct sign_pk node_id;
    struct dh_sk responder;
    struct dh_pk responder_pk;
    struct dh_sk initiator;
    struct dh_pk initiator_pk;
};
void link_keys_init(struct link_keys *keys, uint8_t seed);
struct link_config link_keys_config(const struct link_keys *keys, bool initiator);

struct link_peer {
    struct noise noise;
    struct sealer send;
    struct sealer receive;
    uint8_t hash[NOISE_HASH];
    struct dh_pk remote;
};

/* A peer at the start of a handshake. prologue NULL: the right one. */
void link_peer_init(struct link_peer *peer, const struct link_keys *keys, bool initiator,
                    const char *prologue, const struct env *env);
/* Appends the next handshake message with its header. */
void link_peer_write(struct link_peer *peer, struct writer *w);
/* Reads one handshake message with its header, at the start of bytes; the bytes it took. */
size_t link_peer_read(struct link_peer *peer, struct slice bytes);
/* After the last handshake message. */
void link_peer_split(struct link_peer *peer);
/* Appends a record that carries bytes. */
void link_peer_seal(struct link_peer *peer, struct slice bytes, struct writer *w);
/* Appends a record with the frame [kind, id, body]; body in hex. */
void link_peer_frame(struct link_peer *peer, uint8_t kind, uint32_t id, const char *body,
                     struct writer *w);
/* Opens the record at the start of bytes; the frame lies in plain (LIMIT_RECORD bytes). Fails the
 * test when it does not open. The bytes it took. */
size_t link_peer_open(struct link_peer *peer, struct slice bytes, uint8_t *plain,
                      struct frame *frame);

#endif
