/* SPDX-License-Identifier: Apache-2.0 */
/* The example packets of BEP 5: each is one value of strict bencoding, and a message that is
 * written again as it was read. The nodes of two of them are no compact addresses: those are
 * refused. */
#include <stdlib.h>
#include <string.h>

#include "base/bencode.h"
#include "dht/krpc.h"
#include "lib/vectors.h"

#define FILE_NAME "dht/bep5-messages.json"

static int is_one_value(struct slice bytes)
{
    struct reader r = reader_of(bytes);
    return slice_equal(bencode_read_value(&r), bytes) && reader_end(&r) == ERR_OK;
}

/* Where its "values" stand, which are not kept when it is read. */
static struct slice peers_of(const struct krpc *m, struct slice bytes, uint8_t out[static 64])
{
    struct writer w = writer_of(out, 64);
    if (m->has_peers) {
        static const char key[] = "6:values";
        const uint8_t *at = memmem(bytes.p, bytes.len, key, sizeof key - 1);
        struct reader r = reader_of(bytes);
        (void)reader_bytes(&r, (size_t)(at - bytes.p) + sizeof key - 1);
        bencode_list_begin(&r);
        while (bencode_list_next(&r)) {
            writer_slice(&w, bencode_read_string(&r, DHT_COMPACT4));
        }
    }
    return writer_done(&w);
}

static int is_message(struct slice bytes)
{
    struct krpc m;
    uint8_t peers[64];
    uint8_t again[1024];
    struct writer w = writer_of(again, sizeof again);
    if (krpc_read(bytes, &m) != ERR_OK) {
        return 0;
    }
    m.peers = peers_of(&m, bytes, peers);
    krpc_write(&w, &m);
    return slice_equal(writer_done(&w), bytes);
}

int main(void)
{
    json_t *root = vectors_load(FILE_NAME);
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(root, "tests"), i, c)
    {
        const char *kind = json_string_value(json_object_get(c, "kind"));
        struct slice bytes = vectors_hex(c, "hex");
        struct krpc m;
        bool placeholder =
            strstr(json_string_value(json_object_get(c, "bencoded")), "9:def456...") != NULL;
        int ok = is_one_value(bytes) &&
                 (placeholder ? krpc_read(bytes, &m) == ERR_MALFORMED : is_message(bytes));
        vectors_case(FILE_NAME, kind, ok);
        vectors_free(bytes);
    }
    json_decref(root);
    return vectors_done();
}
