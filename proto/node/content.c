/* SPDX-License-Identifier: Apache-2.0 */
#include "node/content.h"

#include <string.h>

enum {
    CONTENT_FIELDS = 32, /* of a map, unknown ones included */
    CONTENT_DEPTH = 4,   /* nesting of a body */
};

/* Types whose body is text. */
static bool is_text(uint32_t type)
{
    return type == CONTENT_TEXT || type == CONTENT_REQUEST;
}

static bool needs_body(uint32_t type)
{
    return is_text(type) || type == CONTENT_INVITE_USED;
}

static size_t text_max(uint32_t type)
{
    return type == CONTENT_TEXT ? LIMIT_TEXT : LIMIT_REQUEST_TEXT;
}

/* Types whose body has members of their own in struct content, or that have none. */
static bool is_bodyless(uint32_t type)
{
    return type == CONTENT_ACCEPT || type == CONTENT_INVITE_USED;
}

bool content_known(uint32_t type)
{
    return is_text(type) || is_bodyless(type) || type == CONTENT_REKEYED;
}

/* Whether body is exactly one value in form, or nothing. */
static bool body_valid(struct slice body)
{
    struct reader r = reader_of(body);
    if (body.len == 0) {
        return true;
    }
    pack_skip(&r, CONTENT_DEPTH);
    return reader_end(&r) == ERR_OK;
}

static enum err check(const struct content *c)
{
    if (c->type == 0 || c->type > CONTENT_TYPE_MAX || c->conversation.len > CONTENT_CONVERSATION) {
        return ERR_ARGUMENT;
    }
    if (!is_text(c->type)) {
        bool fits = c->text.len == 0 && (!is_bodyless(c->type) || c->body.len == 0);
        return fits && body_valid(c->body) ? ERR_OK : ERR_ARGUMENT;
    }
    if (c->text.len > text_max(c->type)) {
        return ERR_TEXT_TOO_LONG;
    }
    bool empty = c->type == CONTENT_TEXT && c->text.len == 0;
    return empty || c->body.len > 0 || !pack_utf8_valid(c->text) ? ERR_ARGUMENT : ERR_OK;
}

static void body_write(struct writer *w, const struct content *c)
{
    if (is_text(c->type)) {
        pack_uint(w, 4);
        pack_str_slice(w, c->text);
    } else if (c->type == CONTENT_INVITE_USED) {
        pack_uint(w, 4);
        pack_bin(w, c->invite, sizeof c->invite);
    } else if (c->body.len > 0) {
        pack_uint(w, 4);
        writer_slice(w, c->body);
    }
}

enum err content_encode(struct writer *w, const struct content *content)
{
    const struct content *c = content;
    enum err err = check(c);
    if (err != ERR_OK) {
        return err;
    }
    struct writer at = *w;
    bool has_body = needs_body(c->type) || c->body.len > 0;
    pack_map(&at,
             3u + (c->conversation.len > 0) + has_body + c->has_reply_to + (c->expires_ms != 0));
    pack_uint(&at, 0);
    pack_uint(&at, c->type);
    pack_uint(&at, 1);
    pack_bin(&at, c->id, sizeof c->id);
    pack_uint(&at, 2);
    pack_uint(&at, c->sent_ms);
    if (c->conversation.len > 0) {
        pack_uint(&at, 3);
        pack_bin_slice(&at, c->conversation);
    }
    body_write(&at, c);
    if (c->has_reply_to) {
        pack_uint(&at, 5);
        pack_bin(&at, c->reply_to, sizeof c->reply_to);
    }
    if (c->expires_ms != 0) {
        pack_uint(&at, 6);
        pack_uint(&at, c->expires_ms);
    }
    if (at.err != ERR_OK) {
        return at.err;
    }
    *w = at;
    return ERR_OK;
}

/* One value, as its bytes. */
static struct slice read_value(struct reader *r)
{
    size_t before = r->pos;
    pack_skip(r, CONTENT_DEPTH);
    return r->err == ERR_OK ? slice_of(r->p + before, r->pos - before) : slice_of(NULL, 0);
}

static void read_conversation(struct reader *r, struct content *out)
{
    out->conversation = pack_read_bin(r, CONTENT_CONVERSATION);
    if (out->conversation.len == 0) {
        reader_fail(r, ERR_MALFORMED);
    }
}

/* The type is known here: key 0 comes first in an ascending map. */
static void read_body(struct reader *r, struct content *out)
{
    if (is_text(out->type)) {
        out->text = pack_read_str(r, text_max(out->type));
    } else if (out->type == CONTENT_INVITE_USED) {
        pack_read_bin_exact(r, out->invite, sizeof out->invite);
    } else if (out->type == CONTENT_ACCEPT) {
        reader_fail(r, ERR_MALFORMED);
    } else {
        out->body = read_value(r);
    }
}

static void read_field(struct reader *r, struct pack_fields *f, struct content *out)
{
    switch (f->key) {
    case 0:
        out->type = (uint32_t)pack_read_uint(r, CONTENT_TYPE_MAX);
        break;
    case 1:
        pack_read_bin_exact(r, out->id, sizeof out->id);
        break;
    case 2:
        out->sent_ms = pack_read_uint(r, UINT64_MAX);
        break;
    case 3:
        read_conversation(r, out);
        break;
    case 4:
        read_body(r, out);
        break;
    case 5:
        pack_read_bin_exact(r, out->reply_to, sizeof out->reply_to);
        out->has_reply_to = true;
        break;
    case 6:
        out->expires_ms = pack_read_uint(r, UINT64_MAX);
        if (out->expires_ms == 0) {
            reader_fail(r, ERR_MALFORMED);
        }
        break;
    default:
        pack_fields_skip(f);
    }
}

enum err content_decode(struct slice bytes, struct content *out)
{
    struct content c;
    memset(&c, 0, sizeof c);
    struct reader r = reader_of(bytes);
    struct pack_fields f = pack_fields_begin(&r, CONTENT_FIELDS);
    while (pack_fields_next(&f)) {
        read_field(&r, &f, &c);
    }
    /* Whether another type has a body is its own business. */
    pack_fields_require(&f, needs_body(c.type) ? 0x17 : 0x07);
    if (c.type == 0 || (c.type == CONTENT_TEXT && c.text.len == 0)) {
        reader_fail(&r, ERR_MALFORMED);
    }
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *out = c;
    }
    return err;
}
