/* SPDX-License-Identifier: Apache-2.0
 *
 * erase: the erase file. Input: header (62 bytes) | slot 0 (96) | slot 1 (96), each put to its
 * place in a file of zeros; an input of exactly ERASE_FILE bytes is taken as it is.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "fuzz/parts/parts.h"
#include "store/erase.h"

static void place(uint8_t *file, const uint8_t *data, size_t len)
{
    static const size_t sizes[] = {62, 96, 96};
    for (size_t i = 0; i < 3; i++) {
        size_t n = len < sizes[i] ? len : sizes[i];
        memcpy(file + i * ERASE_BLOCK, data, n);
        data += n;
        len -= n;
    }
}

/* With the checksums made right, so that what lies behind them is reached too. */
static void mend(uint8_t *file)
{
    static const char *const labels[] = {"petrel/1 erase header", "petrel/1 erase slot"};
    struct slice header = slice_of(file, 46);
    prim_blake2b(file + 46, 16, slice_of(NULL, 0), labels[0], &header, 1);
    for (uint8_t i = 0; i < ERASE_SLOTS; i++) {
        uint8_t *slot = file + (size_t)(i + 1) * ERASE_BLOCK;
        struct slice parts[] = {slice_of(&i, 1), slice_of(slot, 80)};
        prim_blake2b(slot + 80, 16, slice_of(NULL, 0), labels[1], parts, 2);
    }
}

static void check(const uint8_t *bytes)
{
    static const uint8_t secret[SEAL_KEY] = {1};
    struct erase_file f;
    struct erase_file again;
    uint8_t root[SEAL_KEY];
    uint8_t out[ERASE_FILE];
    if (erase_decode(&f, slice_of(bytes, ERASE_FILE)) != ERR_OK) {
        return;
    }
    unsigned slot = (unsigned)erase_newest(&f);
    if (erase_slot_open(&f, slot, secret, root) != ERR_OK) {
        assert(sodium_is_zero(root, sizeof root));
    }
    erase_encode(out, &f);
    enum err err = erase_decode(&again, slice_of(out, sizeof out));
    assert(err == ERR_OK && again.account == f.account && again.kdf.kind == f.kdf.kind);
    assert(again.slots[slot].generation == f.slots[slot].generation);
    (void)err;
}

void part_erase(const uint8_t *data, size_t len)
{
    static uint8_t file[ERASE_FILE];
    if (prim_init() != ERR_OK) {
        return;
    }
    if (len == ERASE_FILE) {
        check(data);
        return;
    }
    memset(file, 0, sizeof file);
    place(file, data, len);
    check(file);
    mend(file);
    check(file);
}
