/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_dht: people who know each other's IDs and nothing else. From contact.add to the receipt of
 * the first message, with daemons that form a DHT, beside c-toxcore; and lookups in networks of
 * 100, 1,000 and 10,000 simulated nodes. docs/bench.md.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/person.h"
#include "bench/tox_first.h"
#include "sim/dht_net.h"

enum {
    NODES = 50, /* of the DHT, without the people */
    RELAYS = 2,
    PAIRS = 5,
    TOX_RUNS = 3,
    ITEMS = 50, /* each is looked up four times */
};

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

/* Two fresh people, each at a relay of theirs; ms from add to delivered. */
static double meet(unsigned k, uint16_t first, struct call *relay,
                   char address[RELAYS][ADDRESS_TEXT])
{
    char home[2][RIG_HOME];
    char text[PERSON_CONFIG];
    struct person p[2];
    for (unsigned i = 0; i < 2; i++) {
        snprintf(home[i], sizeof home[i], "person%u-%u", k, i);
        rig_config(home[i], in_dht(rig_port(), first, text));
        person_open(&p[i], home[i], address[i]);
        person_listen(&p[i]);
        await_dht(p[i].call, "good4", 1);
    }
    await_dht(relay, "put", k + 1);
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

static void first_message(void)
{
    double tox[TOX_RUNS];
    double ms = ours();
    for (unsigned k = 0; k < TOX_RUNS; k++) {
        tox[k] = tox_first_ms(NODES);
    }
    printf("# c-toxcore: %d pairs, %.0f to %.0f ms\n", (int)TOX_RUNS,
           rig_percentile(tox, TOX_RUNS, 0), rig_percentile(tox, TOX_RUNS, 100));
    rig_value("dht_first_message_ms", ms, "ms");
    rig_value("dht_first_message_vs_tox_ratio", rig_median(tox, TOX_RUNS) / ms, "");
}

/* --- simulated nodes --- */

static struct dht_net_tally lookups(uint32_t nodes)
{
    struct dht_net *net = dht_net_new(&(struct dht_net_options){.seed = nodes,
                                                                .nodes = nodes,
                                                                .liars_percent = 10,
                                                                .replaced_percent = 20,
                                                                .lost_percent = 1});
    char name[64];
    struct dht_net_tally t = dht_net_lookups(net, ITEMS, 0);
    struct dht_net_stats stats = dht_net_stats(net);
    printf("# %u nodes, 10 %% lie, %llu were replaced: %u lookups, %u the newest, %u an older one, "
           "%u none\n",
           (unsigned)nodes, (unsigned long long)stats.replaced, t.lookups, t.newest, t.older,
           t.none);
    snprintf(name, sizeof name, "dht_lookup_hops_%u", (unsigned)nodes);
    rig_value(name, (double)t.hops / t.lookups, "hops");
    dht_net_free(net);
    return t;
}

int main(void)
{
    rig_begin();
    first_message();
    (void)lookups(100);
    (void)lookups(1000);
    struct dht_net_tally t = lookups(10000);
    rig_value("dht_lookup_success_10000", 100.0 * t.newest / t.lookups, "%");
    rig_value("dht_lookup_messages_10000", (double)t.queries / t.lookups, "queries");
    rig_end();
    return EXIT_SUCCESS;
}
