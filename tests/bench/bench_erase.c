/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_erase: what forgetting costs those who call meanwhile: a daemon with 100,000 messages, of
 * which one in each group is deleted, so that all of them are sealed again. docs/bench.md.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "bench/call.h"
#include "bench/rig.h"
#include "daemon/keyring.h"
#include "daemon/store/store_lmdb.h"
#include "node/content.h"
#include "node/peer_rows.h"
#include "store/erase.h"

enum {
    MESSAGES = 100000,
    TEXT = 300, /* bytes of each */
    GROUP = 512,
    ROWS_A_COMMIT = 10000,
    CALLS_BEFORE = 2000,
    CALLS_MOST = 2000000,
    CYCLE_S = 120,
};

static const char *const no_args[] = {"--listen", "127.0.0.1:0", NULL};

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        rig_die("%s: %s", what, err_name(err));
    }
}

/* --- the home --- */

struct filling {
    struct store_lmdb *db;
    struct seal_keys *keys;
    struct env env;
    struct arena arena;
    struct store store;
    struct turn turn;
    struct step step;
};

static void begin(struct filling *f)
{
    must(store_lmdb_begin(f->db, &f->store), "begin");
    f->turn = (struct turn){.env = &f->env, .store = &f->store, .arena = &f->arena};
    f->step = (struct step){.turn = &f->turn};
}

static void commit(struct filling *f)
{
    must(store_lmdb_commit(f->db), "commit");
    arena_reset(&f->arena);
}

static void put_message(struct filling *f, uint64_t order)
{
    char text[TEXT];
    uint8_t bytes[TEXT + CONTENT_OVERHEAD];
    struct content content = {.type = CONTENT_TEXT, .sent_ms = f->env.now_ms};
    struct writer w = writer_of(bytes, sizeof bytes);
    memset(text, 'x', sizeof text);
    randombytes_buf(content.id, sizeof content.id);
    content.text = slice_of(text, sizeof text);
    must(content_encode(&w, &content), "content");
    struct message_row row = {
        .state = MESSAGE_RECEIVED, .time = f->env.now_ms, .content = writer_done(&w)};
    must(message_row_put(&f->step, f->keys, 1, order, &row), "message");
}

/* A contact with so many messages in the account of a home that no daemon uses. */
static void fill(const char *home, char id[ID_TEXT])
{
    struct filling f = {.env = rig_env()};
    struct node_root root;
    char path[64];
    char writer[64];
    uint8_t seed[32];
    struct sign_sk sk;
    struct contact_row row = {.number = 1, .state = CONTACT_ACCEPTED};
    struct peer_row peer;
    snprintf(path, sizeof path, "%s/db", home);
    must(store_lmdb_open(&f.db, path, (size_t)1 << 40, writer), "database");
    arena_init(&f.arena, LIMIT_TURN_ARENA);
    begin(&f);
    uint32_t generation = 0;
    must(seal_root_named(&f.store, 1, &generation), "account");
    struct keyring keyring = {.home = home};
    must(keyring_account_open(&keyring, 1, slice_of(NULL, 0), generation, &root), "key file");
    f.keys = seal_keys_new_account(1, root.r);
    randombytes_buf(seed, sizeof seed);
    prim_sign_keypair(&row.id, &sk, seed);
    id_encode(row.id.b, id);
    must(peer_row_new(&f.step, f.keys, &row, row.number, &peer), "contact");
    for (uint64_t order = 1; order <= MESSAGES; order++) {
        put_message(&f, order);
        arena_reset(&f.arena);
        if (order % ROWS_A_COMMIT == 0) {
            commit(&f);
            begin(&f);
        }
    }
    commit(&f);
    store_lmdb_close(f.db);
    seal_keys_free(f.keys);
    arena_fini(&f.arena);
}

/* Generation of the root, when there is one only; 0: there are two. */
static uint64_t generation_of(const char *home)
{
    char path[64];
    uint8_t bytes[ERASE_FILE];
    struct erase_file file;
    snprintf(path, sizeof path, "%s/erase-1", home);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes ||
        erase_decode(&file, slice_of(bytes, sizeof bytes)) != ERR_OK) {
        rig_die("the erase file cannot be read");
    }
    (void)close(fd);
    uint64_t a = file.slots[0].generation;
    uint64_t b = file.slots[1].generation;
    return a != 0 && b != 0 ? 0 : a + b;
}

/* --- calls --- */

static double status_ms(struct call *call)
{
    uint64_t began = rig_ns();
    (void)call_plain(call, "daemon.status");
    return (double)(rig_ns() - began) / 1e6;
}

static void delete_one_of_each_group(struct call *call, const char *id)
{
    for (uint64_t order = 1; order <= MESSAGES; order += GROUP) {
        call_begin(call);
        call_text(call, "contact", id);
        call_uint(call, "order", order);
        (void)call_run(call, "message.delete");
    }
}

int main(void)
{
    struct rig_daemon d;
    char id[ID_TEXT];
    double *times = calloc(CALLS_MOST, sizeof *times);
    size_t n = 0;
    if (times == NULL) {
        rig_die("no memory");
    }
    rig_begin();
    (void)rig_start(&d, "home", no_args, -1);
    struct call *call = call_open("home", d.pid);
    (void)call_plain(call, "account.create");
    call_close(call);
    rig_stop(&d);
    fill("home", id);
    (void)rig_start(&d, "home", no_args, -1);
    call = call_open("home", d.pid);
    for (; n < CALLS_BEFORE; n++) {
        times[n] = status_ms(call);
    }
    double quiet_p99 = rig_percentile(times, n, 99);
    double quiet = times[n - 1];
    uint64_t before = generation_of("home");
    double cpu = rig_cpu(d.pid);
    delete_one_of_each_group(call, id);
    uint64_t began = rig_ns();
    for (n = 0; n < CALLS_MOST && generation_of("home") <= before; n++) {
        times[n] = status_ms(call);
        if (rig_ns() - began > CYCLE_S * UINT64_C(1000000000)) {
            rig_die("nothing was forgotten within %d s", (int)CYCLE_S);
        }
    }
    double took = (double)(rig_ns() - began) / 1e9;
    cpu = rig_cpu(d.pid) - cpu;
    double p99 = rig_percentile(times, n, 99);
    double most = times[n - 1];
    printf("# %zu calls; before: p99 %.2f ms, longest %.2f ms; relay's CPU %.1f s\n", n, quiet_p99,
           quiet, cpu);
    call_close(call);
    rig_stop(&d);
    free(times);
    rig_value("erase_stall_ms", most, "ms");
    rig_value("erase_call_p99_ms", p99, "ms");
    rig_value("erase_s", took, "s");
    rig_end();
    return EXIT_SUCCESS;
}
