/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_first: what a first contact costs. Inside this process, with the node's functions: the
 * processor time of who is asked (from the envelope to a session that can be saved) and of who asks
 * (from the bundle to the envelope). From outside: from contact.add with an invitation to
 * contact.accepted, real daemons. docs/bench.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "bench/person.h"
#include "node/device.h"
#include "pair/prekey.h"
#include "pair/session.h"

enum {
    SAMPLES = 500,
    MEETINGS = 9, /* from outside, in each setting */
    ASKED = 0,
    ASKER = 1,
    ARENA = 4 << 20,
};

/* What a node knows of itself, and what it publishes. */
struct side {
    struct sign_pk id;
    struct sign_sk id_sk;
    struct sign_sk sign_sk; /* the device's */
    struct dh_sk dh;
    uint8_t certificate[LIMIT_CERTIFICATE];
    uint8_t list[LIMIT_DEVICE_LIST];
    struct slice certificate_bytes; /* of certificate */
    struct slice list_bytes;        /* of list */
    struct prekey_secret signed_prekey;
    struct prekey_secret one_time;
    uint8_t parts[2][PREKEY_PART];
    struct slice part_bytes[2]; /* the same, published: signed prekey, one-time part */
};

static struct env env;
static struct arena arena;
static uint8_t invite_secret[INVITE_SECRET];
static const uint8_t text[] = "Hello, we met at the market on Saturday.";

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        rig_die("%s: %s", what, err_name(err));
    }
}

static struct sign_pk sign_keys(struct sign_sk *sk)
{
    uint8_t seed[32];
    struct sign_pk pk;
    env_random(&env, seed, sizeof seed);
    prim_sign_keypair(&pk, sk, seed);
    return pk;
}

static struct device_place place(void)
{
    struct sign_sk unused;
    struct device_place p = {.key = sign_keys(&unused)};
    p.relay = (struct address){.node_id = sign_keys(&unused), .host = "relay.example", .port = 1};
    return p;
}

/* One device with one queue, as a node makes it. */
static void side_init(struct side *s)
{
    struct device_list list = {.version = 1, .created_ms = env.now_ms, .count = 1};
    struct device_entry *entry = &list.entries[0];
    struct sign_sk unused;
    struct writer c = writer_of(s->certificate, sizeof s->certificate);
    struct writer l = writer_of(s->list, sizeof s->list);
    s->id = sign_keys(&s->id_sk);
    entry->device.sign = sign_keys(&s->sign_sk);
    entry->device.mls = sign_keys(&unused);
    entry->device.added_ms = env.now_ms;
    env_random(&env, s->dh.b, sizeof s->dh.b);
    prim_dh_public(&entry->device.dh, &s->dh);
    must(device_certificate_make(&c, &entry->device, &s->id_sk), "certificate");
    s->certificate_bytes = writer_done(&c);
    entry->certificate = s->certificate_bytes;
    entry->queue_count = 1;
    entry->queues[0] = place();
    entry->record = place();
    must(device_list_make(&l, &list, &s->id_sk), "device list");
    s->list_bytes = writer_done(&l);
    prekey_generate(&s->signed_prekey, PREKEY_SIGNED, 1, &env);
    prekey_generate(&s->one_time, PREKEY_ONE_TIME, 1, &env);
    const struct prekey_secret *secrets[] = {&s->signed_prekey, &s->one_time};
    for (size_t i = 0; i < 2; i++) {
        struct writer p = writer_of(s->parts[i], sizeof s->parts[i]);
        must(prekey_write(&p, secrets[i], &s->sign_sk), "prekey");
        s->part_bytes[i] = writer_done(&p);
    }
}

static struct pair_self self_of(const struct side *s)
{
    return (struct pair_self){.id = s->id, .certificate = s->certificate_bytes, .dh = s->dh};
}

static struct pair_peer peer_of(const struct sign_pk *id, const struct device_list *list)
{
    return (struct pair_peer){
        .id = *id, .certificate = list->entries[0].certificate, .dh = list->entries[0].device.dh};
}

/* From the bundle that was popped to the first envelope. */
static void ask(const struct side *a, const struct side *b, struct slice *envelope)
{
    struct session *s = session_new();
    struct device_list list;
    struct pair_bundle bundle;
    uint64_t created;
    uint64_t seq;
    struct slice saved;
    if (s == NULL) {
        rig_die("no memory");
    }
    must(device_list_open(b->list_bytes, &b->id, &list), "device list");
    must(prekey_bundle_open(b->part_bytes[0], b->part_bytes[1], &list.entries[0].device.sign,
                            env.now_ms, &bundle, &created),
         "bundle");
    struct pair_self self = self_of(a);
    struct pair_peer peer = peer_of(&b->id, &list);
    struct session_out out = {.content = slice_of(text, sizeof text)};
    must(session_initiate(s, &env, &arena, &self, &peer, &bundle, invite_secret, a->list_bytes, 0),
         "initiate");
    must(session_seal(s, &env, &arena, &out, envelope, &seq), "seal");
    must(session_save(s, &arena, &saved), "save");
    session_free(s);
}

/* From the envelope to a session that has opened it. */
static void answer(const struct side *b, struct slice envelope)
{
    struct session *s = session_new();
    struct session_first first;
    struct session_intro intro;
    struct session_in in;
    struct device_list list;
    struct prekey_keys keys;
    struct slice saved;
    if (s == NULL) {
        rig_die("no memory");
    }
    must(session_first_read(envelope, &first), "first envelope");
    prekey_keys_init(&keys, &b->signed_prekey, first.one_time_id != 0 ? &b->one_time : NULL);
    struct pair_self self = self_of(b);
    must(session_first_open(&arena, &self, &keys.prekeys, envelope, &intro), "introduction");
    must(device_list_open(intro.device_list, &intro.id, &list), "device list");
    struct pair_peer peer = peer_of(&intro.id, &list);
    must(session_accept(s, &env, &arena, &self, &peer, &keys.prekeys, invite_secret, envelope),
         "accept");
    must(session_open(s, &env, &arena, envelope, &in), "open");
    must(session_save(s, &arena, &saved), "save");
    if (!slice_equal(in.content, slice_of(text, sizeof text))) {
        rig_die("the first envelope says something else");
    }
    prekey_keys_wipe(&keys);
    session_free(s);
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void inside(void)
{
    static struct side sides[2];
    static double us[2][SAMPLES];
    size_t len = 0;
    env = rig_env();
    arena_init(&arena, ARENA);
    env_random(&env, invite_secret, sizeof invite_secret);
    for (size_t i = 0; i < 2; i++) {
        side_init(&sides[i]);
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        struct slice envelope;
        double began = cpu_us();
        ask(&sides[ASKER], &sides[ASKED], &envelope);
        double asked = cpu_us();
        answer(&sides[ASKED], envelope);
        us[ASKED][i] = cpu_us() - asked;
        us[ASKER][i] = asked - began;
        len = envelope.len;
        arena_reset(&arena);
    }
    arena_fini(&arena);
    printf("# first envelope: %zu bytes, with a one-time part and an invitation; p10 and p90: "
           "asked %.0f and %.0f us, asker %.0f and %.0f us\n",
           len, rig_percentile(us[ASKED], SAMPLES, 10), rig_percentile(us[ASKED], SAMPLES, 90),
           rig_percentile(us[ASKER], SAMPLES, 10), rig_percentile(us[ASKER], SAMPLES, 90));
    rig_value("first_contact_us", rig_median(us[ASKED], SAMPLES), "us");
    rig_value("first_contact_asker_us", rig_median(us[ASKER], SAMPLES), "us");
}

/* --- from outside --- */

/* Somebody new adds Alice by an invitation and waits for her answer: ms. */
static double meet_one(struct person *alice, const char *home, const char *relay)
{
    char link[PERSON_LINK];
    struct person bob;
    person_open(&bob, home, relay);
    person_listen(&bob);
    person_invite(alice, link);
    uint64_t began = rig_ns();
    call_begin(bob.call);
    call_text(bob.call, "link", link);
    (void)call_run(bob.call, "contact.add");
    person_await(&bob, "contact.accepted", NULL);
    double ms = (double)(rig_ns() - began) / 1e6;
    person_close(&bob);
    return ms;
}

/* Alice and all others are on one relay, or the others on one of their own. */
static void outside(const char *name, bool apart)
{
    struct rig_daemon relay[2];
    char address[2][ADDRESS_TEXT];
    char home[RIG_HOME];
    double ms[MEETINGS];
    struct person alice;
    size_t relays = apart ? 2 : 1;
    for (size_t i = 0; i < relays; i++) {
        snprintf(home, sizeof home, "relay%zu-%s", i + 1, apart ? "apart" : "one");
        person_relay(&relay[i], home, "", address[i]);
    }
    person_open(&alice, apart ? "alice-apart" : "alice-one", address[0]);
    for (size_t i = 0; i < MEETINGS; i++) {
        snprintf(home, sizeof home, "bob%zu-%s", i + 1, apart ? "apart" : "one");
        ms[i] = meet_one(&alice, home, address[relays - 1]);
    }
    person_close(&alice);
    for (size_t i = 0; i < relays; i++) {
        rig_stop(&relay[i]);
    }
    printf("# %s: %d meetings, %.1f to %.1f ms\n", name, (int)MEETINGS,
           rig_percentile(ms, MEETINGS, 0), rig_percentile(ms, MEETINGS, 100));
    rig_value(name, rig_median(ms, MEETINGS), "ms");
}

int main(void)
{
    rig_begin();
    inside();
    outside("first_contact_ms", false);
    outside("first_contact_forwarded_ms", true);
    rig_end();
    return EXIT_SUCCESS;
}
