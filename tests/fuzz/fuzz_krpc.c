/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_krpc: bencoding and messages of the DHT. Input: which u8 | bytes; which & 1: a value, else a
 * message. What is read is written again: a value stands as it was, a message is read to the same.
 * decodes: proto/base/bencode.c proto/dht/krpc.c proto/dht/contact.c proto/dht/item.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/bencode.h"
#include "dht/item.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Writes one value again, by what it is made of. */
static void copy_value(struct reader *r, struct writer *w)
{
    bool is_dict[BENCODE_DEPTH];
    struct bencode_dict dicts[BENCODE_DEPTH];
    unsigned depth = 0;
    do {
        switch (bencode_peek(r)) {
        case BENCODE_INT:
            bencode_int(w, bencode_read_int(r));
            break;
        case BENCODE_STRING:
            bencode_string(w, bencode_read_string(r, SIZE_MAX));
            break;
        case BENCODE_LIST:
            bencode_list_begin(r);
            bencode_list(w);
            is_dict[depth++] = false;
            break;
        case BENCODE_DICT:
            dicts[depth] = bencode_dict_begin(r);
            bencode_dict(w);
            is_dict[depth++] = true;
            break;
        case BENCODE_END:
        case BENCODE_CLOSE:
        case BENCODE_BAD:
            assert(false);
        }
        while (depth > 0) {
            if (is_dict[depth - 1] ? bencode_dict_next(&dicts[depth - 1]) : bencode_list_next(r)) {
                if (is_dict[depth - 1]) {
                    bencode_string(w, dicts[depth - 1].key);
                }
                break;
            }
            bencode_close(w);
            depth--;
        }
    } while (depth > 0);
    assert(r->err == ERR_OK);
}

static void value(struct slice bytes)
{
    static uint8_t again[65536];
    struct reader r = reader_of(bytes);
    struct slice v = bencode_read_value(&r);
    if (r.err == ERR_OK) {
        struct reader once_more = reader_of(v);
        struct writer w = writer_of(again, sizeof again);
        copy_value(&once_more, &w);
        assert(slice_equal(writer_done(&w), v) && reader_end(&once_more) == ERR_OK);
    }
}

static void message(struct slice bytes)
{
    static uint8_t again[65536];
    struct krpc m;
    struct krpc same;
    struct dht_item item;
    if (krpc_read(bytes, &m) != ERR_OK) {
        assert(m.transaction.len <= KRPC_TRANSACTION);
        return;
    }
    (void)dht_item_read(&m, m.salt, NULL, &item);
    m.has_peers = false; /* what is not kept is not written */
    struct writer w = writer_of(again, sizeof again);
    if (m.kind == KRPC_QUERY && m.method == KRPC_UNKNOWN) {
        return;
    }
    krpc_write(&w, &m);
    enum err err = krpc_read(writer_done(&w), &same);
    assert(err == ERR_OK && same.kind == m.kind && same.seq == m.seq && same.code == m.code);
    assert(slice_equal(same.transaction, m.transaction) && slice_equal(same.value, m.value));
    assert(slice_equal(same.nodes, m.nodes) && slice_equal(same.salt, m.salt));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > 0 && len < 8192) {
        struct slice bytes = slice_of(data + 1, len - 1);
        if ((data[0] & 1) != 0) {
            value(bytes);
        } else {
            message(bytes);
        }
    }
    return 0;
}
