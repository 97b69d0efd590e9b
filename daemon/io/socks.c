/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/socks.h"

#include <assert.h>
#include <string.h>

#include "node/hostname.h"

enum {
    SOCKS_VERSION = 5,
    SOCKS_NO_AUTH = 0x00, /* methods, RFC 1928, section 3 */
    SOCKS_PASSWORD = 0x02,
    SOCKS_PASSWORD_VERSION = 1, /* RFC 1929 */
    SOCKS_CMD_CONNECT = 1,
    SOCKS_IPV4 = 1, /* kinds of address, section 5 */
    SOCKS_NAME = 3,
    SOCKS_IPV6 = 4,
    SOCKS_HEAD = 4, /* of an answer: version, reply, 0, kind of address */
};

static enum socks_state fail(struct socks *s, enum err err)
{
    s->err = err;
    s->out_len = 0;
    return s->state = SOCKS_FAILED;
}

static void put(struct socks *s, const void *bytes, size_t len)
{
    assert(len <= sizeof s->out - s->out_len);
    memcpy(s->out + s->out_len, bytes, len);
    s->out_len += len;
}

static void put_u8(struct socks *s, size_t byte)
{
    uint8_t b = (uint8_t)byte;
    put(s, &b, 1);
}

static void put_word(struct socks *s, const char *word)
{
    put_u8(s, strlen(word));
    put(s, word, strlen(word));
}

void socks_begin(struct socks *s, const char *host, uint16_t port, const struct socks_user *user)
{
    *s = (struct socks){.state = SOCKS_METHOD, .user = *user, .port = port};
    assert(strlen(host) < sizeof s->host);
    memcpy(s->host, host, strlen(host) + 1);
    bool known = user->name[0] != '\0';
    put_u8(s, SOCKS_VERSION);
    put_u8(s, known ? 2 : 1);
    put_u8(s, SOCKS_NO_AUTH);
    if (known) {
        put_u8(s, SOCKS_PASSWORD);
    }
}

struct slice socks_output(struct socks *s)
{
    struct slice out = slice_of(s->out, s->out_len);
    s->out_len = 0;
    return out;
}

static void put_user(struct socks *s)
{
    put_u8(s, SOCKS_PASSWORD_VERSION);
    put_word(s, s->user.name);
    put_word(s, s->user.password);
    s->state = SOCKS_USER;
}

static void put_connect(struct socks *s)
{
    const uint8_t head[] = {SOCKS_VERSION, SOCKS_CMD_CONNECT, 0};
    uint8_t address[16];
    struct slice host = slice_of(s->host, strlen(s->host));
    put(s, head, sizeof head);
    if (hostname_ipv4(host, address)) {
        put_u8(s, SOCKS_IPV4);
        put(s, address, 4);
    } else if (hostname_ipv6(host, address)) {
        put_u8(s, SOCKS_IPV6);
        put(s, address, 16);
    } else {
        put_u8(s, SOCKS_NAME);
        put_word(s, s->host);
    }
    put_u8(s, s->port >> 8);
    put_u8(s, s->port & 0xff);
    s->state = SOCKS_CONNECT;
}

/* How long the answer is that we wait for, as far as what is there of it tells. */
static size_t wanted(const struct socks *s)
{
    const size_t least = SOCKS_HEAD + 1;
    if (s->state != SOCKS_CONNECT) {
        return 2;
    }
    if (s->in_len < least) {
        return least;
    }
    switch (s->in[3]) {
    case SOCKS_IPV4:
        return SOCKS_HEAD + 4 + 2;
    case SOCKS_IPV6:
        return SOCKS_HEAD + 16 + 2;
    default: /* a name; look has seen to that */
        return SOCKS_HEAD + 1 + (size_t)s->in[4] + 2;
    }
}

/* RFC 1928, section 6: what the other end did, or, all else, what the proxy did. */
static enum err reply_err(uint8_t reply)
{
    switch (reply) {
    case 1: /* general failure: of a proxy that cannot say more */
    case 3: /* network unreachable */
    case 4: /* host unreachable */
    case 5: /* connection refused */
    case 6: /* TTL expired */
    case 8: /* this kind of address is not supported */
        return ERR_UNREACHABLE;
    default: /* 2, not allowed: the proxy's rules, not those of the other end */
        return ERR_PROXY;
    }
}

/* A whole answer is there, that look found nothing wrong with. */
static enum socks_state answered(struct socks *s)
{
    uint8_t word = s->in[1];
    if (s->state == SOCKS_CONNECT) {
        s->works = true;
        return s->state = SOCKS_DONE;
    }
    if (s->state == SOCKS_METHOD && word == SOCKS_PASSWORD && s->user.name[0] != '\0') {
        put_user(s);
    } else if (word == 0) { /* no user is wanted; or ours is welcome */
        put_connect(s);
    } else {
        return fail(s, ERR_PROXY);
    }
    return s->state;
}

/* What the first bytes of an answer say already, so that nobody waits for the rest of it. */
static enum err look(struct socks *s)
{
    bool connect = s->state == SOCKS_CONNECT;
    if (s->in[0] != (s->state == SOCKS_USER ? SOCKS_PASSWORD_VERSION : SOCKS_VERSION)) {
        return ERR_PROXY;
    }
    if (connect && s->in_len == 2 && s->in[1] != 0) {
        s->works = s->in[1] != 1;
        return reply_err(s->in[1]);
    }
    bool known = s->in[3] == SOCKS_IPV4 || s->in[3] == SOCKS_NAME || s->in[3] == SOCKS_IPV6;
    return connect && s->in_len == SOCKS_HEAD && !known ? ERR_PROXY : ERR_OK;
}

enum socks_state socks_receive(struct socks *s, struct slice bytes)
{
    if (s->state >= SOCKS_DONE || s->out_len > 0) {
        return fail(s, ERR_PROXY); /* it speaks before it is asked */
    }
    for (size_t i = 0; i < bytes.len; i++) {
        if (s->state == SOCKS_DONE || s->out_len > 0) {
            return fail(s, ERR_PROXY);
        }
        s->in[s->in_len++] = bytes.p[i];
        enum err err = look(s);
        if (err != ERR_OK) {
            return fail(s, err);
        }
        if (s->in_len == wanted(s)) {
            if (answered(s) == SOCKS_FAILED) {
                return s->state;
            }
            s->in_len = 0;
        }
    }
    return s->state;
}
