/* SPDX-License-Identifier: Apache-2.0
 *
 * link: one connection to another node, sans I/O: Noise handshake (link/noise.h), sealed records
 * (link/sealer.h), hello, keep-alive. Bytes of the socket go in, frames come out, and the other way
 * round. docs/protocol/03-link.md. States, table and drawing: link/machine.h.
 *
 * An idle open link costs a few hundred bytes: buffers exist only while something is in them.
 * It never calls back and holds no clock: the host feeds, asks link_next, writes link_output.
 */
#ifndef PETREL_LINK_LINK_H
#define PETREL_LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/limits.h"
#include "crypto/prim.h"
#include "link/frame.h"

enum {
    LINK_HASH = 64, /* Noise handshake hash, BLAKE2b */
};

struct link_config {
    bool initiator;
    struct dh_sk
        static_key;         /* ours: a link key (initiator) or the node's X25519 form (responder) */
    struct sign_pk node_id; /* the responder's node ID: theirs (initiator) or ours (responder) */
};

enum link_event {
    LINK_NOTHING, /* feed more bytes */
    LINK_OPENED,  /* handshake and both hellos are done; once */
    LINK_FRAME,   /* a frame for the core */
    LINK_CLOSED,  /* over, for whatever reason, link_close too; once: link_error says why; flush
                     output, then close */
};

struct link;

/* An initiator has output at once; a responder costs nothing before a first message came. Wipe
 * config after use. ERR_BAD_KEY: node_id has no X25519 form. ERR_NO_MEMORY. */
enum err link_new(struct link **out, const struct link_config *config,
                  const struct env *env) PETREL_MUST_USE;
/* Wipes and frees; NULL is fine. */
void link_free(struct link *link);

/* Takes bytes from the socket: copies what it must keep. Call link_next until LINK_NOTHING. Errors
 * show as LINK_CLOSED. At most one maximal record is buffered beyond bytes. */
void link_receive(struct link *link, const struct env *env, struct slice bytes);
/* What happened next, in order: frames that came before the end are given before LINK_CLOSED. Not
 * given: hello, ping, pong, bye. frame is valid until the next call of any link_ function on this
 * link. */
enum link_event link_next(struct link *link, const struct env *env, struct slice *frame);

/* Seals an encoded frame (only when open). ERR_NOT_NOW, ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err link_send(struct link *link, struct slice frame) PETREL_MUST_USE;
/* Says BYE with reason once the handshake is done, and is closed from then on; frames not fetched
 * yet are dropped. A reason that is not of class PEER is told as ERR_LINK_CLOSED. */
void link_close(struct link *link, enum err reason);
/* Bytes for the socket; valid until the next call. link_output_done takes n of them off. */
struct slice link_output(const struct link *link);
void link_output_done(struct link *link, size_t n);

/* When link_tick is due, Unix ms; UINT64_MAX: never. Handshake timeout, ping after
 * LIMIT_LINK_IDLE_MS, death after LIMIT_LINK_DEAD_MS. */
uint64_t link_deadline(const struct link *link);
void link_tick(struct link *link, const struct env *env);

bool link_is_open(const struct link *link);
/* Why it is closed; ERR_OK before that. After a BYE: the other side's reason when that is of class
 * PEER, else ERR_LINK_CLOSED. */
enum err link_error(const struct link *link);
/* After LINK_OPENED. */
const uint8_t *link_hash(const struct link *link); /* LINK_HASH bytes */
struct dh_pk link_remote_static(const struct link *link);

#endif
