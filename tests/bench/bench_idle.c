/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_idle: what a daemon costs that has nothing to do: its memory, its wake-ups, an idle link;
 * and how fast it starts. docs/bench.md.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/call.h"
#include "bench/filled.h"
#include "bench/net.h"
#include "bench/person.h"
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
    CONTACTS = 1000,
    MESSAGES = 100000,
    READY_S = 60,
    ATTACHED_SETTLE_S = 45, /* what it had to forget is forgotten */
    ATTACHED_S = 130,       /* longer than a link is silent before a ping */
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
    rig_value("idle_rss_kib", (double)rig_status(d.pid, "VmRSS:"), "KiB");
    rig_stop(&d);
}

/* --- wake-ups of an idle daemon that is attached to its relay, and of the relay --- */

struct slept {
    uint64_t io; /* the thread for sockets, which is the main one */
    uint64_t all;
};

static struct slept slept(pid_t pid)
{
    return (struct slept){.io = rig_status(pid, "voluntary_ctxt_switches:"),
                          .all = rig_wakeups(pid)};
}

static void print_slept(const char *name, const char *who, pid_t pid, const struct slept *before)
{
    struct slept now = slept(pid);
    uint64_t io = now.io - before->io;
    uint64_t all = now.all - before->all;
    printf("# %s, in %d s: the thread for sockets %llu, all others %llu\n", who, (int)ATTACHED_S,
           (unsigned long long)io, (unsigned long long)(all - io));
    rig_value(name, (double)all * 60 / ATTACHED_S, "1/min");
}

static void attached(void)
{
    char address[ADDRESS_TEXT];
    struct rig_daemon relay;
    struct person p;
    person_relay(&relay, "its-relay", "", address);
    person_open(&p, "attached", address);
    rig_sleep_ms(ATTACHED_SETTLE_S * 1000);
    struct slept member = slept(p.daemon.pid);
    struct slept host = slept(relay.pid);
    rig_sleep_ms(ATTACHED_S * 1000);
    print_slept("idle_wakeups_per_min", "attached", p.daemon.pid, &member);
    print_slept("idle_relay_wakeups_per_min", "its relay", relay.pid, &host);
    person_close(&p);
    rig_stop(&relay);
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

/* Reads the log of a daemon until it says that it is ready. */
static void await_ready(int log, uint64_t began)
{
    static const char wanted[] = "ready version";
    char text[8192];
    size_t len = 0;
    do {
        struct pollfd p = {.fd = log, .events = POLLIN};
        (void)poll(&p, 1, 100);
        ssize_t n = read(log, text + len, sizeof text - 1 - len);
        len += n > 0 ? (size_t)n : 0;
        text[len] = '\0';
        if (rig_ns() - began > READY_S * UINT64_C(1000000000) || len == sizeof text - 1) {
            rig_die("the daemon is not ready: %s", text);
        }
    } while (strstr(text, wanted) == NULL);
}

/* From before the fork to the line that says ready, of a home that is in the page cache. */
static double ready_ms(const char *home)
{
    double ms[STARTS];
    char log[RIG_HOME + 8];
    const char *const argv[] = {
        PETREL_BINARY_DIR "/petreld", "--home", home, "--listen", "127.0.0.1:0", NULL};
    (void)snprintf(log, sizeof log, "%s.log", home);
    if (unlink(log) != 0 || mkfifo(log, 0600) != 0) {
        rig_die("%s", log);
    }
    /* Open for writing too: else poll returns at once while no daemon has it open. */
    int fd = open(log, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        rig_die("%s", log);
    }
    for (int i = -1; i < STARTS; i++) { /* the first one reads the home from the disk */
        struct rig_daemon d;
        uint64_t began = rig_ns();
        (void)snprintf(d.home, sizeof d.home, "%s", home);
        d.pid = rig_run(home, argv);
        await_ready(fd, began);
        ms[i < 0 ? 0 : i] = (double)(rig_ns() - began) / 1e6;
        rig_stop(&d);
        char rest[8192];
        while (read(fd, rest, sizeof rest) > 0) {
        }
    }
    (void)close(fd);
    return rig_median(ms, STARTS);
}

static void start_filled(void)
{
    struct rig_daemon d;
    (void)rig_start(&d, "filled", no_args, -1);
    struct call *call = call_open("filled", d.pid);
    (void)filled_account(call, CONTACTS, MESSAGES);
    call_close(call);
    rig_stop(&d);
    printf("# %d contacts, %d messages of %d bytes\n", (int)CONTACTS, (int)MESSAGES,
           (int)FILLED_TEXT);
    rig_value("start_ms", ready_ms("filled"), "ms");
}

int main(void)
{
    rig_begin();
    start_filled();
    make_account("key", NULL);
    make_account("pass", "correct horse");
    rig_value("start_empty_ms", start_ms("key", NULL, STARTS), "ms");
    rig_value("start_pass_ms", start_ms("pass", "correct horse", STARTS_PASS), "ms");
    idle_daemon();
    attached();
    idle_links();
    rig_end();
    return EXIT_SUCCESS;
}
