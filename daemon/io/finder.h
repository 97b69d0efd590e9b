/* SPDX-License-Identifier: Apache-2.0
 *
 * finder: carries out what the core asks of the DHT, and begins with the nodes that the operator
 * named. docs/protocol/11-dht.md, 11.8.
 *
 * Puts wait for each other, so that gets always find a place. Owns the UDP part and what waits; I/O
 * thread only.
 */
#ifndef PETREL_DAEMON_IO_FINDER_H
#define PETREL_DAEMON_IO_FINDER_H

#include <stdint.h>

#include <uv.h>

#include "daemon/engine.h"
#include "daemon/logger.h"
#include "dht/types.h"

enum {
    FINDER_HOSTS = 32, /* to begin with */
};

struct finder;

struct finder_config {
    uv_loop_t *uv;
    struct logger *log;
    bool read_only;
};

enum err finder_new(struct finder **out, const struct finder_config *config) PETREL_MUST_USE;
/* Errors as udp_listen. */
enum err finder_listen(struct finder *finder, const char *host, uint16_t port,
                       uint16_t *bound) PETREL_MUST_USE;
/* A node to begin with, before finder_start: its name is looked up then, and again while nobody is
 * known. Beyond FINDER_HOSTS they are left out. */
void finder_host(struct finder *finder, const char *host, uint16_t port);
void finder_start(struct finder *finder, struct engine *engine);
/* Carries out NODE_OUT_DHT_GET, _PUT, _TABLE and _NODE. */
void finder_output(struct finder *finder, const struct node_output *o);

struct finder_status {
    struct dht_status dht;
    uint64_t puts;        /* of descriptors that came to their end */
    uint64_t put_ms;      /* when one was stored last, Unix ms; 0: never */
    uint64_t put_waiting; /* for their turn */
    uint64_t put_failed;  /* nobody took it, or there was no room */
    uint64_t kept_ms;     /* when the table was kept last, Unix ms; 0: never */
};
void finder_status(const struct finder *finder, struct finder_status *out);

void finder_stop(struct finder *finder);
bool finder_idle(const struct finder *finder);
/* After the loop has ended. NULL is fine. */
void finder_free(struct finder *finder);

#endif
