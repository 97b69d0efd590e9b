/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/envelope.h"

#include <assert.h>
#include <string.h>

#include "base/pack.h"
#include "base/secret.h"
#include "crypto/ct.h"
#include "crypto/pad.h"

enum {
    KEY_ID = 0,
    KEY_DEVICE_LIST = 1,
    KEY_DEVICE = 2,
    KEY_INVITE = 3,
    INTRO_FIELDS = 16, /* pairs of the map, unknown ones included */
};
static_assert(1 + ENVELOPE_TAIL == ENVELOPE_OVERHEAD, "kind 1 overhead");
static_assert(ENVELOPE_FIRST_FIXED == 1131, "kind 2 before the introduction");

static void parse_first(struct reader *r, struct envelope *e)
{
    e->first.spk_id = reader_u32(r);
    e->first.one_time_id = reader_u32(r);
    reader_copy(r, e->first.ek.b, sizeof e->first.ek.b);
    e->kem_ct = reader_bytes(r, SESSION_KEM_CT).p;
    size_t len = reader_u16(r);
    e->before = slice_of(r->p, r->pos);
    e->intro = reader_bytes(r, len);
    if (len > ENVELOPE_INTRO + PRIM_AEAD_TAG || e->first.spk_id == 0) {
        reader_fail(r, ERR_MALFORMED);
    }
}

enum err envelope_parse(struct slice bytes, struct envelope *e)
{
    unsigned class;
    struct reader r = reader_of(bytes);
    memset(e, 0, sizeof *e);
    e->kind = reader_u8(&r);
    bool known = e->kind == ENVELOPE_ESTABLISHED || e->kind == ENVELOPE_FIRST;
    if (!known || !pad_class_exact(bytes.len, &class)) {
        return ERR_MALFORMED;
    }
    if (e->kind == ENVELOPE_FIRST) {
        if (class < ENVELOPE_FIRST_CLASS) {
            return ERR_MALFORMED;
        }
        parse_first(&r, e);
    }
    e->nonce = reader_bytes(&r, PRIM_AEAD_NONCE).p;
    e->header = reader_bytes(&r, HEADER_SEALED).p;
    e->head = slice_of(r.p, r.pos);
    e->body = reader_rest(&r);
    if (e->body.len < PRIM_AEAD_TAG) {
        reader_fail(&r, ERR_MALFORMED);
    }
    return reader_end(&r);
}

static void intro_write(struct writer *w, const struct envelope_intro *intro)
{
    pack_map(w, intro->invite != NULL ? 4 : 3);
    pack_uint(w, KEY_ID);
    pack_bin(w, intro->id.b, sizeof intro->id.b);
    pack_uint(w, KEY_DEVICE_LIST);
    pack_bin_slice(w, intro->device_list);
    pack_uint(w, KEY_DEVICE);
    pack_uint(w, intro->device);
    if (intro->invite != NULL) {
        uint8_t invite_id[INVITE_ID];
        pqxdh_invite_id(intro->invite, invite_id);
        pack_uint(w, KEY_INVITE);
        pack_bin(w, invite_id, sizeof invite_id);
    }
}

size_t envelope_first_write(uint8_t *out, const struct pqxdh_shared *shared,
                            const struct pqxdh_message *message, const struct pair_bundle *bundle,
                            const struct envelope_intro *intro)
{
    uint8_t *sealed = out + ENVELOPE_FIRST_FIXED;
    struct writer plain = writer_of(sealed, ENVELOPE_INTRO);
    intro_write(&plain, intro);
    assert(plain.err == ERR_OK);
    size_t sealed_len = plain.len + PRIM_AEAD_TAG;
    struct writer w = writer_of(out, ENVELOPE_FIRST_FIXED);
    writer_u8(&w, ENVELOPE_FIRST);
    writer_u32(&w, bundle->spk_id);
    writer_u32(&w, bundle->one_time ? bundle->one_time_id : 0);
    writer_bytes(&w, message->ek.b, sizeof message->ek.b);
    writer_bytes(&w, message->kem_ct, sizeof message->kem_ct);
    writer_u16(&w, (uint16_t)sealed_len);
    assert(w.err == ERR_OK && w.len == ENVELOPE_FIRST_FIXED);
    struct aead_key key;
    uint8_t nonce[PRIM_AEAD_NONCE];
    pqxdh_intro_key(shared, &key, nonce);
    prim_aead_seal(sealed, &key, nonce, writer_done(&w), writer_done(&plain));
    secret_wipe(&key, sizeof key);
    return ENVELOPE_FIRST_FIXED + sealed_len;
}

static enum err intro_read(struct slice map, struct session_intro *intro)
{
    static const uint64_t required = 1U << KEY_ID | 1U << KEY_DEVICE_LIST | 1U << KEY_DEVICE;
    struct session_intro in;
    memset(&in, 0, sizeof in);
    CT_PUBLIC(map.p, map.len); /* to read a map is to branch on it; the tag was right before */
    struct reader r = reader_of(map);
    struct pack_fields f = pack_fields_begin(&r, INTRO_FIELDS);
    while (pack_fields_next(&f)) {
        if (f.key == KEY_ID) {
            pack_read_bin_exact(&r, in.id.b, sizeof in.id.b);
        } else if (f.key == KEY_DEVICE_LIST) {
            in.device_list = pack_read_bin(&r, LIMIT_DEVICE_LIST);
        } else if (f.key == KEY_DEVICE) {
            in.device = (uint8_t)pack_read_uint(&r, LIMIT_DEVICES - 1);
        } else if (f.key == KEY_INVITE) {
            pack_read_bin_exact(&r, in.invite_id, sizeof in.invite_id);
            in.has_invite = true;
        } else {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, required);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *intro = in;
    }
    return err;
}

enum err envelope_intro_open(const struct envelope *e, const struct pqxdh_shared *shared,
                             struct arena *arena, struct session_intro *intro)
{
    uint8_t *plain = arena_alloc(arena, e->intro.len);
    if (plain == NULL) {
        return ERR_NO_MEMORY;
    }
    struct aead_key key;
    uint8_t nonce[PRIM_AEAD_NONCE];
    pqxdh_intro_key(shared, &key, nonce);
    enum err err = prim_aead_open(plain, &key, nonce, e->before, e->intro);
    secret_wipe(&key, sizeof key);
    if (err == ERR_OK) {
        err = intro_read(slice_of(plain, e->intro.len - PRIM_AEAD_TAG), intro);
    }
    if (err != ERR_OK) {
        secret_wipe(plain, e->intro.len);
    }
    return err;
}
