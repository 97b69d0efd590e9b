/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_latency: from message.send on Alice's control socket to the event on Bob's, one message at
 * a time, real daemons on this machine: through the one relay of both, and through Alice's relay,
 * which passes on to Bob's. docs/bench.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/disk.h"
#include "bench/person.h"

enum {
    SAMPLES = 1000,
    WARM = 200,       /* messages before, so that the session is warm and tokens are in stock */
    STOCK_EVERY = 16, /* samples between two looks at the stock */
    STOCK_MIN = 32,   /* tokens that must be there then */
    DISK_EVERY = 96,  /* samples between two looks at the disk */
    DISK_SAMPLES = 40,
    DISK_LOOKS = SAMPLES / DISK_EVERY + 1,
    LIMIT_FLUSHES = 6, /* wanted with a forwarder between: so many times the disk's own time, */
    LIMIT_REST_MS = 3, /* and this */
};

/* Sends one text and waits for the event with it: ms. */
static double send_one(struct person *from, struct person *to, unsigned n)
{
    char text[64];
    snprintf(text, sizeof text, "message %u, about as long as most are", n);
    uint64_t began = rig_ns();
    call_begin(from->call);
    call_text(from->call, "contact", to->id);
    call_text(from->call, "text", text);
    (void)call_run(from->call, "message.send");
    person_await(to, "message.received", text);
    return (double)(rig_ns() - began) / 1e6;
}

static double cpu_ms(const struct rig_daemon *d)
{
    return rig_cpu(d->pid) * 1000;
}

/* Sends all, and prints medians as <name>_p50_ms and <name>_p99_ms; what the disk alone took in the
 * meantime, ms. */
static double measure(const char *name, struct person *alice, struct person *bob, double *p50)
{
    static double ms[SAMPLES];
    double disk[DISK_LOOKS];
    char line[64];
    uint64_t least = UINT64_MAX;
    size_t looks = 0;
    for (unsigned i = 0; i < WARM; i++) {
        if (i % STOCK_EVERY == 0 && i > 0) {
            (void)person_tokens(alice, STOCK_MIN);
        }
        (void)send_one(alice, bob, i);
    }
    double cpu[] = {cpu_ms(&alice->daemon), cpu_ms(&bob->daemon)};
    for (unsigned i = 0; i < SAMPLES; i++) {
        if (i % STOCK_EVERY == 0) {
            uint64_t tokens = person_tokens(alice, STOCK_MIN);
            least = tokens < least ? tokens : least;
        }
        if (i % DISK_EVERY == 0) {
            disk[looks++] = disk_fsync_ms(DISK_SAMPLES);
        }
        ms[i] = send_one(alice, bob, WARM + i);
    }
    printf("# %d samples; at least %llu tokens at each look, every %d messages; CPU ms a message: "
           "Alice %.2f, Bob %.2f\n",
           (int)SAMPLES, (unsigned long long)least, (int)STOCK_EVERY,
           (cpu_ms(&alice->daemon) - cpu[0]) / SAMPLES, (cpu_ms(&bob->daemon) - cpu[1]) / SAMPLES);
    *p50 = rig_percentile(ms, SAMPLES, 50);
    printf("# p10 %.2f ms, p25 %.2f ms, p75 %.2f ms, p90 %.2f ms\n",
           rig_percentile(ms, SAMPLES, 10), rig_percentile(ms, SAMPLES, 25),
           rig_percentile(ms, SAMPLES, 75), rig_percentile(ms, SAMPLES, 90));
    snprintf(line, sizeof line, "%s_p50_ms", name);
    rig_value(line, *p50, "ms");
    snprintf(line, sizeof line, "%s_p99_ms", name);
    rig_value(line, rig_percentile(ms, SAMPLES, 99), "ms");
    return rig_median(disk, looks);
}

/* Alice and Bob, on one relay or on one each. */
static double run(const char *name, bool apart, double *p50)
{
    char homes[4][RIG_HOME];
    const char *const parts[] = {"relay1", "relay2", "alice", "bob"};
    char address[2][ADDRESS_TEXT];
    struct rig_daemon relay[2];
    struct person alice;
    struct person bob;
    size_t relays = apart ? 2 : 1;
    for (size_t i = 0; i < 4; i++) {
        snprintf(homes[i], sizeof homes[i], "%s-%s", parts[i], apart ? "apart" : "one");
    }
    for (size_t i = 0; i < relays; i++) {
        person_relay(&relay[i], homes[i], "", address[i]);
    }
    person_open(&alice, homes[2], address[0]);
    person_open(&bob, homes[3], address[relays - 1]);
    person_meet(&alice, &bob);
    person_listen(&bob);
    double disk = measure(name, &alice, &bob, p50);
    person_close(&alice);
    person_close(&bob);
    for (size_t i = 0; i < relays; i++) {
        rig_stop(&relay[i]);
    }
    return disk;
}

int main(void)
{
    double p50;
    rig_begin();
    (void)run("latency", false, &p50);
    double disk = run("latency_forwarded", true, &p50);
    double limit = LIMIT_FLUSHES * disk + LIMIT_REST_MS;
    rig_value("latency_fsync_p50_ms", disk, "ms");
    rig_value("latency_forwarded_limit_ms", limit, "ms");
    printf("# latency_forwarded_p50_ms <= %d x latency_fsync_p50_ms + %d: %s\n", (int)LIMIT_FLUSHES,
           (int)LIMIT_REST_MS, p50 <= limit ? "holds" : "missed");
    rig_end();
    return EXIT_SUCCESS;
}
