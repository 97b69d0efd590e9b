/* SPDX-License-Identifier: Apache-2.0
 *
 * udp: this node's part of the Mainline DHT over UDP: sockets for IPv4 and IPv6, a timer, and a
 * proto/dht node that they drive. docs/protocol/11-dht.md.
 *
 * Owns sockets, timer and node; I/O thread only. Its clock is the loop's, which is never set.
 */
#ifndef PETREL_DAEMON_IO_UDP_H
#define PETREL_DAEMON_IO_UDP_H

#include <stdint.h>

#include <uv.h>

#include "daemon/logger.h"
#include "dht/dht.h"

struct udp;

struct udp_config {
    uv_loop_t *uv;
    struct logger *log;
    bool read_only;
    /* Items and ends of operations; never a datagram. Called from within the loop, and from
     * udp_flush. */
    void (*result)(void *ctx, const struct dht_output *out);
    void *ctx;
};

enum err udp_new(struct udp **out, const struct udp_config *config) PETREL_MUST_USE;
/* Binds: host is a numeric address of either family, or empty for all addresses of both; *bound is
 * the real port, the same in both. Errors as tcp_listen. */
enum err udp_listen(struct udp *udp, const char *host, uint16_t port,
                    uint16_t *bound) PETREL_MUST_USE;
/* A node to begin with, by its address. */
void udp_bootstrap(struct udp *udp, const struct sockaddr *address);
/* The node, once udp_listen was called; after each use: udp_flush. */
struct dht *udp_dht(struct udp *udp);
const struct env *udp_env(struct udp *udp);
/* Sends what the node has to send, hands out results, and sets the timer. */
void udp_flush(struct udp *udp);

/* Closes the handles, which are gone when the loop has nothing left to do. */
void udp_stop(struct udp *udp);
bool udp_idle(const struct udp *udp);
/* After the loop has ended. NULL is fine. */
void udp_free(struct udp *udp);

#endif
