/* SPDX-License-Identifier: Apache-2.0 */
#include "node/address.h"

#include <assert.h>
#include <string.h>

#include "crypto/signed.h"
#include "node/hostname.h"

enum {
    ADDRESS_FIELDS = 16, /* of a map, unknown ones included */
    PORT_DIGITS = 5,
    PORT_MAX = 65535,
};

static_assert((int)ADDRESS_WIRE <= (int)LIMIT_RELAY_ENTRY, "an address fits a descriptor's entry");
static_assert(ADDRESS_WIRE == 1 + 1 + 34 + 1 + 2 + LIMIT_HOST + 1 + 3, "longest address");

enum err id_parse(struct slice text, struct sign_pk *out)
{
    struct sign_pk id;
    enum err err = id_decode(text, id.b);
    if (err != ERR_OK) {
        return err;
    }
    if (!prim_sign_pk_valid(&id)) {
        return ERR_BAD_KEY;
    }
    *out = id;
    return ERR_OK;
}

/* 1-65535 in decimal without leading zeros; 0 when text is anything else. */
static uint16_t parse_port(struct slice text)
{
    uint32_t v = 0;
    if (text.len == 0 || text.len > PORT_DIGITS || text.p[0] == '0') {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return 0;
        }
        v = v * 10 + (uint32_t)(text.p[i] - '0');
    }
    return (uint16_t)(v > PORT_MAX ? 0 : v);
}

enum err address_parse_host_port(struct slice text, char host[static LIMIT_HOST + 1],
                                 uint16_t *port)
{
    size_t colon = text.len;
    while (colon > 0 && text.p[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2) {
        return ERR_BAD_ADDRESS;
    }
    struct slice name = slice_of(text.p, colon - 1);
    uint16_t number = parse_port(slice_of(text.p + colon, text.len - colon));
    bool brackets = name.len >= 2 && name.p[0] == '[' && name.p[name.len - 1] == ']';
    if (brackets) {
        name = slice_of(name.p + 1, name.len - 2);
    }
    char canonical[LIMIT_HOST + 1];
    enum hostname_kind kind = hostname_canonical(name, canonical);
    if (number == 0 || kind == HOSTNAME_BAD || brackets != (kind == HOSTNAME_IPV6)) {
        return ERR_BAD_ADDRESS;
    }
    memcpy(host, canonical, strlen(canonical) + 1);
    *port = number;
    return ERR_OK;
}

enum err address_parse_node(struct slice text, struct sign_pk *out)
{
    struct sign_pk id;
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.p, '@', text.len);
    size_t len = at == NULL ? text.len : (size_t)(at - text.p);
    enum err err = node_id_decode(slice_of(text.p, len), id.b);
    if (err != ERR_OK) {
        return err == ERR_BAD_CHECKSUM ? err : ERR_BAD_ADDRESS;
    }
    if (!prim_sign_pk_valid(&id)) {
        return ERR_BAD_KEY;
    }
    *out = id;
    return ERR_OK;
}

enum err address_parse(struct slice text, struct address *out)
{
    struct address a = {.port = 0};
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.p, '@', text.len);
    if (at == NULL) {
        return ERR_BAD_ADDRESS;
    }
    size_t len = (size_t)(at - text.p);
    enum err err = address_parse_node(text, &a.node_id);
    if (err == ERR_OK) {
        err = address_parse_host_port(slice_of(at + 1, text.len - len - 1), a.host, &a.port);
    }
    if (err == ERR_OK) {
        *out = a;
    }
    return err;
}

void address_print(const struct address *address, char out[static ADDRESS_TEXT])
{
    struct writer w = writer_of(out, ADDRESS_TEXT);
    char id[NODE_ID_TEXT];
    bool v6 = memchr(address->host, ':', strlen(address->host)) != NULL;
    node_id_encode(address->node_id.b, id);
    writer_bytes(&w, id, sizeof id - 1);
    writer_bytes(&w, "@[", v6 ? 2 : 1);
    writer_bytes(&w, address->host, strlen(address->host));
    writer_bytes(&w, "]:", v6 ? 2 : 0);
    writer_bytes(&w, ":", v6 ? 0 : 1);
    char digits[PORT_DIGITS];
    size_t n = PORT_DIGITS;
    for (unsigned v = address->port; n == PORT_DIGITS || v > 0; v /= 10) {
        digits[--n] = (char)('0' + v % 10);
    }
    writer_bytes(&w, digits + n, PORT_DIGITS - n);
    writer_u8(&w, 0);
    assert(w.err == ERR_OK);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->node_id.b, b->node_id.b, sizeof a->node_id.b) == 0 &&
           strcmp(a->host, b->host) == 0 && a->port == b->port;
}

void address_write(struct writer *w, const struct address *address)
{
    pack_map(w, 3);
    address_write_fields(w, address);
}

void address_write_fields(struct writer *w, const struct address *address)
{
    pack_uint(w, 0);
    pack_bin(w, address->node_id.b, sizeof address->node_id.b);
    pack_uint(w, 1);
    pack_str(w, address->host);
    pack_uint(w, 2);
    pack_uint(w, address->port);
}

static void read_host(struct reader *r, char out[static LIMIT_HOST + 1])
{
    char canonical[LIMIT_HOST + 1];
    struct slice text = pack_read_str(r, LIMIT_HOST);
    if (r->err == ERR_OK && (hostname_canonical(text, canonical) == HOSTNAME_BAD ||
                             !slice_equal(text, slice_of(canonical, strlen(canonical))))) {
        reader_fail(r, ERR_MALFORMED);
    }
    if (r->err == ERR_OK) {
        memcpy(out, canonical, text.len + 1);
    }
}

bool address_read_field(struct reader *r, uint64_t key, struct address *out)
{
    switch (key) {
    case 0:
        signed_read_key(r, &out->node_id);
        return true;
    case 1:
        read_host(r, out->host);
        return true;
    case 2:
        out->port = (uint16_t)pack_read_uint(r, PORT_MAX);
        if (out->port == 0) {
            reader_fail(r, ERR_MALFORMED);
        }
        return true;
    default:
        return false;
    }
}

static void read_map(struct reader *r, bool own, struct address *out)
{
    struct address a = {.port = 0};
    struct pack_fields f = pack_fields_begin(r, ADDRESS_FIELDS);
    while (pack_fields_next(&f)) {
        if (own && f.key == 0) {
            pack_read_bin_exact(r, a.node_id.b, sizeof a.node_id.b);
        } else if (!address_read_field(r, f.key, &a)) {
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, ADDRESS_REQUIRED);
    if (r->err == ERR_OK) {
        *out = a;
    }
}

void address_read(struct reader *r, struct address *out)
{
    read_map(r, false, out);
}

void address_read_own(struct reader *r, struct address *out)
{
    read_map(r, true, out);
}
