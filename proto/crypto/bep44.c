/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/bep44.h"

#include <assert.h>
#include <string.h>

#include "base/bencode.h"
#include "base/pack.h"
#include "crypto/blind.h"

enum {
    ITEM_FIELDS = 16, /* of a map, unknown ones included */
};

void bep44_buffer_write(struct writer *w, struct slice salt, uint64_t seq, struct slice bencoded)
{
    if (salt.len > 0) {
        bencode_text(w, "salt");
        bencode_string(w, salt);
    }
    bencode_text(w, "seq");
    bencode_int(w, (int64_t)seq);
    bencode_text(w, "v");
    writer_slice(w, bencoded);
}

void bep44_item_buffer(struct writer *w, uint64_t seq, const uint8_t value[static LIMIT_DESCRIPTOR])
{
    bep44_buffer_write(w, slice_of(NULL, 0), seq, slice_of(NULL, 0));
    bencode_string(w, slice_of(value, LIMIT_DESCRIPTOR));
}

enum err bep44_item_verify(const struct bep44_item *item)
{
    uint8_t buffer[BEP44_BUFFER_MAX];
    struct writer w = writer_of(buffer, sizeof buffer);
    if (item->seq > BEP44_SEQ_MAX) {
        return ERR_MALFORMED;
    }
    bep44_item_buffer(&w, item->seq, item->value);
    assert(w.err == ERR_OK);
    return blind_verify(&item->key, writer_done(&w), item->sig);
}

void bep44_item_write(struct writer *w, const struct bep44_item *item)
{
    pack_map(w, 4);
    pack_uint(w, 0);
    pack_bin(w, item->key.b, sizeof item->key.b);
    pack_uint(w, 1);
    pack_uint(w, item->seq);
    pack_uint(w, 2);
    pack_bin(w, item->sig, sizeof item->sig);
    pack_uint(w, 3);
    pack_bin(w, item->value, sizeof item->value);
}

void bep44_item_read(struct reader *r, struct bep44_item *out)
{
    struct bep44_item item = {.seq = 0};
    struct pack_fields f = pack_fields_begin(r, ITEM_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            pack_read_bin_exact(r, item.key.b, sizeof item.key.b);
            break;
        case 1:
            item.seq = pack_read_uint(r, BEP44_SEQ_MAX);
            break;
        case 2:
            pack_read_bin_exact(r, item.sig, sizeof item.sig);
            break;
        case 3:
            pack_read_bin_exact(r, item.value, sizeof item.value);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 0xf);
    if (r->err == ERR_OK) {
        *out = item;
    }
}
