/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/contact.h"

#include <string.h>

bool dht_id_equal(const struct dht_id *a, const struct dht_id *b)
{
    return memcmp(a->b, b->b, DHT_ID) == 0;
}

int dht_id_nearer(const struct dht_id *target, const struct dht_id *a, const struct dht_id *b)
{
    for (size_t i = 0; i < DHT_ID; i++) {
        int of_a = a->b[i] ^ target->b[i];
        int of_b = b->b[i] ^ target->b[i];
        if (of_a != of_b) {
            return of_a - of_b;
        }
    }
    return 0;
}

unsigned dht_id_common(const struct dht_id *a, const struct dht_id *b)
{
    for (unsigned i = 0; i < DHT_ID; i++) {
        unsigned differ = (unsigned)(a->b[i] ^ b->b[i]);
        for (unsigned bit = 0; differ != 0; bit++) {
            if ((differ & 0x80U >> bit) != 0) {
                return 8 * i + bit;
            }
        }
    }
    return 8 * DHT_ID;
}

bool dht_address_same_host(const struct dht_address *a, const struct dht_address *b)
{
    size_t len = a->v6 && !dht_address_local(a) ? (size_t)DHT_IPV6 / 2 : dht_ip_len(a);
    return a->v6 == b->v6 && memcmp(a->ip, b->ip, len) == 0;
}

bool dht_address_equal(const struct dht_address *a, const struct dht_address *b)
{
    return a->port == b->port && a->v6 == b->v6 && memcmp(a->ip, b->ip, dht_ip_len(a)) == 0;
}

bool dht_address_valid(const struct dht_address *a)
{
    static const uint8_t zeros[DHT_IPV6];
    static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (a->port == 0) {
        return false;
    }
    if (a->v6) {
        return a->ip[0] != 0xff && memcmp(a->ip, zeros, DHT_IPV6) != 0 &&
               memcmp(a->ip, mapped, sizeof mapped) != 0;
    }
    return a->ip[0] != 0 && a->ip[0] < 224;
}

bool dht_address_local(const struct dht_address *a)
{
    static const uint8_t loopback[DHT_IPV6] = {[15] = 1};
    const uint8_t *ip = a->ip;
    if (a->v6) {
        return memcmp(ip, loopback, DHT_IPV6) == 0 ||       /* RFC 4291 */
               (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) || /* link-local */
               (ip[0] & 0xfe) == 0xfc;                      /* RFC 4193 */
    }
    return ip[0] == 127 || ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
           (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254);
}

struct slice dht_address_prefix(const struct dht_address *a, size_t v4, size_t v6,
                                uint8_t out[static DHT_COMPACT6])
{
    struct writer w = writer_of(out, DHT_COMPACT6);
    if (dht_address_local(a)) {
        dht_address_write(&w, a);
    } else {
        writer_bytes(&w, a->ip, a->v6 ? v6 : v4);
    }
    return writer_done(&w);
}

void dht_address_write(struct writer *w, const struct dht_address *a)
{
    writer_bytes(w, a->ip, dht_ip_len(a));
    writer_u16(w, a->port);
}

struct dht_address dht_address_read(struct reader *r, bool v6)
{
    struct dht_address a = {.v6 = v6};
    reader_copy(r, a.ip, dht_ip_len(&a));
    a.port = reader_u16(r);
    return a;
}

void dht_contact_write(struct writer *w, const struct dht_contact *c)
{
    writer_bytes(w, c->id.b, DHT_ID);
    dht_address_write(w, &c->address);
}

struct dht_contact dht_contact_read(struct reader *r, bool v6)
{
    struct dht_contact c = {.address = {.port = 0}};
    reader_copy(r, c.id.b, DHT_ID);
    c.address = dht_address_read(r, v6);
    return c;
}

/* --- BEP 42 --- */

/* CRC-32C (RFC 3720, B.4), bit by bit: of eight bytes at most. */
static uint32_t crc32c(const uint8_t *p, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? UINT32_C(0x82f63b78) : 0);
        }
    }
    return ~crc;
}

/* What the first 21 bits of an ID have to be, of an address and the last byte of the ID. */
static uint32_t prefix_of(const struct dht_address *a, uint8_t last)
{
    static const uint8_t mask4[] = {0x03, 0x0f, 0x3f, 0xff};
    static const uint8_t mask6[] = {0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff};
    const uint8_t *mask = a->v6 ? mask6 : mask4;
    size_t len = a->v6 ? sizeof mask6 : sizeof mask4;
    uint8_t in[sizeof mask6];
    for (size_t i = 0; i < len; i++) {
        in[i] = a->ip[i] & mask[i];
    }
    in[0] |= (uint8_t)((last & 7) << 5);
    return crc32c(in, len) & UINT32_C(0xfffff800);
}

struct dht_id dht_id_for(const struct env *env, const struct dht_address *a)
{
    struct dht_id id = {{0}};
    env_random(env, id.b, DHT_ID);
    uint32_t prefix = prefix_of(a, id.b[DHT_ID - 1]);
    id.b[0] = (uint8_t)(prefix >> 24);
    id.b[1] = (uint8_t)(prefix >> 16);
    id.b[2] = (uint8_t)((prefix >> 8 & 0xf8) | (id.b[2] & 7));
    return id;
}

bool dht_id_fits(const struct dht_id *id, const struct dht_address *a)
{
    uint32_t prefix = (uint32_t)id->b[0] << 24 | (uint32_t)id->b[1] << 16 | (uint32_t)id->b[2] << 8;
    return dht_address_local(a) ||
           (prefix & UINT32_C(0xfffff800)) == prefix_of(a, id->b[DHT_ID - 1]);
}
