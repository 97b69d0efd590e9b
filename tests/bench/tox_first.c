/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/tox_first.h"

#include <stdlib.h>

#include <tox/tox.h>

#include "bench/rig.h"

enum {
    TOX_MOST = 64,
    TOX_SETTLE_MS = 5000, /* that the others have to find each other */
    TOX_LIMIT_MS = 60000,
    TOX_STEP_MS = 2, /* each instance is asked itself when it wants to go on */
};

struct instance {
    Tox *tox;
    uint64_t due; /* ns */
    bool connected;
};

static void on_connected(Tox *tox, uint32_t who, Tox_Connection connection, void *data)
{
    struct instance *i = data;
    (void)tox;
    (void)who;
    i->connected = connection != TOX_CONNECTION_NONE;
}

static void instance_start(struct instance *i, const struct instance *first)
{
    struct Tox_Options *options = tox_options_new(NULL);
    Tox_Err_New err;
    tox_options_set_ipv6_enabled(options, false);
    tox_options_set_local_discovery_enabled(options, false);
    *i = (struct instance){.tox = tox_new(options, &err)};
    tox_options_free(options);
    if (i->tox == NULL) {
        rig_die("tox_new: %d", (int)err);
    }
    tox_callback_friend_connection_status(i->tox, on_connected);
    if (first != NULL) {
        uint8_t key[TOX_PUBLIC_KEY_SIZE];
        tox_self_get_dht_id(first->tox, key);
        if (!tox_bootstrap(i->tox, "127.0.0.1", tox_self_get_udp_port(first->tox, NULL), key,
                           NULL)) {
            rig_die("tox_bootstrap failed");
        }
    }
}

/* Lets all of them do what is due, for a moment. */
static void step(struct instance *all, unsigned count)
{
    for (unsigned k = 0; k < count; k++) {
        if (all[k].due <= rig_ns()) {
            tox_iterate(all[k].tox, &all[k]);
            all[k].due = rig_ns() + tox_iteration_interval(all[k].tox) * UINT64_C(1000000);
        }
    }
    rig_sleep_ms(TOX_STEP_MS);
}

static void knows(struct instance *a, const struct instance *b)
{
    uint8_t key[TOX_PUBLIC_KEY_SIZE];
    tox_self_get_public_key(b->tox, key);
    if (tox_friend_add_norequest(a->tox, key, NULL) == UINT32_MAX) {
        rig_die("tox_friend_add_norequest failed");
    }
}

double tox_first_ms(unsigned others)
{
    static struct instance all[TOX_MOST];
    if (others + 2 > TOX_MOST) {
        rig_die("too many");
    }
    for (unsigned k = 0; k < others; k++) {
        instance_start(&all[k], k > 0 ? &all[0] : NULL);
    }
    uint64_t settled = rig_ns() + TOX_SETTLE_MS * UINT64_C(1000000);
    while (rig_ns() < settled) {
        step(all, others);
    }
    struct instance *a = &all[others];
    struct instance *b = &all[others + 1];
    uint64_t began = rig_ns();
    instance_start(a, &all[0]);
    instance_start(b, &all[0]);
    knows(a, b);
    knows(b, a);
    while (!a->connected || !b->connected) {
        step(all, others + 2);
        if (rig_ns() - began > TOX_LIMIT_MS * UINT64_C(1000000)) {
            rig_die("toxcore: not connected within %d ms", (int)TOX_LIMIT_MS);
        }
    }
    double ms = (double)(rig_ns() - began) / 1e6;
    for (unsigned k = 0; k < others + 2; k++) {
        tox_kill(all[k].tox);
    }
    return ms;
}
