/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_dht: people who know each other's IDs and nothing else. From contact.add to the receipt of
 * the first message, with daemons that form a DHT, beside c-toxcore; and lookups in networks of
 * 100, 1,000 and 10,000 simulated nodes. Fails where a figure is not as wanted. docs/bench.md.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/person.h"
#include "bench/tox_first.h"
#include "sim/dht_lookups.h"

enum {
    NODES = 50, /* of the DHT, without the people */
    RELAYS = 2,
    PAIRS = 5,
    TOX_RUNS = 3,
    ITEMS = 50,      /* looked up soon after they were put, */
    ITEMS_LATE = 50, /* and in the hour after that: each four times */
};

static const double FIRST_MS = 2000;    /* less than that, */
static const double TOX_RATIO = 5;      /* at least, */
static const double SUCCESS = 99;       /* %, at least */
static const double HOPS_GROWTH = 1.5;  /* at most, from one tenfold net to the next, */
static const double HOPS_MARGIN = 0.25; /* and so many hops that the means are off by chance */

/* Says what is not as wanted; gives whether it is. */
static bool wanted(bool good, const char *what)
{
    if (!good) {
        printf("# NOT AS WANTED: %s\n", what);
    }
    return good;
}

/* --- daemons --- */

/* Lines of configuration: in the DHT, at this port, beginning with that one (0: with nobody). */
static const char *in_dht(uint16_t port, uint16_t first, char text[static PERSON_CONFIG])
{
    int len = snprintf(text, PERSON_CONFIG, "dht.listen = 127.0.0.1:%u\n", (unsigned)port);
    if (first != 0) {
        snprintf(text + len, PERSON_CONFIG - (size_t)len, "dht.bootstrap = 127.0.0.1:%u\n",
                 (unsigned)first);
    }
    return text;
}

/* What dht.status says of this. */
static uint64_t dht_number(struct call *call, const char *name)
{
    uint64_t v = 0;
    (void)control_get_uint(call_plain(call, "dht.status"), name, &v);
    return v;
}

static void await_dht(struct call *call, const char *name, uint64_t least)
{
    for (unsigned i = 0; dht_number(call, name) < least; i++) {
        if (i > 3000) {
            rig_die("dht.status: %s does not come to %u", name, (unsigned)least);
        }
        rig_sleep_ms(10);
    }
}

/* All that the relay has, and something since `before`. */
static void await_put(struct call *relay, uint64_t before)
{
    await_dht(relay, "put", before + 1);
    for (unsigned i = 0; dht_number(relay, "put_waiting") > 0; i++) {
        if (i > 3000) {
            rig_die("dht.status: put_waiting does not come to 0");
        }
        rig_sleep_ms(10);
    }
}

/* Two fresh people, each at a relay of theirs; ms from add to delivered. */
static double meet(unsigned k, uint16_t first, struct call *relay,
                   char address[RELAYS][ADDRESS_TEXT])
{
    char home[2][RIG_HOME];
    char text[PERSON_CONFIG];
    struct person p[2];
    uint64_t put = dht_number(relay, "put");
    for (unsigned i = 0; i < 2; i++) {
        snprintf(home[i], sizeof home[i], "person%u-%u", k, i);
        rig_config(home[i], in_dht(rig_port(), first, text));
        person_open(&p[i], home[i], address[i]);
        person_listen(&p[i]);
        await_dht(p[i].call, "good4", 1);
    }
    await_put(relay, put);
    uint64_t began = rig_ns();
    for (unsigned i = 0; i < 2; i++) {
        call_begin(p[i].call);
        call_text(p[i].call, "link", p[1 - i].id);
        (void)call_run(p[i].call, "contact.add");
    }
    call_begin(p[0].call);
    call_text(p[0].call, "contact", p[1].id);
    call_text(p[0].call, "text", "nobody told me where you are");
    (void)call_run(p[0].call, "message.send");
    person_await(&p[0], "message.delivered", NULL);
    double ms = (double)(rig_ns() - began) / 1e6;
    for (unsigned i = 0; i < 2; i++) {
        person_close(&p[i]);
    }
    return ms;
}

static double ours(void)
{
    static struct rig_daemon nodes[NODES];
    static const char *const args[] = {"--listen", "127.0.0.1:0", NULL};
    char address[RELAYS][ADDRESS_TEXT];
    char home[RIG_HOME];
    char text[PERSON_CONFIG];
    double ms[PAIRS];
    uint16_t first = rig_port();
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(home, sizeof home, "node%u", i);
        in_dht(i == 0 ? first : rig_port(), i == 0 ? 0 : first, text);
        if (i > 0 && i <= RELAYS) {
            person_relay(&nodes[i], home, text, address[i - 1]);
        } else {
            rig_config(home, text);
            (void)rig_start(&nodes[i], home, args, -1);
        }
    }
    struct call *relay = call_open("node2", nodes[2].pid); /* of who is found */
    await_dht(relay, "good4", 8);
    for (unsigned k = 0; k < PAIRS; k++) {
        ms[k] = meet(k, first, relay, address);
    }
    call_close(relay);
    for (unsigned i = 0; i < NODES; i++) {
        rig_stop(&nodes[i]);
    }
    printf("# ours: %d pairs, %.0f to %.0f ms\n", (int)PAIRS, rig_percentile(ms, PAIRS, 0),
           rig_percentile(ms, PAIRS, 100));
    return rig_median(ms, PAIRS);
}

static bool first_message(void)
{
    double tox[TOX_RUNS];
    double ms = ours();
    for (unsigned k = 0; k < TOX_RUNS; k++) {
        tox[k] = tox_first_ms(NODES);
    }
    double ratio = rig_median(tox, TOX_RUNS) / ms;
    printf("# c-toxcore: %d pairs, %.0f to %.0f ms\n", (int)TOX_RUNS,
           rig_percentile(tox, TOX_RUNS, 0), rig_percentile(tox, TOX_RUNS, 100));
    rig_value("dht_first_message_ms", ms, "ms");
    rig_value("dht_first_message_vs_tox_ratio", ratio, "");
    bool soon = wanted(ms < FIRST_MS, "the first message takes less than 2 s");
    return wanted(ratio >= TOX_RATIO, "c-toxcore takes 5 times as long") && soon;
}

/* --- simulated nodes --- */

static void value_of(const char *what, uint32_t nodes, double value, const char *unit)
{
    char name[64];
    snprintf(name, sizeof name, "%s%u", what, (unsigned)nodes);
    rig_value(name, value, unit);
}

/* Gives the mean number of hops. good: whether enough was found, in the minute after a put and in
 * the hour after it. */
static double lookups(uint32_t nodes, bool *good)
{
    struct dht_net *net = dht_net_new(&(struct dht_net_options){.seed = nodes,
                                                                .nodes = nodes,
                                                                .liars_percent = 10,
                                                                .replaced_percent = 20,
                                                                .lost_percent = 1});
    struct dht_lookups soon = dht_lookups_soon(net, ITEMS, 0);
    struct dht_lookups late = dht_lookups_late(net, ITEMS_LATE);
    struct dht_lookups all = dht_lookups_sum(&soon, &late);
    printf("# %u nodes, 10 %% lie, %llu were replaced\n", (unsigned)nodes,
           (unsigned long long)dht_net_stats(net).replaced);
    dht_lookups_show("# soon", &soon);
    dht_lookups_show("# late", &late);
    dht_net_free(net);
    *good = 100.0 * soon.newest >= SUCCESS * soon.lookups &&
            100.0 * late.newest >= SUCCESS * late.lookups;
    double hops = (double)all.hops / all.lookups;
    value_of("dht_lookup_success_", nodes, 100.0 * all.newest / all.lookups, "%");
    value_of("dht_lookup_hops_", nodes, hops, "hops");
    value_of("dht_lookup_messages_", nodes, (double)all.queries / all.lookups, "queries");
    return hops;
}

/* Ten times the nodes are as many hops more, however many there were: what grows faster than the
 * logarithm takes ever larger steps. */
static bool lookups_grow(void)
{
    bool good[3];
    double few = lookups(100, &good[0]);
    double more = lookups(1000, &good[1]);
    double most = lookups(10000, &good[2]);
    bool found = wanted(good[2], "99 % find what is newest among 10,000");
    return wanted(most - more <= HOPS_GROWTH * (more - few) + HOPS_MARGIN,
                  "hops grow with the logarithm") &&
           found;
}

int main(void)
{
    rig_begin();
    bool good = first_message();
    good = lookups_grow() && good;
    rig_end();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
