/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_idle: what a daemon costs that has nothing to do: its memory, its wake-ups, an idle link;
 * and how fast it starts. docs/bench.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/call.h"
#include "bench/net.h"
#include "bench/queues.h"
#include "bench/rig.h"
#include "node/address.h"
#include "relay/queue.h"

enum {
    LINKS = 5000,
    SETTLE_S = 10, /* after the last handshake */
    STARTS = 11,
    STARTS_PASS = 5,
    IDLE_S = 10,
    OPEN_S = 180, /* for all handshakes */
};

static const char *const no_args[] = {"--listen", "127.0.0.1:0", NULL};

/* --- idle links --- */

struct links {
    struct bench_queue *queues;
    size_t attached;
};

static void on_open(void *ctx, struct net_conn *conn)
{
    struct links *l = ctx;
    uint8_t body[512];
    struct writer w = writer_of(body, sizeof body);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    if (queue_attach_write(&w, &arena, link_hash(conn->link), &l->queues[conn->number].sk) !=
        ERR_OK) {
        rig_die("attach cannot be written");
    }
    net_send_frame(conn, FRAME_QUEUE_ATTACH, 1, writer_done(&w));
    arena_fini(&arena);
}

static void on_frame(void *ctx, struct net_conn *conn, struct slice data)
{
    struct links *l = ctx;
    struct frame frame;
    struct queue_attach_reply reply;
    (void)conn;
    if (frame_read(data, &frame) != ERR_OK || frame.kind != FRAME_QUEUE_ATTACH + FRAME_REPLY ||
        queue_attach_reply_read(frame.body, &reply) != ERR_OK || reply.head.err != ERR_OK) {
        rig_die("attach was refused");
    }
    l->attached++;
}

static struct sign_pk node_of(const struct rig_daemon *d)
{
    char text[ADDRESS_TEXT];
    struct address address;
    struct call *call = call_open(d->home, d->pid);
    call_take(call_plain(call, "daemon.status"), "node", text, sizeof text);
    call_close(call);
    if (address_parse(slice_of(text, strlen(text)), &address) != ERR_OK) {
        rig_die("the relay's address cannot be read");
    }
    return address.node_id;
}

static void idle_links(void)
{
    char listen[32];
    struct rig_daemon relay;
    struct links l = {.queues = queues_make("relay", LINKS, 0)};
    uint16_t port = rig_port();
    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)port);
    const char *const args[] = {"--listen", listen, "--relay", NULL};
    (void)rig_start(&relay, "relay", args, -1);
    struct sign_pk node = node_of(&relay);
    rig_sleep_ms(1000);
    uint64_t before = rig_status(relay.pid, "VmRSS:");
    const struct net_config config = {.port = port,
                                      .count = LINKS,
                                      .node = &node,
                                      .ctx = &l,
                                      .on_open = on_open,
                                      .on_data = on_frame};
    uint64_t began = rig_ns();
    struct net *net = net_open(&config);
    while (l.attached < LINKS) {
        net_poll(net, 1000);
        if (rig_ns() - began > OPEN_S * UINT64_C(1000000000)) {
            rig_die("only %zu of %d links are attached", l.attached, (int)LINKS);
        }
    }
    double seconds = (double)(rig_ns() - began) / 1e9;
    rig_sleep_ms(SETTLE_S * 1000);
    uint64_t after = rig_status(relay.pid, "VmRSS:");
    uint64_t wakeups = rig_wakeups(relay.pid);
    rig_sleep_ms(IDLE_S * 1000);
    wakeups = rig_wakeups(relay.pid) - wakeups;
    printf("# relay: VmRSS %llu KiB without links, %llu KiB with %d\n", (unsigned long long)before,
           (unsigned long long)after, (int)LINKS);
    rig_value("idle_link_bytes", (double)(after - before) * 1024 / LINKS, "bytes");
    rig_value("link_open_per_s", LINKS / seconds, "1/s");
    rig_value("idle_links_wakeups_per_s", (double)wakeups / IDLE_S, "1/s");
    net_close(net);
    rig_stop(&relay);
    free(l.queues);
}

/* --- an idle daemon with an account --- */

static void make_account(const char *home, const char *passphrase)
{
    struct rig_daemon d;
    (void)rig_start(&d, home, no_args, -1);
    struct call *call = call_open(home, d.pid);
    call_begin(call);
    if (passphrase != NULL) {
        call_text(call, "passphrase", passphrase);
    }
    (void)call_run(call, "account.create");
    call_close(call);
    rig_stop(&d);
}

static void idle_daemon(void)
{
    struct rig_daemon d;
    (void)rig_start(&d, "key", no_args, -1);
    rig_sleep_ms(2000);
    uint64_t rss = rig_status(d.pid, "VmRSS:");
    uint64_t wakeups = rig_wakeups(d.pid);
    rig_sleep_ms(IDLE_S * 1000);
    wakeups = rig_wakeups(d.pid) - wakeups;
    rig_value("idle_rss_kib", (double)rss, "KiB");
    rig_value("idle_wakeups_per_s", (double)wakeups / IDLE_S, "1/s");
    rig_stop(&d);
}

/* --- start --- */

static int passphrase_pipe(const char *passphrase)
{
    int ends[2];
    size_t len = strlen(passphrase);
    if (pipe(ends) != 0 || write(ends[1], passphrase, len) != (ssize_t)len) {
        rig_die("pipe");
    }
    close(ends[1]);
    return ends[0];
}

static double start_ms(const char *home, const char *passphrase, size_t times)
{
    double ms[STARTS];
    for (size_t i = 0; i < times; i++) {
        struct rig_daemon d;
        int fd = passphrase != NULL ? passphrase_pipe(passphrase) : -1;
        ms[i] = (double)rig_start(&d, home, no_args, fd) / 1e6;
        if (fd >= 0) {
            close(fd);
        }
        rig_stop(&d);
    }
    return rig_median(ms, times);
}

int main(void)
{
    rig_begin();
    make_account("key", NULL);
    make_account("pass", "correct horse");
    rig_value("start_ms", start_ms("key", NULL, STARTS), "ms");
    rig_value("start_pass_ms", start_ms("pass", "correct horse", STARTS_PASS), "ms");
    idle_daemon();
    idle_links();
    rig_end();
    return EXIT_SUCCESS;
}
