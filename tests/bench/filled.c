/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/filled.h"

#include <string.h>

#include <sodium.h>

#include "bench/rig.h"
#include "crypto/prim.h"
#include "crypto/words.h"
#include "lib/records.h"
#include "node/content.h"

enum {
    PART = 96 * 1024, /* of records in a call, about */
    PART_MAX = PART + 2048,
};

static void contact_record(struct writer *w, unsigned number)
{
    uint8_t seed[32];
    struct sign_pk id;
    struct sign_sk sk;
    randombytes_buf(seed, sizeof seed);
    prim_sign_keypair(&id, &sk, seed);
    records_contact(w, number, &id);
}

static void message_record(struct writer *w, unsigned contact, uint64_t order)
{
    uint8_t bytes[FILLED_TEXT + 256];
    uint8_t encoded[FILLED_TEXT + CONTENT_OVERHEAD];
    char text[FILLED_TEXT];
    struct writer f = writer_of(bytes, sizeof bytes);
    struct writer c = writer_of(encoded, sizeof encoded);
    memset(text, 'a' + (int)(order % 26), sizeof text);
    struct content content = {
        .type = CONTENT_TEXT, .sent_ms = 1700000000000, .text = slice_of(text, sizeof text)};
    randombytes_buf(content.id, sizeof content.id);
    if (content_encode(&c, &content) != ERR_OK) {
        rig_die("content");
    }
    pack_map(&f, 5);
    pack_uint(&f, 0);
    pack_uint(&f, contact);
    pack_uint(&f, 1);
    pack_uint(&f, order);
    pack_uint(&f, 2);
    pack_uint(&f, 4); /* received */
    pack_uint(&f, 3);
    pack_uint(&f, 1700000000000);
    pack_uint(&f, 4);
    pack_bin_slice(&f, writer_done(&c));
    records_record(w, 4, &f);
}

static void put(struct call *call, struct writer *w)
{
    call_begin(call);
    call_bin(call, "records", writer_done(w));
    (void)call_run(call, "restore.put");
    w->len = 0;
}

double filled_account(struct call *call, unsigned contacts, unsigned messages)
{
    unsigned each = messages / contacts;
    static uint8_t part[PART_MAX];
    uint8_t seed[WORDS_SEED];
    char words[WORDS_TEXT];
    randombytes_buf(seed, sizeof seed);
    words_encode(seed, words);
    uint64_t began = rig_ns();
    call_begin(call);
    call_text(call, "words", words);
    call_true(call, "restore");
    (void)call_run(call, "account.create");
    struct writer w = writer_of(part, sizeof part);
    for (unsigned i = 1; i <= contacts; i++) {
        contact_record(&w, i);
        if (w.len >= PART) {
            put(call, &w);
        }
    }
    for (unsigned i = 0; i < each * contacts; i++) {
        message_record(&w, 1 + i / each, 1 + i % each);
        if (w.len >= PART) {
            put(call, &w);
        }
    }
    put(call, &w);
    (void)call_plain(call, "restore.end");
    return (double)(rig_ns() - began) / 1e9;
}
