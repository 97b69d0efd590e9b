/* SPDX-License-Identifier: Apache-2.0 */
#include "store/erase.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/secret.h"

enum {
    ERASE_FORMAT = 1,
    ERASE_MAGIC = 16,
    ERASE_CHECK = 16,
    ERASE_HEADER = ERASE_MAGIC + 1 + 1 + 4 + 4 + 4 + ERASE_SALT, /* without its checksum */
    ERASE_SEALED = (int)SEAL_KEY + (int)PRIM_AEAD_TAG,
    ERASE_SLOT = 8 + PRIM_AEAD_NONCE + ERASE_SEALED, /* likewise */
    ERASE_MEM_MIN_KIB = 8,                           /* Argon2's own minimum */
};

static const uint8_t erase_magic[ERASE_MAGIC] = "petrel/1 erase\0";

/* What the seal of a slot covers besides R: the header, the slot's place, its generation. */
struct slot_place {
    uint8_t b[ERASE_HEADER + 1 + 8];
};

static void header_write(uint8_t out[static ERASE_HEADER], const struct erase_file *f)
{
    struct writer w = writer_of(out, ERASE_HEADER);
    writer_bytes(&w, erase_magic, sizeof erase_magic);
    writer_u8(&w, ERASE_FORMAT);
    writer_u8(&w, (uint8_t)f->kdf.kind);
    writer_u32(&w, f->account);
    writer_u32(&w, f->kdf.ops);
    writer_u32(&w, f->kdf.mem_kib);
    writer_bytes(&w, f->kdf.salt, sizeof f->kdf.salt);
    assert(w.err == ERR_OK && w.len == ERASE_HEADER);
}

static void header_check(uint8_t out[static ERASE_CHECK], struct slice header)
{
    prim_blake2b(out, ERASE_CHECK, slice_of(NULL, 0), "petrel/1 erase header", &header, 1);
}

static void slot_check(uint8_t out[static ERASE_CHECK], uint8_t index, struct slice slot)
{
    struct slice parts[] = {slice_of(&index, 1), slot};
    prim_blake2b(out, ERASE_CHECK, slice_of(NULL, 0), "petrel/1 erase slot", parts, 2);
}

static bool kdf_valid(const struct erase_kdf *kdf)
{
    switch (kdf->kind) {
    case ERASE_KDF_ARGON2ID:
        return kdf->ops >= 1 && kdf->ops <= LIMIT_KDF_OPS && kdf->mem_kib >= ERASE_MEM_MIN_KIB &&
               kdf->mem_kib <= LIMIT_KDF_MEM_KIB;
    case ERASE_KDF_KEY_FILE:
    case ERASE_KDF_CREDENTIAL:
        return kdf->ops == 0 && kdf->mem_kib == 0;
    default:
        return false;
    }
}

static enum err header_read(struct erase_file *out, struct slice block)
{
    uint8_t check[ERASE_CHECK];
    struct reader r = reader_of(block);
    struct slice magic = reader_bytes(&r, ERASE_MAGIC);
    uint8_t format = reader_u8(&r);
    out->kdf.kind = (enum erase_kdf_kind)reader_u8(&r);
    out->account = reader_u32(&r);
    out->kdf.ops = reader_u32(&r);
    out->kdf.mem_kib = reader_u32(&r);
    reader_copy(&r, out->kdf.salt, sizeof out->kdf.salt);
    struct slice sum = reader_bytes(&r, ERASE_CHECK);
    out->former = reader_u64(&r);
    if (r.err != ERR_OK || !slice_equal(magic, slice_of(erase_magic, sizeof erase_magic))) {
        return ERR_CORRUPT;
    }
    if (format > ERASE_FORMAT) {
        return ERR_SCHEMA_NEWER;
    }
    header_check(check, slice_of(block.p, ERASE_HEADER));
    bool good = format == ERASE_FORMAT && slice_equal(sum, slice_of(check, sizeof check)) &&
                out->account > 0 && kdf_valid(&out->kdf);
    return good ? ERR_OK : ERR_CORRUPT;
}

static void slot_read(struct erase_slot *out, uint8_t index, struct slice block)
{
    uint8_t check[ERASE_CHECK];
    struct reader r = reader_of(block);
    *out = (struct erase_slot){.generation = 0};
    slot_check(check, index, slice_of(block.p, ERASE_SLOT));
    uint64_t generation = reader_u64(&r);
    reader_copy(&r, out->nonce, sizeof out->nonce);
    reader_copy(&r, out->sealed, sizeof out->sealed);
    if (slice_equal(reader_bytes(&r, ERASE_CHECK), slice_of(check, sizeof check))) {
        out->generation = generation;
    }
}

static void slot_write(uint8_t *block, uint8_t index, const struct erase_slot *slot)
{
    if (slot->generation == 0) {
        return;
    }
    struct writer w = writer_of(block, ERASE_SLOT);
    writer_u64(&w, slot->generation);
    writer_bytes(&w, slot->nonce, sizeof slot->nonce);
    writer_bytes(&w, slot->sealed, sizeof slot->sealed);
    slot_check(block + ERASE_SLOT, index, writer_done(&w));
}

enum err erase_decode(struct erase_file *out, struct slice file)
{
    struct erase_file f;
    if (file.len != ERASE_FILE) {
        return ERR_CORRUPT;
    }
    enum err err = header_read(&f, slice_of(file.p, ERASE_BLOCK));
    if (err != ERR_OK) {
        return err;
    }
    for (unsigned i = 0; i < ERASE_SLOTS; i++) {
        const uint8_t *block = file.p + (size_t)(i + 1) * ERASE_BLOCK;
        slot_read(&f.slots[i], (uint8_t)i, slice_of(block, ERASE_BLOCK));
    }
    if (erase_newest(&f) < 0) {
        return ERR_CORRUPT;
    }
    *out = f;
    return ERR_OK;
}

void erase_encode(uint8_t out[static ERASE_FILE], const struct erase_file *file)
{
    memset(out, 0, ERASE_FILE);
    header_write(out, file);
    header_check(out + ERASE_HEADER, slice_of(out, ERASE_HEADER));
    struct writer w = writer_of(out + ERASE_HEADER + ERASE_CHECK, sizeof file->former);
    writer_u64(&w, file->former);
    for (unsigned i = 0; i < ERASE_SLOTS; i++) {
        slot_write(out + (size_t)(i + 1) * ERASE_BLOCK, (uint8_t)i, &file->slots[i]);
    }
}

int erase_newest(const struct erase_file *file)
{
    uint64_t a = file->slots[0].generation;
    uint64_t b = file->slots[1].generation;
    if (a == 0 && b == 0) {
        return -1;
    }
    return a >= b ? 0 : 1;
}

static void slot_key(struct aead_key *out, const struct erase_file *f,
                     const uint8_t secret[static SEAL_KEY])
{
    struct slice salt = slice_of(f->kdf.salt, sizeof f->kdf.salt);
    prim_blake2b(out->b, sizeof out->b, slice_of(secret, SEAL_KEY), "petrel/1 erase key", &salt, 1);
}

static struct slice slot_place(struct slot_place *at, const struct erase_file *f, unsigned slot,
                               uint64_t generation)
{
    header_write(at->b, f);
    struct writer w = writer_of(at->b + ERASE_HEADER, sizeof at->b - ERASE_HEADER);
    writer_u8(&w, (uint8_t)slot);
    writer_u64(&w, generation);
    return slice_of(at->b, sizeof at->b);
}

void erase_slot_seal(struct erase_file *file, unsigned slot, uint64_t generation,
                     const uint8_t secret[static SEAL_KEY],
                     const uint8_t nonce[static PRIM_AEAD_NONCE],
                     const uint8_t root[static SEAL_KEY])
{
    assert(slot < ERASE_SLOTS && generation > 0);
    struct erase_slot *s = &file->slots[slot];
    struct aead_key key;
    struct slot_place at;
    slot_key(&key, file, secret);
    memcpy(s->nonce, nonce, sizeof s->nonce);
    s->generation = generation;
    prim_aead_seal(s->sealed, &key, nonce, slot_place(&at, file, slot, generation),
                   slice_of(root, SEAL_KEY));
    secret_wipe(&key, sizeof key);
}

enum err erase_slot_open(const struct erase_file *file, unsigned slot,
                         const uint8_t secret[static SEAL_KEY], uint8_t root[static SEAL_KEY])
{
    assert(slot < ERASE_SLOTS && file->slots[slot].generation > 0);
    const struct erase_slot *s = &file->slots[slot];
    struct aead_key key;
    struct slot_place at;
    slot_key(&key, file, secret);
    enum err err = prim_aead_open(root, &key, s->nonce, slot_place(&at, file, slot, s->generation),
                                  slice_of(s->sealed, sizeof s->sealed));
    secret_wipe(&key, sizeof key);
    if (err != ERR_OK) {
        secret_wipe(root, SEAL_KEY);
        return ERR_WRONG_KEY;
    }
    return ERR_OK;
}
