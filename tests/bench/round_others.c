/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "bench/net.h"
#include "bench/rig.h"
#include "bench/rounds.h"

/* --- Redis --- */

enum {
    REDIS_COMMAND = ROUND_PAYLOAD + 64,
};

struct redis {
    pid_t pid;
    struct net *net;
    char commands[ROUND_CLIENTS][REDIS_COMMAND];
    size_t lens[ROUND_CLIENTS];
    uint64_t end;
    uint64_t done;
    size_t busy;
};

static void redis_send(struct redis *r, struct net_conn *conn)
{
    if (rig_ns() < r->end) {
        r->busy++;
        net_send(conn, slice_of(r->commands[conn->number], r->lens[conn->number]));
    }
}

/* One command is out, so what comes is its reply: ":<length>\r\n". */
static void on_reply(void *ctx, struct net_conn *conn, struct slice data)
{
    struct redis *r = ctx;
    if (data.len < 4 || data.p[0] != ':' || data.p[data.len - 1] != '\n') {
        rig_die("redis-server answered: %.*s", (int)data.len, (const char *)data.p);
    }
    r->done++;
    r->busy--;
    redis_send(r, conn);
}

static void redis_command(struct redis *r, size_t i)
{
    uint8_t raw[ROUND_PAYLOAD];
    char *at = r->commands[i];
    int n = snprintf(at, REDIS_COMMAND, "*3\r\n$5\r\nRPUSH\r\n$3\r\nq%02zu\r\n$%d\r\n", i,
                     (int)ROUND_PAYLOAD);
    randombytes_buf(raw, sizeof raw);
    memcpy(at + n, raw, sizeof raw);
    memcpy(at + (size_t)n + sizeof raw, "\r\n", 2);
    r->lens[i] = (size_t)n + sizeof raw + 2;
}

/* Waits until something listens on the port. */
static void redis_wait(uint16_t port)
{
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool there = false;
    for (unsigned i = 0; !there && i < RIG_REPLY_S * 20; i++) {
        rig_sleep_ms(50);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        there = fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
        close(fd);
    }
    if (!there) {
        rig_die("redis-server does not start: see its log");
    }
}

struct redis *redis_open(void)
{
    char port[8];
    struct redis *r = calloc(1, sizeof *r);
    if (r == NULL || mkdir("redis", 0700) != 0) {
        rig_die("redis: no memory or no folder");
    }
    uint16_t number = rig_port();
    snprintf(port, sizeof port, "%u", (unsigned)number);
    const char *const args[] = {"redis-server", "redis.conf", NULL};
    FILE *f = fopen("redis.conf", "we");
    if (f == NULL) {
        rig_die("redis.conf: %s", strerror(errno));
    }
    fprintf(f,
            "port %s\nbind 127.0.0.1\ndir redis\ndaemonize no\nsave \"\"\nappendonly yes\n"
            "appendfsync always\nauto-aof-rewrite-percentage 0\n",
            port);
    fclose(f);
    r->pid = rig_run("redis-server", args);
    redis_wait(number);
    for (size_t i = 0; i < ROUND_CLIENTS; i++) {
        redis_command(r, i);
    }
    const struct net_config config = {
        .port = number, .count = ROUND_CLIENTS, .ctx = r, .on_data = on_reply};
    r->net = net_open(&config);
    return r;
}

double redis_push(struct redis *r, unsigned seconds)
{
    uint64_t began = rig_ns();
    r->end = began + seconds * UINT64_C(1000000000);
    r->done = 0;
    for (size_t i = 0; i < ROUND_CLIENTS; i++) {
        redis_send(r, net_conn_at(r->net, i));
    }
    while (r->busy > 0) {
        net_poll(r->net, 1000);
        if (rig_ns() > r->end + RIG_REPLY_S * UINT64_C(1000000000)) {
            rig_die("redis-server does not answer");
        }
    }
    return (double)r->done * 1e9 / (double)(rig_ns() - began);
}

void redis_close(struct redis *r)
{
    net_close(r->net);
    rig_end_program(r->pid);
    free(r);
}

/* --- LMDB alone --- */

static void lmdb_must(int rc)
{
    if (rc != 0) {
        rig_die("LMDB: %s", mdb_strerror(rc));
    }
}

static void lmdb_commit(MDB_env *env, MDB_dbi *dbi, uint64_t *next)
{
    MDB_txn *txn;
    uint8_t value[ROUND_PAYLOAD] = {0};
    lmdb_must(mdb_txn_begin(env, NULL, 0, &txn));
    lmdb_must(mdb_dbi_open(txn, "rows", MDB_CREATE, dbi));
    for (unsigned i = 0; i < ROUND_CLIENTS; i++) {
        uint8_t key[8];
        uint64_t n = (*next)++;
        for (unsigned b = 0; b < sizeof key; b++) {
            key[b] = (uint8_t)(n >> (56 - 8 * b));
        }
        memcpy(value, key, sizeof key);
        MDB_val k = {.mv_size = sizeof key, .mv_data = key};
        MDB_val v = {.mv_size = sizeof value, .mv_data = value};
        lmdb_must(mdb_put(txn, *dbi, &k, &v, MDB_APPEND));
    }
    lmdb_must(mdb_txn_commit(txn));
}

double lmdb_rows(unsigned seconds)
{
    MDB_env *env;
    MDB_dbi dbi = 0;
    uint64_t next = 0;
    if (mkdir("lmdb", 0700) != 0) {
        rig_die("lmdb: %s", strerror(errno));
    }
    lmdb_must(mdb_env_create(&env));
    lmdb_must(mdb_env_set_maxdbs(env, 1));
    lmdb_must(mdb_env_set_mapsize(env, (size_t)1 << 36));
    lmdb_must(mdb_env_open(env, "lmdb", 0, 0600));
    lmdb_commit(env, &dbi, &next);
    uint64_t first = next;
    uint64_t began = rig_ns();
    while (rig_ns() - began < seconds * UINT64_C(1000000000)) {
        lmdb_commit(env, &dbi, &next);
    }
    double rate = (double)(next - first) * 1e9 / (double)(rig_ns() - began);
    mdb_env_close(env);
    (void)unlink("lmdb/data.mdb");
    (void)unlink("lmdb/lock.mdb");
    (void)rmdir("lmdb");
    return rate;
}
