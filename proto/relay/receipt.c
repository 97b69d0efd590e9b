/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/receipt.h"

#include <string.h>

enum {
    SIGNED = RECEIPT_HASH + 4 + 8, /* root | count | time */
    REQUIRED = 0x7f,
};

void receipt_leaf(uint8_t leaf[static RECEIPT_HASH], const struct receipt *receipt,
                  const struct sign_pk *queue, const uint8_t envelope_hash[static RECEIPT_HASH])
{
    uint8_t until[8];
    struct writer w = writer_of(until, sizeof until);
    writer_u64(&w, receipt->until_ms);
    const struct slice parts[] = {
        slice_of("\0", 1),
        slice_of(receipt->salt, sizeof receipt->salt),
        slice_of(queue->b, sizeof queue->b),
        slice_of(envelope_hash, RECEIPT_HASH),
        slice_of(until, sizeof until),
    };
    prim_blake2b(leaf, RECEIPT_HASH, slice_of(NULL, 0), "", parts, sizeof parts / sizeof parts[0]);
}

static void node_hash(uint8_t out[static RECEIPT_HASH], const uint8_t left[static RECEIPT_HASH],
                      const uint8_t right[static RECEIPT_HASH])
{
    const struct slice parts[] = {slice_of("\1", 1), slice_of(left, RECEIPT_HASH),
                                  slice_of(right, RECEIPT_HASH)};
    prim_blake2b(out, RECEIPT_HASH, slice_of(NULL, 0), "", parts, sizeof parts / sizeof parts[0]);
}

/* A last node without a sibling goes up as it is: that gives the tree of RFC 6962, whose left half
 * has the largest power of two of leaves that leaves the right one any. */
enum err receipt_tree_make(struct receipt_tree *tree, struct arena *arena,
                           const uint8_t (*leaves)[RECEIPT_HASH], uint32_t count)
{
    if (count == 0 || count > (UINT32_C(1) << RECEIPT_PATH)) {
        return ERR_ARGUMENT;
    }
    *tree = (struct receipt_tree){.height = 0};
    tree->levels[0] = leaves;
    tree->counts[0] = count;
    while (tree->counts[tree->height] > 1) {
        const uint8_t(*below)[RECEIPT_HASH] = tree->levels[tree->height];
        uint32_t n = tree->counts[tree->height];
        uint8_t(*level)[RECEIPT_HASH] = arena_alloc(arena, ((size_t)n + 1) / 2 * RECEIPT_HASH);
        if (level == NULL) {
            return ERR_NO_MEMORY;
        }
        for (uint32_t i = 0; i + 1 < n; i += 2) {
            node_hash(level[i / 2], below[i], below[i + 1]);
        }
        if (n % 2 == 1) {
            memcpy(level[n / 2], below[n - 1], RECEIPT_HASH);
        }
        tree->height++;
        tree->levels[tree->height] = (const uint8_t(*)[RECEIPT_HASH])level;
        tree->counts[tree->height] = (n + 1) / 2;
    }
    return ERR_OK;
}

static struct slice signed_bytes(uint8_t buf[static SIGNED],
                                 const uint8_t root[static RECEIPT_HASH], uint32_t count,
                                 uint64_t time_ms)
{
    struct writer w = writer_of(buf, SIGNED);
    writer_bytes(&w, root, RECEIPT_HASH);
    writer_u32(&w, count);
    writer_u64(&w, time_ms);
    return writer_done(&w);
}

enum err receipt_tree_sign(const struct receipt_tree *tree, uint64_t time_ms,
                           const struct sign_sk *node, uint8_t sig[static PRIM_SIGNATURE])
{
    uint8_t buf[SIGNED];
    return prim_sign(sig, RECEIPT_LABEL,
                     signed_bytes(buf, tree->levels[tree->height][0], tree->counts[0], time_ms),
                     node);
}

void receipt_tree_path(const struct receipt_tree *tree, uint32_t index, struct receipt *receipt)
{
    receipt->index = index;
    receipt->count = tree->counts[0];
    receipt->npath = 0;
    for (unsigned level = 0; level < tree->height; level++) {
        uint32_t sibling = index ^ 1;
        if (sibling < tree->counts[level]) {
            memcpy(receipt->path[receipt->npath++], tree->levels[level][sibling], RECEIPT_HASH);
        }
        index /= 2;
    }
}

void receipt_write(struct writer *w, const struct receipt *receipt)
{
    pack_map(w, 7);
    pack_uint(w, 0);
    pack_bin(w, receipt->salt, sizeof receipt->salt);
    pack_uint(w, 1);
    pack_uint(w, receipt->until_ms);
    pack_uint(w, 2);
    pack_uint(w, receipt->time_ms);
    pack_uint(w, 3);
    pack_uint(w, receipt->index);
    pack_uint(w, 4);
    pack_uint(w, receipt->count);
    pack_uint(w, 5);
    pack_bin(w, receipt->sig, sizeof receipt->sig);
    pack_uint(w, 6);
    pack_bin(w, receipt->path, (size_t)receipt->npath * RECEIPT_HASH);
}

static void path_read(struct reader *r, struct receipt *receipt)
{
    struct slice path = pack_read_bin(r, sizeof receipt->path);
    if (path.len % RECEIPT_HASH != 0) {
        reader_fail(r, ERR_MALFORMED);
        return;
    }
    if (path.len > 0) {
        memcpy(receipt->path, path.p, path.len);
    }
    receipt->npath = (unsigned)(path.len / RECEIPT_HASH);
}

enum err receipt_read(struct slice bytes, struct receipt *receipt)
{
    struct receipt got = {.npath = 0};
    struct relay_fields f;
    relay_fields_begin(&f, bytes);
    while (relay_fields_next(&f)) {
        switch (f.map.key) {
        case 0:
            pack_read_bin_exact(&f.r, got.salt, sizeof got.salt);
            break;
        case 1:
            got.until_ms = pack_read_uint(&f.r, UINT64_MAX);
            break;
        case 2:
            got.time_ms = pack_read_uint(&f.r, UINT64_MAX);
            break;
        case 3:
            got.index = (uint32_t)pack_read_uint(&f.r, UINT32_MAX);
            break;
        case 4:
            got.count = (uint32_t)pack_read_uint(&f.r, UINT32_MAX);
            break;
        case 5:
            pack_read_bin_exact(&f.r, got.sig, sizeof got.sig);
            break;
        case 6:
            path_read(&f.r, &got);
            break;
        default:
            break;
        }
    }
    enum err err = relay_fields_end(&f, REQUIRED);
    if (err == ERR_OK) {
        *receipt = got;
    }
    return err;
}

/* RFC 9162, section 2.1.3.2. false: the path has not the length that index and count ask for. */
static bool root_of(const struct receipt *receipt, uint8_t node[static RECEIPT_HASH])
{
    uint32_t at = receipt->index;
    uint32_t last = receipt->count - 1;
    if (receipt->index >= receipt->count) {
        return false;
    }
    for (unsigned i = 0; i < receipt->npath; i++) {
        if (last == 0) {
            return false;
        }
        if (at % 2 == 1 || at == last) {
            node_hash(node, receipt->path[i], node);
            while (at % 2 == 0 && at != 0) {
                at /= 2;
                last /= 2;
            }
        } else {
            node_hash(node, node, receipt->path[i]);
        }
        at /= 2;
        last /= 2;
    }
    return last == 0;
}

enum err receipt_verify_hash(const struct receipt *receipt, const struct sign_pk *node,
                             const struct sign_pk *queue,
                             const uint8_t envelope_hash[static RECEIPT_HASH])
{
    uint8_t root[RECEIPT_HASH];
    uint8_t buf[SIGNED];
    receipt_leaf(root, receipt, queue, envelope_hash);
    if (!root_of(receipt, root)) {
        return ERR_BAD_SIGNATURE;
    }
    return prim_verify(receipt->sig, RECEIPT_LABEL,
                       signed_bytes(buf, root, receipt->count, receipt->time_ms), node);
}

enum err receipt_verify(const struct receipt *receipt, const struct sign_pk *node,
                        const struct sign_pk *queue, struct slice envelope)
{
    uint8_t hash[RECEIPT_HASH];
    prim_blake2b(hash, sizeof hash, slice_of(NULL, 0), "", &envelope, 1);
    return receipt_verify_hash(receipt, node, queue, hash);
}
