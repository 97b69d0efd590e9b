/* SPDX-License-Identifier: Apache-2.0
 *
 * e2e_carve HOME ACCOUNT PASSPHRASE FILE...: what whoever has the erase file of HOME and what opens
 * it (PASSPHRASE; when that is empty, the key file there) finds in any files, at any offset: pages
 * of a database that are free or are not, records of a log, what is left of either.
 *
 * In passes over all files: roots, in the form of a slot (docs/protocol/08-at-rest.md,
 * section 8.4), under the account's secret; bucket keys, in the form of a row of table `bucket`,
 * of one or of a pack, under any of these roots; rows, in a node of an LMDB page or a change in the
 * log, under any of these keys. Prints each once and in hex, as it stands and as it is opened: root
 * GENERATION SEALED ROOT key BUCKET GENERATION ROOT SEALED KEY     ROOT: generation of the one that
 * wraps it row BUCKET GENERATION TABLE PLAIN     as often as it is there
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "daemon/keyfile.h"
#include "daemon/keyring.h"
#include "store/erase.h"
#include "store/seal_row.h"

enum {
    GENERATIONS = 256, /* more than a test makes, of roots and of keys */
    ROOTS = 64,
    KEYS = 1 << 14,
    PAGE = 4096,       /* of LMDB, on every machine that runs this */
    PAGE_HEADER = 16,  /* before what an overflow page holds */
    NODE_HEADER = 8,   /* size u16 u16, flags u16, length of the key u16, of this machine's order */
    NODE_OVERFLOW = 1, /* flag: the number of a page is in the value's place */
    SLOT = 8 + PRIM_AEAD_NONCE + SEAL_KEY + PRIM_AEAD_TAG,
    WRAPPED = SEAL_OVERHEAD + SEAL_KEY,
    PACKED = 4 + SEAL_KEY, /* one key of a pack */
    PACK = SEAL_OVERHEAD + SEAL_PACK * PACKED,
    LOG_PUT = 1, /* kind of a change */
};

struct root {
    uint64_t generation;
    struct aead_key wrap;
};

struct bucket_key {
    uint8_t bucket;
    uint64_t root; /* generation of the one that wraps it */
    struct aead_key key;
};

struct carver {
    uint32_t account;
    struct erase_file file; /* of now: how its slots are sealed */
    uint8_t secret[SEAL_KEY];
    size_t root_count;
    struct root roots[ROOTS];
    size_t key_count;
    struct bucket_key keys[KEYS];
};

static void die(const char *what)
{
    fprintf(stderr, "e2e_carve: %s\n", what);
    exit(EXIT_FAILURE);
}

static void print_hex(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++) {
        printf("%02x", p[i]);
    }
}

static uint64_t number(const uint8_t *p, size_t len)
{
    uint64_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n = n << 8 | p[i];
    }
    return n;
}

/* --- roots --- */

static void root_add(struct carver *c, uint64_t generation, const uint8_t *sealed,
                     const uint8_t root[static SEAL_KEY])
{
    struct aead_key wrap;
    prim_blake2b(wrap.b, sizeof wrap.b, slice_of(root, SEAL_KEY), "petrel/1 bucket wrap", NULL, 0);
    for (size_t i = 0; i < c->root_count; i++) {
        if (memcmp(&c->roots[i].wrap, &wrap, sizeof wrap) == 0) {
            return;
        }
    }
    if (c->root_count == ROOTS) {
        die("too many roots");
    }
    c->roots[c->root_count++] = (struct root){.generation = generation, .wrap = wrap};
    printf("root %llu ", (unsigned long long)generation);
    print_hex(sealed, SEAL_KEY + PRIM_AEAD_TAG);
    printf(" ");
    print_hex(root, SEAL_KEY);
    printf("\n");
}

/* A slot may have been either one of the two. */
static void carve_root(struct carver *c, struct slice bytes, size_t at)
{
    uint8_t root[SEAL_KEY];
    const uint8_t *p = bytes.p + at;
    if (bytes.len - at < SLOT) {
        return;
    }
    struct erase_slot slot = {.generation = number(p, 8)};
    if (slot.generation == 0 || slot.generation > GENERATIONS) {
        return;
    }
    memcpy(slot.nonce, p + 8, sizeof slot.nonce);
    memcpy(slot.sealed, p + 8 + sizeof slot.nonce, sizeof slot.sealed);
    for (unsigned i = 0; i < ERASE_SLOTS; i++) {
        c->file.slots[i] = slot;
        if (erase_slot_open(&c->file, i, c->secret, root) == ERR_OK) {
            root_add(c, slot.generation, slot.sealed, root);
        }
    }
}

/* --- bucket keys --- */

/* The same key may be under several roots. */
static void key_add(struct carver *c, const struct bucket_key *k, uint32_t generation,
                    const uint8_t *sealed)
{
    for (size_t i = 0; i < c->key_count; i++) {
        if (c->keys[i].root == k->root && memcmp(&c->keys[i].key, &k->key, sizeof k->key) == 0) {
            return;
        }
    }
    if (c->key_count == KEYS) {
        die("too many keys");
    }
    c->keys[c->key_count++] = *k;
    printf("key %u %lu %llu ", k->bucket, (unsigned long)generation, (unsigned long long)k->root);
    print_hex(sealed, SEAL_KEY);
    printf(" ");
    print_hex(k->key.b, SEAL_KEY);
    printf("\n");
}

/* Whether something of this length at a place can be a sealed row. */
static bool looks_sealed(const uint8_t *p, size_t len, struct seal_header *h)
{
    return seal_row_header(slice_of(p, len), h) == ERR_OK && h->generation <= GENERATIONS;
}

/* Opens a row of table `bucket` under any root; NULL: none does. */
static const struct root *unwrap(const struct carver *c, uint8_t bucket, uint32_t generation,
                                 struct slice row, uint8_t *out)
{
    struct seal_place place;
    struct store_key k = store_key_new();
    store_key_u32(&k, c->account);
    store_key_u8(&k, bucket);
    store_key_u32(&k, generation);
    struct slice where = seal_place_of(&place, STORE_BUCKET, store_key_slice(&k));
    for (size_t i = 0; i < c->root_count; i++) {
        if (seal_row_read(out, &c->roots[i].wrap, where, row) == ERR_OK) {
            return &c->roots[i];
        }
    }
    return NULL;
}

static void carve_pack(struct carver *c, struct slice bytes, size_t at)
{
    struct seal_header h;
    uint8_t pack[SEAL_PACK * PACKED];
    const uint8_t *p = bytes.p + at;
    if (bytes.len - at < PACK || !looks_sealed(p, PACK, &h)) {
        return;
    }
    const struct root *root = unwrap(c, h.bucket, 0, slice_of(p, PACK), pack);
    for (size_t i = 0; root != NULL && i < SEAL_PACK; i++) {
        const uint8_t *entry = pack + i * PACKED;
        if (number(entry, 4) == 0) {
            continue; /* it lies by itself */
        }
        struct bucket_key found = {.bucket = (uint8_t)(h.bucket + i), .root = root->generation};
        memcpy(found.key.b, entry + 4, SEAL_KEY);
        key_add(c, &found, (uint32_t)number(entry, 4), p + SEAL_ROW_HEADER + i * PACKED + 4);
    }
}

/* Of which generation a wrapped key is says only the key of its row, which stands elsewhere. */
static void carve_key(struct carver *c, struct slice bytes, size_t at)
{
    struct seal_header h;
    struct bucket_key found;
    const uint8_t *p = bytes.p + at;
    if (bytes.len - at < WRAPPED || !looks_sealed(p, WRAPPED, &h)) {
        return;
    }
    for (uint32_t generation = 1; generation <= GENERATIONS; generation++) {
        const struct root *root =
            unwrap(c, h.bucket, generation, slice_of(p, WRAPPED), found.key.b);
        if (root != NULL) {
            found.bucket = h.bucket;
            found.root = root->generation;
            key_add(c, &found, generation, p + SEAL_ROW_HEADER);
            return;
        }
    }
}

/* --- rows --- */

static void row_try(struct carver *c, enum store_table t, struct slice key, struct slice row)
{
    static uint8_t plain[STORE_VALUE];
    struct seal_place place;
    struct seal_header h;
    if (t == STORE_BUCKET || row.len > sizeof plain || !looks_sealed(row.p, row.len, &h)) {
        return;
    }
    struct slice where = seal_place_of(&place, t, key);
    for (size_t i = 0; i < c->key_count; i++) {
        if (c->keys[i].bucket == h.bucket &&
            seal_row_read(plain, &c->keys[i].key, where, row) == ERR_OK) {
            printf("row %u %lu %s ", h.bucket, (unsigned long)h.generation, store_table_name(t));
            print_hex(plain, row.len - SEAL_OVERHEAD);
            printf("\n");
            return;
        }
    }
}

/* A node of a leaf page: of which table does not stand there. */
static void carve_node(struct carver *c, struct slice bytes, size_t at)
{
    uint16_t head[NODE_HEADER / sizeof(uint16_t)];
    uint64_t page = 0;
    struct seal_header h;
    if (bytes.len - at < NODE_HEADER) {
        return;
    }
    memcpy(head, bytes.p + at, sizeof head);
    size_t size = head[0] | (size_t)head[1] << 16;
    size_t key_len = head[3];
    size_t value = at + NODE_HEADER + key_len;
    if (key_len == 0 || key_len > STORE_KEY || head[2] > NODE_OVERFLOW || size < SEAL_OVERHEAD ||
        size > STORE_VALUE || value > bytes.len) {
        return;
    }
    if (head[2] == NODE_OVERFLOW && bytes.len - value >= sizeof page) {
        memcpy(&page, bytes.p + value, sizeof page);
        value = page < bytes.len / PAGE ? page * PAGE + PAGE_HEADER : bytes.len;
    }
    if (bytes.len - value < size || !looks_sealed(bytes.p + value, size, &h)) {
        return;
    }
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        row_try(c, (enum store_table)t, slice_of(bytes.p + at + NODE_HEADER, key_len),
                slice_of(bytes.p + value, size));
    }
}

static enum store_table table_of(struct slice name)
{
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        const char *known = store_table_name((enum store_table)t);
        if (name.len == strlen(known) && memcmp(name.p, known, name.len) == 0) {
            return (enum store_table)t;
        }
    }
    return STORE_TABLE_COUNT;
}

/* A change in the log: section 8.9. */
static void carve_change(struct carver *c, struct slice bytes, size_t at)
{
    struct reader r = reader_of(slice_of(bytes.p + at, bytes.len - at));
    if (reader_u8(&r) != LOG_PUT) {
        return;
    }
    enum store_table t = table_of(reader_bytes(&r, reader_u8(&r)));
    if (t == STORE_TABLE_COUNT) {
        return;
    }
    struct slice key = reader_bytes(&r, reader_u8(&r));
    struct slice value = reader_bytes(&r, reader_u32(&r));
    if (value.len > 0 && key.len <= STORE_KEY) {
        row_try(c, t, key, value);
    }
}

static void carve_row(struct carver *c, struct slice bytes, size_t at)
{
    carve_node(c, bytes, at);
    carve_change(c, bytes, at);
}

/* --- files --- */

typedef void carve(struct carver *c, struct slice bytes, size_t at);

static void each_offset(struct carver *c, const char *path, carve *what)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        die(path);
    }
    size_t len = (size_t)st.st_size;
    if (len > 0) {
        void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) {
            die(path);
        }
        for (size_t at = 0; at < len; at++) {
            what(c, slice_of(bytes, len), at);
        }
        munmap(bytes, len);
    }
    close(fd);
}

/* The secret that seals the slots of the home's erase file, and how. */
static void unlock(struct carver *c, const char *home, const char *passphrase)
{
    char name[KEYFILE_NAME];
    uint8_t bytes[ERASE_FILE];
    struct node_root root;
    (void)snprintf(name, sizeof name, "erase-%lu", (unsigned long)c->account);
    if (keyfile_read(home, name, false, bytes, sizeof bytes) != ERR_OK ||
        erase_decode(&c->file, slice_of(bytes, sizeof bytes)) != ERR_OK) {
        die("there is no whole erase file");
    }
    uint64_t newest = c->file.slots[erase_newest(&c->file)].generation;
    if (keyring_account_open(&(struct keyring){.home = home}, c->account,
                             slice_of(passphrase, strlen(passphrase)), (uint32_t)newest,
                             &root) != ERR_OK) {
        die("the erase file does not open");
    }
    memcpy(c->secret, root.secret, sizeof c->secret);
    secret_wipe(&root, sizeof root);
}

int main(int argc, char **argv)
{
    static struct carver c;
    static carve *const passes[] = {carve_root, carve_pack, carve_key, carve_row};
    if (argc < 5) {
        fprintf(stderr, "usage: e2e_carve HOME ACCOUNT PASSPHRASE FILE...\n");
        return 2;
    }
    if (prim_init() != ERR_OK) {
        die("no random numbers");
    }
    c.account = (uint32_t)strtoul(argv[2], NULL, 10);
    unlock(&c, argv[1], argv[3]);
    for (size_t pass = 0; pass < sizeof passes / sizeof passes[0]; pass++) {
        for (int i = 4; i < argc; i++) {
            each_offset(&c, argv[i], passes[pass]);
        }
    }
    secret_wipe(&c, sizeof c);
    return EXIT_SUCCESS;
}
