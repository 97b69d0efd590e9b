/* SPDX-License-Identifier: Apache-2.0
 *
 * socks: the client's side of SOCKS 5 (RFC 1928), with user and password (RFC 1929): bytes out,
 * bytes in, until the proxy has connected or said why not. docs/protocol/03-link.md, section 3.8.
 *
 * Owns nothing and does no I/O: tcp_proxy drives it. Names go to the proxy as they are, so that
 * nobody is asked for them here.
 */
#ifndef PETREL_DAEMON_IO_SOCKS_H
#define PETREL_DAEMON_IO_SOCKS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

enum {
    SOCKS_MESSAGE = 4 + 1 + 255 + 2, /* the longest one: head, length, name, port */
};

/* What the proxy asks who we are. */
struct socks_user {
    char name[LIMIT_PROXY_WORD + 1];
    char password[LIMIT_PROXY_WORD + 1];
};

/* The proxy that all links that we dial go through, and nothing goes around. */
struct socks_proxy {
    char host[LIMIT_HOST + 1]; /* empty: there is none */
    uint16_t port;
    struct socks_user user; /* empty: another one for each link, so that a proxy that builds
                               circuits (Tor) puts no two of them on one */
};

enum socks_state {
    SOCKS_METHOD,  /* the methods that we know were sent */
    SOCKS_USER,    /* user and password */
    SOCKS_CONNECT, /* where to */
    SOCKS_DONE,    /* what follows is between us and the other end */
    SOCKS_FAILED,
};

/* Secret when user is. */
struct socks {
    enum socks_state state;
    enum err err; /* why it failed: ERR_PROXY, or ERR_UNREACHABLE of the other end */
    bool works;   /* the proxy has tried, whatever came of it */
    struct socks_user user;
    char host[LIMIT_HOST + 1];
    uint16_t port;
    uint8_t in[SOCKS_MESSAGE]; /* an answer that is not complete */
    size_t in_len;
    uint8_t out[SOCKS_MESSAGE];
    size_t out_len; /* to be sent now */
};

/* Begins: socks_output is the first message. host: canonical, name or address (hostname_canonical);
 * user: with both words, or with none. */
void socks_begin(struct socks *s, const char *host, uint16_t port, const struct socks_user *user);
/* What is to be sent, once; the caller has sent it before it calls socks_receive. */
struct slice socks_output(struct socks *s);
/* Bytes of the proxy. What follows the last answer is an error: the other end waits for us. */
enum socks_state socks_receive(struct socks *s, struct slice bytes) PETREL_MUST_USE;

#endif
