/* SPDX-License-Identifier: Apache-2.0
 *
 * peers.dht.cli HOST COUNT PORT...: so many DHT nodes of ours on 127.0.0.1 or ::1, each a socket of
 * daemon/io/udp.c, that begin with the nodes at these ports. Prints `port P` for each; then reads
 * lines, and answers each with one when it is done, as peer.mjs and torrent.py do too:
 *
 *   put NODE SEED SALT SEQ CAS VALUE   a mutable item; SEED, SALT, VALUE in hex; - for none
 *   puti NODE VALUE                    an immutable one
 *     -> stored N refused N code C
 *   get NODE KEY SALT, geti NODE TARGET -> value V seq N, or none
 *   look NODE -> ok            begins a lookup somewhere
 *   status NODE -> nodes N good N items N
 *   id NODE -> id I
 *   stop NODE -> ok            it is gone
 *   boot PORT -> ok
 *   key SEED -> key K
 *   sign SEED BYTES -> sig S
 *   fits ID IP -> fits 0, 1    whether a node at this IPv6 address may have this ID (BEP 42)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <uv.h>

#include "base/hex.h"
#include "daemon/io/udp.h"
#include "lib/dht_items.h"

enum {
    NODES = 64,
    LINE = 4096,
};

struct node {
    struct udp *udp;
    uint64_t operation; /* under way; 0: none */
    bool found;
    bool stopped;
    struct dht_item item;
};

static struct {
    uv_loop_t uv;
    uv_pipe_t in;
    struct logger log;
    struct node nodes[NODES];
    unsigned count;
    const char *host;
    bool v6;
    char line[LINE];
    size_t len;
} all;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "peers.dht.cli: %s\n", what);
    exit(EXIT_FAILURE);
}

static void print_hex(const char *name, const void *p, size_t len)
{
    char hex[2 * KRPC_VALUE + 1];
    hex_encode(p, len, hex);
    printf("%s %s", name, len > 0 ? hex : "-");
}

static void on_result(void *ctx, const struct dht_output *out)
{
    struct node *n = ctx;
    if (out->operation != n->operation) {
        return;
    }
    if (out->kind == DHT_OUT_ITEM) {
        n->item = out->item;
        n->found = true;
        return;
    }
    n->operation = 0;
    if (out->report.stored + out->report.refused > 0 || !n->found) {
        if (n->item.value_len > 0) {
            printf("stored %u refused %u code %d", out->report.stored, out->report.refused,
                   (int)out->report.code);
        } else {
            printf("none");
        }
    } else {
        print_hex("value", n->item.value, n->item.value_len);
        printf(" seq %lld", (long long)n->item.seq);
    }
    printf("\n");
    fflush(stdout);
}

static size_t unhex(const char *text, uint8_t *out, size_t cap)
{
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    if (len > cap || (len > 0 && !hex_decode(slice_of(text, 2 * len), out, len))) {
        die("not hex, or too long");
    }
    return len;
}

static void put(struct node *n, char **word)
{
    uint8_t seed[DHT_SEED];
    uint8_t salt[KRPC_SALT];
    uint8_t value[KRPC_VALUE];
    if (unhex(word[2], seed, sizeof seed) != sizeof seed) {
        die("a seed is 32 bytes");
    }
    size_t salt_len = unhex(word[3], salt, sizeof salt);
    size_t value_len = unhex(word[6], value, sizeof value);
    bool cas = strcmp(word[5], "-") != 0;
    n->item = dht_item_signed(seed, slice_of(salt, salt_len), strtoll(word[4], NULL, 10),
                              slice_of(value, value_len));
    n->operation = dht_put(udp_dht(n->udp), udp_env(n->udp), &n->item, cas,
                           cas ? strtoll(word[5], NULL, 10) : 0);
}

static void status(struct node *n)
{
    struct dht_status s;
    dht_status(udp_dht(n->udp), udp_env(n->udp), &s);
    printf("nodes %u good %u items %zu\n", s.nodes[all.v6], s.good[all.v6], s.items);
    fflush(stdout);
}

static void show_id(struct node *n)
{
    struct dht_status s;
    dht_status(udp_dht(n->udp), udp_env(n->udp), &s);
    print_hex("id", s.id[all.v6].b, DHT_ID);
    printf("\n");
    fflush(stdout);
}

static void boot(const char *port)
{
    struct sockaddr_storage address;
    (void)(all.v6 ? uv_ip6_addr(all.host, atoi(port), (struct sockaddr_in6 *)&address)
                  : uv_ip4_addr(all.host, atoi(port), (struct sockaddr_in *)&address));
    for (unsigned i = 0; i < all.count; i++) { /* before one is stopped */
        udp_bootstrap(all.nodes[i].udp, (const struct sockaddr *)&address);
    }
}

static void show_key(const char *seed_hex)
{
    uint8_t seed[DHT_SEED];
    if (unhex(seed_hex, seed, sizeof seed) != sizeof seed) {
        die("a seed is 32 bytes");
    }
    struct dht_item item = dht_item_signed(seed, slice_of(NULL, 0), 0, slice_of("0:", 2));
    print_hex("key", item.key.b, sizeof item.key.b);
    printf("\n");
    fflush(stdout);
}

static void sign(const char *seed_hex, const char *bytes_hex)
{
    uint8_t seed[DHT_SEED];
    uint8_t pk[crypto_sign_PUBLICKEYBYTES];
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    uint8_t bytes[LINE];
    uint8_t sig[crypto_sign_BYTES];
    size_t len = unhex(bytes_hex, bytes, sizeof bytes);
    if (unhex(seed_hex, seed, sizeof seed) != sizeof seed ||
        crypto_sign_seed_keypair(pk, sk, seed) != 0 ||
        crypto_sign_detached(sig, NULL, bytes, len, sk) != 0) {
        die("cannot sign");
    }
    print_hex("sig", sig, sizeof sig);
    printf("\n");
    fflush(stdout);
}

static void fits(const char *id_hex, const char *ip)
{
    struct dht_id id;
    struct dht_address a = {.v6 = true, .port = 1};
    if (unhex(id_hex, id.b, sizeof id.b) != sizeof id.b || uv_inet_pton(AF_INET6, ip, a.ip) != 0) {
        die("fits ID IP");
    }
    printf("fits %d\n", dht_id_fits(&id, &a));
    fflush(stdout);
}

/* What concerns no one node. */
static bool command_of_all(char **word)
{
    if (strcmp(word[0], "boot") == 0) {
        boot(word[1]);
        printf("ok\n");
        fflush(stdout);
    } else if (strcmp(word[0], "key") == 0) {
        show_key(word[1]);
    } else if (strcmp(word[0], "sign") == 0) {
        sign(word[1], word[2]);
    } else if (strcmp(word[0], "fits") == 0) {
        fits(word[1], word[2]);
    } else {
        return false;
    }
    return true;
}

static void command(char *line)
{
    char *word[8] = {"", "", "", "", "", "", "", ""};
    unsigned words = 0;
    for (char *w = strtok(line, " "); w != NULL && words < 8; w = strtok(NULL, " ")) {
        word[words++] = w;
    }
    if (command_of_all(word)) {
        return;
    }
    unsigned i = (unsigned)atoi(word[1]);
    if (i >= all.count || all.nodes[i].stopped) {
        die("no such node");
    }
    struct node *n = &all.nodes[i];
    struct sign_pk key;
    struct dht_id target;
    uint8_t salt[KRPC_SALT];
    n->found = false;
    n->item = (struct dht_item){.value_len = 0};
    if (strcmp(word[0], "put") == 0) {
        put(n, word);
    } else if (strcmp(word[0], "puti") == 0) {
        n->item.value_len = (uint16_t)unhex(word[2], n->item.value, sizeof n->item.value);
        n->operation = dht_put(udp_dht(n->udp), udp_env(n->udp), &n->item, false, 0);
    } else if (strcmp(word[0], "get") == 0) {
        (void)unhex(word[2], key.b, sizeof key.b);
        size_t len = unhex(word[3], salt, sizeof salt);
        n->operation = dht_get_mutable(udp_dht(n->udp), udp_env(n->udp), &key, slice_of(salt, len));
    } else if (strcmp(word[0], "geti") == 0) {
        (void)unhex(word[2], target.b, sizeof target.b);
        n->operation = dht_get_immutable(udp_dht(n->udp), udp_env(n->udp), &target);
    } else if (strcmp(word[0], "look") == 0) {
        env_random(udp_env(n->udp), target.b, sizeof target.b);
        (void)dht_get_immutable(udp_dht(n->udp), udp_env(n->udp), &target);
        printf("ok\n");
        fflush(stdout);
    } else if (strcmp(word[0], "status") == 0) {
        status(n);
        return;
    } else if (strcmp(word[0], "id") == 0) {
        show_id(n);
        return;
    } else if (strcmp(word[0], "stop") == 0) {
        udp_stop(n->udp);
        n->stopped = true;
        printf("ok\n");
        fflush(stdout);
        return;
    } else {
        die("what?");
    }
    udp_flush(n->udp);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    (void)handle;
    (void)wanted;
    *buf = uv_buf_init(all.line + all.len, (unsigned)(LINE - all.len - 1));
}

static void on_input(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    if (len < 0) {
        uv_read_stop(stream);
        uv_stop(&all.uv);
        return;
    }
    all.len += (size_t)len;
    all.line[all.len] = '\0';
    for (char *end = strchr(all.line, '\n'); end != NULL; end = strchr(all.line, '\n')) {
        *end = '\0';
        command(all.line);
        all.len -= (size_t)(end + 1 - all.line);
        memmove(all.line, end + 1, all.len + 1);
    }
}

int main(int argc, char **argv)
{
    logger_init(&all.log, 2, LOGGER_WARN);
    all.host = argc > 1 ? argv[1] : "";
    all.v6 = strchr(all.host, ':') != NULL;
    all.count = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    if (all.count == 0 || all.count > NODES || prim_init() != ERR_OK ||
        uv_loop_init(&all.uv) != 0) {
        die("usage: peers.dht.cli HOST COUNT PORT...");
    }
    for (unsigned i = 0; i < all.count; i++) {
        struct node *n = &all.nodes[i];
        struct udp_config config = {.uv = &all.uv, .log = &all.log, .result = on_result, .ctx = n};
        uint16_t port;
        if (udp_new(&n->udp, &config) != ERR_OK ||
            udp_listen(n->udp, all.host, 0, &port) != ERR_OK) {
            die("no socket");
        }
        printf("port %u\n", (unsigned)port);
    }
    fflush(stdout);
    for (int i = 3; i < argc; i++) {
        boot(argv[i]);
    }
    (void)uv_pipe_init(&all.uv, &all.in, 0);
    if (uv_pipe_open(&all.in, 0) != 0 ||
        uv_read_start((uv_stream_t *)&all.in, on_alloc, on_input) != 0) {
        die("stdin");
    }
    (void)uv_run(&all.uv, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < all.count; i++) {
        if (!all.nodes[i].stopped) {
            udp_stop(all.nodes[i].udp);
        }
    }
    uv_close((uv_handle_t *)&all.in, NULL);
    (void)uv_run(&all.uv, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < all.count; i++) {
        udp_free(all.nodes[i].udp);
    }
    return uv_loop_close(&all.uv) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
