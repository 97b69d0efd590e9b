/* SPDX-License-Identifier: Apache-2.0
 *
 * e2e_rows: what whoever holds the keys of a home can read in a copy of it that no daemon uses:
 *   node HOME           all rows, opened with node.key as the operator can; in hex, one a line:
 *                       "TABLE KEY opened|shut VALUE", what is not sealed is shut and as it stands
 *   names HOME ACCOUNT [PASSPHRASE]  public keys and token keys of an account, "NAME HEX"
 *   messages HOME ACCOUNT  texts of the history of an account without a passphrase, "CONTACT ORDER
 *                       HEX", opened with any root that its erase file has, whatever the database
 *                       says of it
 *   requests HOME       reads sealed requests in hex, one a line, and prints "KIND BODY" of each as
 *                       this relay opens it, or "-" if it cannot
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "daemon/hostenv.h"
#include "daemon/keyring.h"
#include "daemon/store/store_lmdb.h"
#include "node/contact_rows.h"
#include "node/content.h"
#include "node/home_keys.h"
#include "relay/sealed.h"

enum {
    ROWS_ARENA = 16 << 20,
    ROWS_CARD_KEYS = 8,                      /* as many as are looked at */
    ROWS_CARD_KEY = 1 + HPKE_SECRET_KEY + 8, /* of the row relay.card: id, seed, created */
    ROWS_LINE = 2 * SEALED_REQUEST_MAX + 2,
    ROWS_GENERATIONS = 64, /* more than a test makes */
};

static const size_t map_bytes = (size_t)16 << 30;

/* An open copy, and what a call with a turn needs. */
struct home {
    const char *path;
    struct store_lmdb *db;
    struct store_lmdb_reader *reader;
    struct store store;
    struct env env;
    struct arena arena;
    struct turn turn;
};

static int fail(const char *what, enum err err)
{
    fprintf(stderr, "e2e_rows: %s: %s\n", what, err_name(err));
    return EXIT_FAILURE;
}

static void print_hex(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++) {
        printf("%02x", p[i]);
    }
}

static void print_key(const char *name, const void *bytes, size_t len)
{
    printf("%s ", name);
    print_hex(bytes, len);
    printf("\n");
}

static enum err home_begin(struct home *h, const char *path)
{
    char dir[PATH_MAX];
    char writer[64];
    int n = snprintf(dir, sizeof dir, "%s/db", path);
    *h = (struct home){.path = path, .env = hostenv_at(hostenv_wall_ms())};
    arena_init(&h->arena, ROWS_ARENA);
    h->turn = (struct turn){.env = &h->env, .store = &h->store, .arena = &h->arena};
    if (n < 0 || (size_t)n >= sizeof dir) {
        return ERR_ARGUMENT;
    }
    enum err err = store_lmdb_open(&h->db, dir, map_bytes, writer);
    return err == ERR_OK ? store_lmdb_read_begin(h->db, &h->reader, &h->store) : err;
}

static void home_end(struct home *h)
{
    if (h->reader != NULL) {
        store_lmdb_read_end(h->reader);
    }
    store_lmdb_close(h->db);
    arena_fini(&h->arena);
}

static struct seal_keys *node_keys(const struct home *h)
{
    uint8_t key[SEAL_KEY];
    if (keyring_node_key(&(struct keyring){.home = h->path}, false, key) != ERR_OK) {
        return NULL;
    }
    struct seal_keys *keys = seal_keys_new_node(key);
    secret_wipe(key, sizeof key);
    return keys;
}

/* --- node --- */

static enum err print_row(struct home *h, struct seal_keys *keys, enum store_table t,
                          const struct store_row *row)
{
    struct slice value = row->value;
    enum err err = seal_open(keys, &h->turn, t, row->key, row->value, &value);
    if (err != ERR_OK && err != ERR_CORRUPT) {
        return err;
    }
    printf("%s ", store_table_name(t));
    print_hex(row->key.p, row->key.len);
    printf(" %s ", err == ERR_OK ? "opened" : "shut");
    print_hex(value.p, value.len);
    printf("\n");
    arena_reset(&h->arena);
    return ERR_OK;
}

static enum err print_table(struct home *h, struct seal_keys *keys, enum store_table t)
{
    struct store_row row;
    struct store_key at = store_key_new();
    enum err err = store_seek(&h->store, t, STORE_GE, store_key_slice(&at), &row);
    while (err == ERR_OK) {
        err = print_row(h, keys, t, &row);
        at = store_key_new();
        store_key_bytes(&at, row.key.p, row.key.len);
        if (err == ERR_OK) {
            err = store_seek(&h->store, t, STORE_GT, store_key_slice(&at), &row);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int print_node(struct home *h)
{
    struct seal_keys *keys = node_keys(h);
    enum err err = keys != NULL ? ERR_OK : ERR_WRONG_KEY;
    for (unsigned t = 0; err == ERR_OK && t < STORE_TABLE_COUNT; t++) {
        err = print_table(h, keys, (enum store_table)t);
    }
    seal_keys_free(keys);
    return err == ERR_OK ? EXIT_SUCCESS : fail("node", err);
}

/* --- names --- */

static void print_sign_key(const char *name, const uint8_t seed[static 32])
{
    struct sign_pk pk;
    struct sign_sk sk;
    prim_sign_keypair(&pk, &sk, seed);
    print_key(name, pk.b, sizeof pk.b);
    secret_wipe(&sk, sizeof sk);
}

static void print_account(const struct account_row *row)
{
    struct dh_pk dh;
    struct dh_sk dh_secret;
    memcpy(dh_secret.b, row->device_dh, sizeof dh_secret.b);
    prim_dh_public(&dh, &dh_secret);
    secret_wipe(&dh_secret, sizeof dh_secret);
    print_sign_key("id", row->identity);
    print_sign_key("device", row->device_sign);
    print_sign_key("mls", row->device_mls);
    print_key("dh", dh.b, sizeof dh.b);
}

/* What the relay has of tokens for a target, and what opens their nonces. */
static void print_token_keys(const char *what, const struct relay_row *row,
                             const struct sign_pk *target)
{
    char name[32];
    struct token_key k;
    struct token_siv_key siv;
    home_token_keys(row, target, &k, &siv);
    snprintf(name, sizeof name, "%s-k", what);
    print_key(name, k.b, sizeof k.b);
    snprintf(name, sizeof name, "%s-siv", what);
    print_key(name, siv.b, sizeof siv.b);
    secret_wipe(&k, sizeof k);
    secret_wipe(&siv, sizeof siv);
}

static void print_home(const struct relay_row *row)
{
    struct sign_pk queue;
    struct sign_pk record;
    print_sign_key("member", row->member);
    print_sign_key("queue", row->queue);
    print_sign_key("record", row->record);
    home_queue(row, &queue);
    home_record(row, &record);
    print_token_keys("queue", row, &queue);
    print_token_keys("record", row, &record);
}

static void print_contacts(struct step *step, struct seal_keys *keys)
{
    struct contact_row row = {.number = 0};
    while (contact_row_next(step, keys, row.number, &row) == ERR_OK) {
        char name[32];
        snprintf(name, sizeof name, "contact-%lu", (unsigned long)row.number);
        print_key(name, row.id.b, sizeof row.id.b);
    }
}

static int print_names(struct home *h, uint32_t number, const char *passphrase)
{
    struct node_root root;
    uint32_t generation;
    struct account_row account;
    struct relay_row relay;
    struct step step = {.turn = &h->turn};
    enum err err = seal_root_named(h->turn.store, number, &generation);
    if (err == ERR_OK) {
        err = keyring_account_open(&(struct keyring){.home = h->path}, number,
                                   slice_of(passphrase, strlen(passphrase)), generation, &root);
    }
    if (err != ERR_OK) {
        return fail("account", err);
    }
    struct seal_keys *keys = seal_keys_new_account(number, root.r);
    err = keys != NULL ? account_row_get(&step, keys, &account) : ERR_NO_MEMORY;
    if (err == ERR_OK) {
        err = relay_row_get(&step, keys, 0, &relay);
    }
    if (err == ERR_OK) {
        print_account(&account);
        print_home(&relay);
        print_contacts(&step, keys);
    }
    secret_wipe(&root, sizeof root);
    secret_wipe(&account, sizeof account);
    secret_wipe(&relay, sizeof relay);
    seal_keys_free(keys);
    return err == ERR_OK ? EXIT_SUCCESS : fail("names", err);
}

/* --- messages --- */

/* The account's keys under a root of this generation. ERR_CORRUPT: it opens nothing here. */
static enum err keys_under(struct home *h, uint32_t number, uint32_t generation,
                           struct seal_keys **keys)
{
    struct node_root root;
    enum err err = keyring_account_open(&(struct keyring){.home = h->path}, number,
                                        slice_of(NULL, 0), generation, &root);
    if (err != ERR_OK) {
        return err;
    }
    *keys = seal_keys_new_account(number, root.r);
    secret_wipe(&root, sizeof root);
    err = *keys != NULL ? seal_keys_load(*keys, &h->turn) : ERR_NO_MEMORY;
    if (err != ERR_OK) {
        seal_keys_free(*keys);
        *keys = NULL;
    }
    return err;
}

/* Generations that the erase file may have: those about the one that the database names. */
static enum err keys_under_any(struct home *h, uint32_t number, struct seal_keys **keys)
{
    uint32_t named;
    enum err err = seal_root_named(&h->store, number, &named);
    for (uint32_t g = 1; err == ERR_OK && g < named + ROWS_GENERATIONS; g++) {
        err = keys_under(h, number, g, keys);
        if (err == ERR_OK) {
            return ERR_OK;
        }
        err = err == ERR_ROLLBACK || err == ERR_CORRUPT ? ERR_OK : err;
    }
    return err == ERR_OK ? ERR_WRONG_KEY : err;
}

static enum err print_history(struct home *h, struct seal_keys *keys, uint32_t contact)
{
    struct step step = {.turn = &h->turn};
    struct message_row row;
    struct content content;
    uint64_t order = UINT64_MAX;
    enum err err = message_row_before(&step, keys, contact, order, &order, &row);
    while (err == ERR_OK) {
        if (content_decode(row.content, &content) == ERR_OK) {
            printf("%lu %llu ", (unsigned long)contact, (unsigned long long)order);
            print_hex(content.text.p, content.text.len);
            printf("\n");
        }
        err = message_row_before(&step, keys, contact, order, &order, &row);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int print_messages(struct home *h, uint32_t number)
{
    struct step step = {.turn = &h->turn};
    struct contact_row row = {.number = 0};
    struct seal_keys *keys = NULL;
    enum err err = keys_under_any(h, number, &keys);
    while (err == ERR_OK) {
        err = contact_row_next(&step, keys, row.number, &row);
        if (err == ERR_OK) {
            err = print_history(h, keys, row.number);
        }
    }
    seal_keys_free(keys);
    return err == ERR_NOT_FOUND ? EXIT_SUCCESS : fail("messages", err);
}

/* --- requests --- */

struct card_keys {
    struct sign_pk node_id;
    size_t count;
    uint8_t id[ROWS_CARD_KEYS];
    uint8_t sk[ROWS_CARD_KEYS][HPKE_SECRET_KEY];
};

static enum err card_load(struct home *h, struct seal_keys *keys, struct card_keys *out)
{
    struct slice seed;
    struct slice row;
    struct sign_sk sk;
    enum err err = seal_get(keys, &h->turn, STORE_META, slice_of("node", 4), &seed);
    if (err == ERR_OK) {
        err = seal_get(keys, &h->turn, STORE_META, slice_of("relay.card", 10), &row);
    }
    if (err != ERR_OK || seed.len != 32 || row.len % ROWS_CARD_KEY != 0) {
        return err != ERR_OK ? err : ERR_CORRUPT;
    }
    prim_sign_keypair(&out->node_id, &sk, seed.p);
    secret_wipe(&sk, sizeof sk);
    struct reader r = reader_of(row);
    for (out->count = 0; reader_left(&r) > 0 && out->count < ROWS_CARD_KEYS; out->count++) {
        out->id[out->count] = reader_u8(&r);
        reader_copy(&r, out->sk[out->count], HPKE_SECRET_KEY);
        (void)reader_u64(&r);
    }
    return ERR_OK;
}

static void print_request(struct home *h, const struct card_keys *card, struct slice sealed)
{
    struct sealed_reply_key reply;
    struct slice body;
    uint8_t kind;
    uint8_t id = 0;
    enum err err = sealed_request_key_id(sealed, &id);
    for (size_t i = 0; err == ERR_OK && i < card->count; i++) {
        if (card->id[i] == id && sealed_request_open(&h->arena, &card->node_id, card->sk[i], sealed,
                                                     &kind, &body, &reply) == ERR_OK) {
            printf("%u ", kind);
            print_hex(body.p, body.len);
            printf("\n");
            secret_wipe(&reply, sizeof reply);
            return;
        }
    }
    printf("-\n");
}

static size_t line_read(const char *line, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;
    while (sscanf(line + 2 * n, "%2x", &byte) == 1) {
        out[n++] = (uint8_t)byte;
    }
    return n;
}

static int print_requests(struct home *h)
{
    struct card_keys card;
    struct seal_keys *keys = node_keys(h);
    enum err err = keys != NULL ? card_load(h, keys, &card) : ERR_WRONG_KEY;
    seal_keys_free(keys);
    char *line = malloc(ROWS_LINE);
    uint8_t *bytes = malloc(ROWS_LINE / 2);
    if (err == ERR_OK && (line == NULL || bytes == NULL)) {
        err = ERR_NO_MEMORY;
    }
    while (err == ERR_OK && fgets(line, ROWS_LINE, stdin) != NULL) {
        print_request(h, &card, slice_of(bytes, line_read(line, bytes)));
        arena_reset(&h->arena);
    }
    free(line);
    free(bytes);
    secret_wipe(&card, sizeof card);
    return err == ERR_OK ? EXIT_SUCCESS : fail("requests", err);
}

int main(int argc, char **argv)
{
    struct home h;
    bool names = (argc == 4 || argc == 5) && strcmp(argv[1], "names") == 0;
    bool messages = argc == 4 && strcmp(argv[1], "messages") == 0;
    bool node = argc == 3 && strcmp(argv[1], "node") == 0;
    bool requests = argc == 3 && strcmp(argv[1], "requests") == 0;
    if (!names && !messages && !node && !requests) {
        fprintf(stderr, "usage: e2e_rows node HOME | names HOME ACCOUNT [PASSPHRASE] | "
                        "messages HOME ACCOUNT | requests HOME\n");
        return 2;
    }
    enum err err = prim_init();
    if (err == ERR_OK) {
        err = home_begin(&h, argv[2]);
    }
    if (err != ERR_OK) {
        return fail(argv[2], err);
    }
    uint32_t account = argc >= 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    int status = names      ? print_names(&h, account, argc == 5 ? argv[4] : "")
                 : messages ? print_messages(&h, account)
                 : node     ? print_node(&h)
                            : print_requests(&h);
    home_end(&h);
    return status;
}
