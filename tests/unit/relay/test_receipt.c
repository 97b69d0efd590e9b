/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/receipt.h"

#include <string.h>

#include "lib/unit.h"

enum {
    MOST = 130, /* leaves of the trees that are tried */
};

static const struct sign_pk QUEUE = {{7}};

static struct sign_pk node;
static struct sign_sk node_sk;

static void set_up(void)
{
    static const uint8_t seed[32] = {3};
    prim_sign_keypair(&node, &node_sk, seed);
}

static struct slice envelope_of(uint32_t i, uint8_t space[static 4])
{
    struct writer w = writer_of(space, 4);
    writer_u32(&w, i);
    return writer_done(&w);
}

static void receipts_of(struct receipt *receipts, uint32_t count, struct arena *arena)
{
    static uint8_t leaves[MOST][RECEIPT_HASH];
    struct receipt_tree tree;
    uint8_t sig[PRIM_SIGNATURE];
    for (uint32_t i = 0; i < count; i++) {
        uint8_t space[4];
        uint8_t hash[RECEIPT_HASH];
        struct slice envelope = envelope_of(i, space);
        prim_blake2b(hash, sizeof hash, slice_of(NULL, 0), "", &envelope, 1);
        receipts[i] = (struct receipt){.until_ms = 1000 + i, .time_ms = 500};
        memset(receipts[i].salt, (int)i, sizeof receipts[i].salt);
        receipt_leaf(leaves[i], &receipts[i], &QUEUE, hash);
    }
    ck_assert_ok(receipt_tree_make(&tree, arena, (const uint8_t(*)[RECEIPT_HASH])leaves, count));
    ck_assert_ok(receipt_tree_sign(&tree, 500, &node_sk, sig));
    for (uint32_t i = 0; i < count; i++) {
        memcpy(receipts[i].sig, sig, sizeof sig);
        receipt_tree_path(&tree, i, &receipts[i]);
    }
}

/* The tree by the definition of RFC 6962, section 2.1. */
static void root_by_definition(uint8_t out[static RECEIPT_HASH],
                               const uint8_t (*leaves)[RECEIPT_HASH], uint32_t n)
{
    uint8_t both[1 + 2 * RECEIPT_HASH] = {1};
    uint32_t k = 1;
    if (n == 1) {
        memcpy(out, leaves[0], RECEIPT_HASH);
        return;
    }
    while (2 * k < n) {
        k *= 2;
    }
    root_by_definition(both + 1, leaves, k);
    root_by_definition(both + 1 + RECEIPT_HASH, leaves + k, n - k);
    struct slice bytes = slice_of(both, sizeof both);
    prim_blake2b(out, RECEIPT_HASH, slice_of(NULL, 0), "", &bytes, 1);
}

START_TEST(the_tree_is_that_of_rfc_6962)
{
    static uint8_t leaves[MOST][RECEIPT_HASH];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    for (uint32_t i = 0; i < MOST; i++) {
        memset(leaves[i], (int)i, RECEIPT_HASH);
    }
    for (uint32_t n = 1; n <= MOST; n++) {
        struct receipt_tree tree;
        uint8_t root[RECEIPT_HASH];
        const uint8_t(*all)[RECEIPT_HASH] = (const uint8_t(*)[RECEIPT_HASH])leaves;
        ck_assert_ok(receipt_tree_make(&tree, &arena, all, n));
        root_by_definition(root, all, n);
        ck_assert_mem_eq(tree.levels[tree.height][0], root, RECEIPT_HASH);
    }
    arena_fini(&arena);
}
END_TEST

START_TEST(every_receipt_of_every_tree_verifies_and_no_other)
{
    static struct receipt receipts[MOST];
    struct arena arena;
    set_up();
    arena_init(&arena, SIZE_MAX);
    for (uint32_t n = 1; n <= MOST; n += n < 20 ? 1 : 11) {
        receipts_of(receipts, n, &arena);
        for (uint32_t i = 0; i < n; i++) {
            uint8_t space[4];
            ck_assert_ok(receipt_verify(&receipts[i], &node, &QUEUE, envelope_of(i, space)));
            ck_assert_err(receipt_verify(&receipts[i], &node, &QUEUE, envelope_of(i + 1, space)),
                          ERR_BAD_SIGNATURE);
        }
    }
    arena_fini(&arena);
}
END_TEST

START_TEST(every_part_binds)
{
    static struct receipt receipts[MOST];
    struct arena arena;
    uint8_t space[4];
    struct slice envelope = envelope_of(4, space);
    struct sign_pk other = {{8}};
    set_up();
    arena_init(&arena, SIZE_MAX);
    receipts_of(receipts, 11, &arena);
    struct receipt good = receipts[4];
    ck_assert_ok(receipt_verify(&good, &node, &QUEUE, envelope));
    ck_assert_err(receipt_verify(&good, &node, &other, envelope), ERR_BAD_SIGNATURE);
    ck_assert(receipt_verify(&good, &QUEUE, &QUEUE, envelope) != ERR_OK);
    struct receipt bad = good;
    bad.salt[3] ^= 1;
    ck_assert_err(receipt_verify(&bad, &node, &QUEUE, envelope), ERR_BAD_SIGNATURE);
    bad = good;
    bad.until_ms++;
    ck_assert_err(receipt_verify(&bad, &node, &QUEUE, envelope), ERR_BAD_SIGNATURE);
    bad = good;
    bad.time_ms++;
    ck_assert_err(receipt_verify(&bad, &node, &QUEUE, envelope), ERR_BAD_SIGNATURE);
    for (uint32_t index = 0; index < 13; index++) {
        for (uint32_t count = 0; count < 20; count++) {
            bad = good;
            bad.index = index;
            bad.count = count;
            ck_assert_err(receipt_verify(&bad, &node, &QUEUE, envelope),
                          index == 4 && count == 11 ? ERR_OK : ERR_BAD_SIGNATURE);
        }
    }
    for (unsigned i = 0; i < good.npath; i++) {
        bad = good;
        bad.path[i][0] ^= 1;
        ck_assert_err(receipt_verify(&bad, &node, &QUEUE, envelope), ERR_BAD_SIGNATURE);
        bad = good;
        bad.npath = i;
        ck_assert_err(receipt_verify(&bad, &node, &QUEUE, envelope), ERR_BAD_SIGNATURE);
    }
    arena_fini(&arena);
}
END_TEST

START_TEST(what_is_written_is_read)
{
    static struct receipt receipts[MOST];
    struct arena arena;
    uint8_t bytes[RELAY_RECEIPT];
    struct receipt got;
    set_up();
    arena_init(&arena, SIZE_MAX);
    receipts_of(receipts, 100, &arena);
    struct writer w = writer_of(bytes, sizeof bytes);
    receipt_write(&w, &receipts[37]);
    ck_assert_ok(receipt_read(writer_done(&w), &got));
    ck_assert_mem_eq(&got, &receipts[37], sizeof got);
    for (size_t len = 0; len < w.len; len++) {
        ck_assert_err(receipt_read(slice_of(bytes, len), &got), ERR_MALFORMED);
    }
    receipts[37].npath = RECEIPT_PATH;
    w = writer_of(bytes, sizeof bytes);
    receipt_write(&w, &receipts[37]);
    ck_assert_ok(w.err); /* the longest fits */
    arena_fini(&arena);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, the_tree_is_that_of_rfc_6962);
    tcase_add_test(tc, every_receipt_of_every_tree_verifies_and_no_other);
    tcase_add_test(tc, every_part_binds);
    tcase_add_test(tc, what_is_written_is_read);
}

int main(void)
{
    return unit_main("relay/receipt", add);
}
