/* SPDX-License-Identifier: Apache-2.0
 *
 * loop: the I/O thread: one libuv loop with the links, the control socket, timers and signals, and
 * the two queues to and from the engine. docs/architecture.md.
 *
 * Life: loop_new, loop_listen, engine_start (with loop_wake), loop_start, loop_run, engine and
 * loop freed. Everything but loop_wake belongs to the thread that runs it.
 */
#ifndef PETREL_DAEMON_IO_LOOP_H
#define PETREL_DAEMON_IO_LOOP_H

#include <stdint.h>

#include "daemon/engine.h"
#include "daemon/io/socks.h"
#include "daemon/keyring.h"
#include "daemon/logger.h"

struct loop;

struct loop_config {
    struct logger *log;        /* borrowed, as is all that follows */
    void (*reload)(void *ctx); /* SIGHUP; may be NULL */
    void *reload_ctx;
};

enum err loop_new(struct loop **out, const struct loop_config *config) PETREL_MUST_USE;
/* Binds the port for links; *bound is the real one. Errors as tcp_listen, which logs them. */
enum err loop_listen(struct loop *loop, const char *host, uint16_t port,
                     uint16_t *bound) PETREL_MUST_USE;
/* Links go out through it, before loop_start. It is copied. */
void loop_set_proxy(struct loop *loop, const struct socks_proxy *proxy);
/* Takes part in the DHT, before loop_start. Errors as udp_listen, which logs them. */
enum err loop_listen_dht(struct loop *loop, const char *host, uint16_t port, bool read_only,
                         uint16_t *bound) PETREL_MUST_USE;
/* A node of the DHT to begin with; after loop_listen_dht. */
void loop_dht_host(struct loop *loop, const char *host, uint16_t port);
/* Tells the loop, from any thread, that the engine has something for it. */
void loop_wake(void *loop);
/* Opens the control socket on path and begins to take links, calls and signals. */
enum err loop_start(struct loop *loop, struct engine *engine, struct store_lmdb *db,
                    const struct keyring *keyring, const char *path, bool relay) PETREL_MUST_USE;
/* Runs until SIGTERM, SIGINT, daemon.stop or a failure of the engine; then closes everything in
 * order. ERR_OK, or why the engine gave up. */
enum err loop_run(struct loop *loop) PETREL_MUST_USE;
/* Also after a failed start. NULL is fine. */
void loop_free(struct loop *loop);

#endif
