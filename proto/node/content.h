/* SPDX-License-Identifier: Apache-2.0
 *
 * content: what people say to each other: one msgpack map a message. Protocol section 7;
 * docs/protocol/06-identity.md, section 12.
 *
 * Unknown types are kept and shown as such: decoding checks the frame and leaves the body's bytes
 * as they came.
 */
#ifndef PETREL_NODE_CONTENT_H
#define PETREL_NODE_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/pack.h"
#include "node/invite.h"

enum content_type {
    CONTENT_TEXT = 1, /* body: str, 1 .. LIMIT_TEXT bytes */
    /* 2 .. 13 are reserved for the types of section 7; none of them is written yet. */
    CONTENT_EDIT = 2,
    CONTENT_DELETE = 3,
    CONTENT_REACTION = 4,
    CONTENT_RECEIPT = 5,
    CONTENT_TYPING = 6,
    CONTENT_FILE = 7,
    CONTENT_LOCATION = 8,
    CONTENT_POLL = 9,
    CONTENT_CARD = 10,
    CONTENT_PROFILE = 11,
    CONTENT_GROUP = 12,
    CONTENT_CALL = 13,
    CONTENT_REKEYED = 14, /* body: uint, enum healing_why: a new session began, and why */
    /* From 64 on: between the nodes, never shown in a history. */
    CONTENT_REQUEST = 64,     /* body: str, 0 .. LIMIT_REQUEST_TEXT bytes: may I be a contact? */
    CONTENT_ACCEPT = 65,      /* no body: you are one */
    CONTENT_INVITE_USED = 66, /* body: bin INVITE_ID: somebody else used it too */
    CONTENT_LIST = 67,        /* body: bin, the author's device list */
    CONTENT_JOINED = 68,      /* body: bin, the device list that names the receiver from now on */
    /* 69 .. 72: between the devices of one person, node/mirror.h. */
    CONTENT_SENT = 69,    /* body: [ID, encoded content]: written to that contact */
    CONTENT_READ = 70,    /* body: [ID, content id]: read up to that one of theirs */
    CONTENT_CONTACT = 71, /* body: a map: what is known of a contact */
    CONTENT_PLACES = 72,  /* body: [record, queues]: where the author's are */
    CONTENT_TYPE_MAX = 65535,
};

enum {
    CONTENT_ID = 16,
    CONTENT_CONVERSATION = 32, /* longest name of a conversation */
    CONTENT_OVERHEAD = 112,    /* encoded, body apart, at most */
};

struct content {
    uint32_t type;             /* enum content_type, or one that we do not know */
    uint8_t id[CONTENT_ID];    /* random, drawn by the author */
    uint64_t sent_ms;          /* Unix ms, the author's clock */
    struct slice conversation; /* empty: the one-to-one conversation */
    struct slice text;         /* TEXT and REQUEST: UTF-8; empty for other types */
    uint8_t invite[INVITE_ID]; /* INVITE_USED: which invitation */
    struct slice body;         /* other types: one encoded msgpack value, or empty */
    bool has_reply_to;
    uint8_t reply_to[CONTENT_ID];
    uint64_t expires_ms; /* Unix ms; 0: never */
};

/* Whether this version knows how to show the type. */
bool content_known(uint32_t type);
/* ERR_TEXT_TOO_LONG, ERR_ARGUMENT (text is not UTF-8 or empty, type out of range, a body where
 * none belongs), ERR_NO_SPACE. */
enum err content_encode(struct writer *w, const struct content *content) PETREL_MUST_USE;
/* Slices borrow from bytes. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err content_decode(struct slice bytes, struct content *out) PETREL_MUST_USE;

#endif
