/* SPDX-License-Identifier: Apache-2.0
 *
 * codec: the messages of the control socket, msgpack-RPC: request [0, id, method, [params]], reply
 * [1, id, error or nil, result or nil], notification [2, "event", [event]].
 *
 * docs/protocol/09-control.md. Both ends use it: petreld, petrelctl and any other client. It finds
 * where a message ends without trusting a count, checks parameters against control/methods.h, and
 * reads and writes maps with text keys. It allocates nothing; slices borrow the caller's bytes.
 */
#ifndef PETREL_CONTROL_CODEC_H
#define PETREL_CONTROL_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/pack.h"

enum {
    CONTROL_DEPTH = 8,      /* deepest nesting of a message */
    CONTROL_CLIENT_ID = 16, /* bytes of a client_id */
    CONTROL_MAP_MAX = 4096, /* pairs of a map, elements of an array */
};

/* Where a call is answered. */
enum control_where {
    CONTROL_HOST,  /* by the I/O thread itself */
    CONTROL_TURN,  /* in a turn of the engine */
    CONTROL_QUERY, /* by a worker with a read transaction */
};

/* Whose it is. */
enum control_whose {
    CONTROL_NODE,
    CONTROL_ACCOUNT, /* takes the parameter account */
};

enum control_type {
    CONTROL_STR,
    CONTROL_BIN,
    CONTROL_UINT,
    CONTROL_BOOL
};

struct control_method {
    const char *name;
    enum control_where where;
    enum control_whose whose;
    bool mutates;   /* needs a client_id */
    unsigned since; /* first version of the interface that has it */
};

struct control_param {
    const char *method;
    const char *name;
    enum control_type type;
    bool required;
};

/* Rows of the tables in control/methods.h; NULL behind the last one. */
const struct control_method *control_method_at(size_t i);
const struct control_param *control_param_at(size_t i);
/* NULL when there is no such method. */
const struct control_method *control_method_find(struct slice name);
/* A parameter that a method takes, client_id and account included; NULL when there is none. */
const struct control_param *control_param_find(const struct control_method *method,
                                               struct slice name);

/* Checks one params map: every parameter is known, comes once, has its type; none that is required
 * is missing; client_id is there when the method mutates. On error *which names the parameter
 * (borrowed; may be empty): ERR_UNKNOWN_PARAM, ERR_MISSING_PARAM, ERR_BAD_TYPE, ERR_MALFORMED. */
enum err control_params_check(const struct control_method *method, struct slice params,
                              struct slice *which) PETREL_MUST_USE;

/* Finds the end of the first message of a growing buffer. */
struct control_scan {
    size_t pos;                       /* first byte that was not looked at yet */
    uint64_t left[CONTROL_DEPTH + 1]; /* values that are missing, per level */
    unsigned level;
};

struct control_scan control_scan_new(void);
/* bytes: the buffer from the message's first byte on; it may only have grown since the last call.
 * ERR_OK: the message has *len bytes. ERR_NOT_NOW: more bytes are needed. ERR_MALFORMED (not an
 * array of 3 or 4, a type that is never used, too deep), ERR_TOO_LARGE (LIMIT_CONTROL_MESSAGE):
 * nothing that follows can be understood. */
enum err control_scan(struct control_scan *scan, struct slice bytes, size_t *len) PETREL_MUST_USE;

enum control_kind {
    CONTROL_REQUEST = 0,
    CONTROL_REPLY = 1,
    CONTROL_NOTIFY = 2
};

struct control_message {
    enum control_kind kind;
    uint32_t id;         /* request and reply */
    struct slice method; /* request and notification: text */
    struct slice params; /* request and notification: one encoded map */
    struct slice error;  /* reply: one encoded map, or empty */
    struct slice result; /* reply: one encoded value, or empty */
};

/* Reads one whole message. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err control_read(struct slice bytes, struct control_message *m) PETREL_MUST_USE;

/* An error as it goes over the socket. */
struct control_error {
    uint32_t code;
    struct slice name;       /* stable, "queue-full" */
    struct slice class_name; /* peer, local, state or caller */
    struct slice message;
    uint32_t retry_after_ms; /* 0: not said */
};

enum err control_error_read(struct slice map, struct control_error *e) PETREL_MUST_USE;
/* peer, local, state or caller. */
const char *control_class_name(enum err_class class);

/* Writers. params, result and event are one encoded value each. */
void control_write_request(struct writer *w, uint32_t id, const char *method, struct slice params);
void control_write_result(struct writer *w, uint32_t id, struct slice result);
/* detail, when not empty, follows the error's sentence: ": detail". */
void control_write_error(struct writer *w, uint32_t id, enum err err, uint32_t retry_after_ms,
                         struct slice detail);
void control_write_event(struct writer *w, struct slice event);

/* A map with text keys, in any order; each value is read or passed over with control_value:
 *     struct control_fields f = control_fields_begin(&r);
 *     while (control_fields_next(&f)) {
 *         struct slice value = control_value(&f);
 *         if (control_key_is(&f, "x")) ...
 *     }
 */
struct control_fields {
    struct reader *r;
    uint32_t left;
    struct slice key;
};

struct control_fields control_fields_begin(struct reader *r);
bool control_fields_next(struct control_fields *f);
bool control_key_is(const struct control_fields *f, const char *name);
/* The encoded value of the field at hand, borrowed, checked for form. */
struct slice control_value(struct control_fields *f);

/* One field of an encoded map; false (and *out as it was) when it is missing or of another type. */
bool control_get(struct slice map, const char *name, struct slice *out); /* encoded value */
bool control_get_str(struct slice map, const char *name, struct slice *out);
bool control_get_bin(struct slice map, const char *name, struct slice *out);
bool control_get_uint(struct slice map, const char *name, uint64_t *out);
bool control_get_bool(struct slice map, const char *name, bool *out);

#endif
