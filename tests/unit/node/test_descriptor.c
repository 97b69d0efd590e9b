/* SPDX-License-Identifier: Apache-2.0 */
#include "node/descriptor.h"

#include <string.h>

#include "base/pack.h"
#include "lib/data.h"
#include "lib/unit.h"

/* Bytes of a string literal, zeros among them. */
#define LITERAL(s) slice_of(s, sizeof(s) - 1)

static struct sign_pk key_of(uint8_t seed, struct sign_sk *sk_out)
{
    uint8_t bytes[32] = {seed};
    struct sign_pk pk;
    struct sign_sk sk;
    prim_sign_keypair(&pk, &sk, bytes);
    if (sk_out != NULL) {
        *sk_out = sk;
    }
    return pk;
}

static struct descriptor some_descriptor(unsigned relays)
{
    struct descriptor d = {.created_ms = 1790000000000,
                           .list_version = 4,
                           .list_hash = {5},
                           .record = key_of(6, NULL),
                           .relay_count = relays};
    for (unsigned i = 0; i < relays && i < LIMIT_RELAYS; i++) {
        struct descriptor_relay *r = &d.relays[i];
        r->address = (struct address){.node_id = key_of((uint8_t)(10 + i), NULL), .port = 65535};
        strcpy(r->address.host, "relay.example");
    }
    return d;
}

static void same(const struct descriptor *a, const struct descriptor *b)
{
    ck_assert_uint_eq(a->created_ms, b->created_ms);
    ck_assert_uint_eq(a->list_version, b->list_version);
    ck_assert_mem_eq(a->list_hash, b->list_hash, sizeof a->list_hash);
    ck_assert_mem_eq(a->record.b, b->record.b, sizeof a->record.b);
    ck_assert_uint_eq(a->relay_count, b->relay_count);
    for (unsigned i = 0; i < a->relay_count; i++) {
        const struct descriptor_relay *x = &a->relays[i];
        const struct descriptor_relay *y = &b->relays[i];
        ck_assert(address_equal(&x->address, &y->address));
        ck_assert_uint_eq(x->flags, y->flags);
        ck_assert(x->has_ipv4 == y->has_ipv4 && x->has_ipv6 == y->has_ipv6);
        ck_assert(!x->has_ipv4 || memcmp(x->ipv4, y->ipv4, sizeof x->ipv4) == 0);
        ck_assert(!x->has_ipv6 || memcmp(x->ipv6, y->ipv6, sizeof x->ipv6) == 0);
    }
}

START_TEST(a_period_is_a_day_and_the_same_turn_for_all)
{
    ck_assert_uint_eq(descriptor_period(0), 0);
    ck_assert_uint_eq(descriptor_period(86399999), 0);
    ck_assert_uint_eq(descriptor_period(86400000), 1);
    ck_assert_uint_eq(descriptor_period(UINT64_C(1790000000000)), 20717);
}
END_TEST

START_TEST(one_to_three_relays_are_read_back)
{
    struct sign_sk sk;
    struct sign_pk id = key_of(1, &sk);
    for (unsigned n = 1; n <= LIMIT_RELAYS; n++) {
        struct descriptor d = some_descriptor(n);
        struct descriptor got;
        struct bep44_item item;
        d.relays[0].flags = n - 1;
        d.relays[0].has_ipv4 = n > 1;
        d.relays[0].has_ipv6 = n > 2;
        memset(d.relays[0].ipv4, 9, 4);
        memset(d.relays[0].ipv6, 8, 16);
        ck_assert_ok(descriptor_seal(&sk, 20717, 1, &d, &item));
        ck_assert_ok(bep44_item_verify(&item));
        ck_assert_ok(descriptor_open(&id, 20717, &item, &got));
        same(&d, &got);
    }
}
END_TEST

START_TEST(only_the_right_identity_and_period_open_it)
{
    struct sign_sk sk;
    struct sign_pk id = key_of(1, &sk);
    struct sign_pk other = key_of(2, NULL);
    struct descriptor d = some_descriptor(1);
    struct descriptor got = {.relay_count = 0};
    struct bep44_item item;
    ck_assert_ok(descriptor_seal(&sk, 20717, 1, &d, &item));
    ck_assert_err(descriptor_open(&other, 20717, &item, &got), ERR_BAD_KEY);
    ck_assert_err(descriptor_open(&id, 20718, &item, &got), ERR_BAD_KEY);
    ck_assert_uint_eq(got.relay_count, 0);
}
END_TEST

START_TEST(a_relay_notices_every_changed_part)
{
    struct sign_sk sk;
    struct descriptor d = some_descriptor(1);
    struct bep44_item good;
    struct bep44_item item;
    (void)key_of(1, &sk);
    ck_assert_ok(descriptor_seal(&sk, 20717, 1, &d, &good));
    item = good;
    item.seq++;
    ck_assert_err(bep44_item_verify(&item), ERR_BAD_SIGNATURE);
    item = good;
    item.sig[0] ^= 1;
    ck_assert_err(bep44_item_verify(&item), ERR_BAD_SIGNATURE);
    for (size_t i = 0; i < sizeof item.value; i += 31) {
        item = good;
        item.value[i] ^= 1;
        ck_assert_err(bep44_item_verify(&item), ERR_BAD_SIGNATURE);
    }
    item = good;
    item.key = key_of(3, NULL);
    ck_assert_err(bep44_item_verify(&item), ERR_BAD_SIGNATURE);
    item.key = (struct sign_pk){{2}};
    ck_assert_err(bep44_item_verify(&item), ERR_BAD_KEY);
    item = good;
    item.seq = UINT64_MAX;
    ck_assert_err(bep44_item_verify(&item), ERR_MALFORMED);
    ck_assert_err(descriptor_seal(&sk, 1, UINT64_MAX, &d, &item), ERR_ARGUMENT);
}
END_TEST

START_TEST(items_show_nothing_in_common)
{
    struct sign_sk sk;
    struct descriptor d = some_descriptor(1);
    struct bep44_item a;
    struct bep44_item b;
    (void)key_of(1, &sk);
    ck_assert_ok(descriptor_seal(&sk, 20717, 1, &d, &a));
    ck_assert_ok(descriptor_seal(&sk, 20718, 1, &d, &b));
    ck_assert_mem_ne(a.key.b, b.key.b, 32);
    for (size_t i = 0; i + 8 <= sizeof a.value; i++) {
        ck_assert_mem_ne(a.value + i, b.value + i, 8);
    }
}
END_TEST

/* So that all relays put the same one; and no two plaintexts have one nonce. */
START_TEST(one_descriptor_is_one_item)
{
    struct sign_sk sk;
    struct descriptor d = some_descriptor(1);
    struct bep44_item a;
    struct bep44_item b;
    (void)key_of(1, &sk);
    ck_assert_ok(descriptor_seal(&sk, 20717, 1, &d, &a));
    ck_assert_ok(descriptor_seal(&sk, 20717, 1, &d, &b));
    ck_assert_mem_eq(&a, &b, sizeof a);
    ck_assert_ok(descriptor_seal(&sk, 20717, 2, &d, &b));
    ck_assert_mem_ne(a.value, b.value, PRIM_AEAD_NONCE);
    d.created_ms++;
    ck_assert_ok(descriptor_seal(&sk, 20717, 1, &d, &b));
    ck_assert_mem_ne(a.value, b.value, PRIM_AEAD_NONCE);
}
END_TEST

START_TEST(counts_and_long_entries_are_refused)
{
    struct sign_sk sk;
    struct bep44_item item;
    struct descriptor d = some_descriptor(0);
    (void)key_of(1, &sk);
    ck_assert_err(descriptor_seal(&sk, 1, 1, &d, &item), ERR_ARGUMENT);
    d = some_descriptor(1);
    d.relay_count = LIMIT_RELAYS + 1;
    ck_assert_err(descriptor_seal(&sk, 1, 1, &d, &item), ERR_ARGUMENT);
    d = some_descriptor(1);
    memset(d.relays[0].address.host, 'a', LIMIT_HOST);
    d.relays[0].address.host[20] = '.';
    d.relays[0].has_ipv4 = true;
    ck_assert_ok(descriptor_seal(&sk, 1, 1, &d, &item));
    d.relays[0].has_ipv6 = true;
    ck_assert_err(descriptor_seal(&sk, 1, 1, &d, &item), ERR_TOO_LARGE);
}
END_TEST

/* An item whose plaintext is the caller's, with all outer signatures right. */
static struct bep44_item item_of(const struct sign_sk *sk, const uint8_t plain[DESCRIPTOR_PLAIN])
{
    struct bep44_item item = {.seq = 1};
    struct aead_key key;
    struct sign_pk id;
    uint8_t period[8] = {0, 0, 0, 0, 0, 0, 0, 9};
    uint8_t buffer[BEP44_BUFFER_MAX];
    memcpy(id.b, sk->b + 32, 32);
    const struct slice parts[] = {slice_of(id.b, 32), slice_of(period, 8)};
    prim_blake2b(key.b, 32, slice_of(NULL, 0), "petrel/1 descriptor", parts, 2);
    prim_aead_seal(item.value + PRIM_AEAD_NONCE, &key, item.value, slice_of(NULL, 0),
                   slice_of(plain, DESCRIPTOR_PLAIN));
    ck_assert_ok(blind_public(&id, 9, &item.key));
    struct writer w = writer_of(buffer, sizeof buffer);
    bep44_item_buffer(&w, 1, item.value);
    ck_assert_ok(blind_sign(sk, 9, writer_done(&w), item.sig));
    return item;
}

/* Plaintext around body, signed by the identity. */
static void plain_of(const struct sign_sk *sk, struct slice body, uint8_t plain[DESCRIPTOR_PLAIN])
{
    memset(plain, 0, DESCRIPTOR_PLAIN);
    plain[0] = (uint8_t)(body.len >> 8);
    plain[1] = (uint8_t)body.len;
    memcpy(plain + 2, body.p, body.len);
    ck_assert_ok(prim_sign(plain + 2 + DESCRIPTOR_BODY, "petrel/1 descriptor body", body, sk));
}

START_TEST(what_is_inside_is_checked_too)
{
    struct sign_sk sk;
    struct sign_sk thief;
    struct sign_pk id = key_of(1, &sk);
    struct descriptor got;
    uint8_t plain[DESCRIPTOR_PLAIN];
    struct bep44_item item;
    (void)key_of(2, &thief);

    plain_of(&sk, LITERAL("\x81\x00\x02"), plain); /* type 2 */
    item = item_of(&sk, plain);
    ck_assert_err(descriptor_open(&id, 9, &item, &got), ERR_UNSUPPORTED);

    plain_of(&sk, LITERAL("\x81\x00\x01"), plain); /* fields missing */
    item = item_of(&sk, plain);
    ck_assert_err(descriptor_open(&id, 9, &item, &got), ERR_MALFORMED);

    plain_of(&thief, LITERAL("\x81\x01\x01"), plain); /* another identity's signature */
    item = item_of(&sk, plain);
    ck_assert_err(descriptor_open(&id, 9, &item, &got), ERR_BAD_SIGNATURE);

    plain_of(&sk, LITERAL("\x81\x01\x01"), plain); /* filling that is not zero */
    plain[DESCRIPTOR_BODY + 1] = 1;
    item = item_of(&sk, plain);
    ck_assert_err(descriptor_open(&id, 9, &item, &got), ERR_MALFORMED);

    plain[0] = 0xff; /* a length beyond the body */
    item = item_of(&sk, plain);
    ck_assert_err(descriptor_open(&id, 9, &item, &got), ERR_MALFORMED);

    item.value[100] ^= 1; /* not what was sealed, but signed anew */
    uint8_t buffer[BEP44_BUFFER_MAX];
    struct writer w = writer_of(buffer, sizeof buffer);
    bep44_item_buffer(&w, 1, item.value);
    ck_assert_ok(blind_sign(&sk, 9, writer_done(&w), item.sig));
    ck_assert_err(descriptor_open(&id, 9, &item, &got), ERR_DECRYPT);
}
END_TEST

START_TEST(an_item_goes_over_the_wire)
{
    struct sign_sk sk;
    struct descriptor d = some_descriptor(1);
    struct bep44_item item;
    struct bep44_item got;
    uint8_t bytes[1200];
    (void)key_of(1, &sk);
    ck_assert_ok(descriptor_seal(&sk, 20717, BEP44_SEQ_MAX, &d, &item));
    struct writer w = writer_of(bytes, sizeof bytes);
    bep44_item_write(&w, &item);
    struct reader r = reader_of(writer_done(&w));
    bep44_item_read(&r, &got);
    ck_assert_ok(reader_end(&r));
    ck_assert_uint_eq(got.seq, item.seq);
    ck_assert_ok(bep44_item_verify(&got));
    for (size_t len = 0; len < w.len; len += 7) {
        r = reader_of(slice_of(bytes, len));
        bep44_item_read(&r, &got);
        ck_assert_err(reader_end(&r), ERR_MALFORMED);
    }
}
END_TEST

static void read_relay_data(const json_t *c, struct descriptor_relay *out)
{
    uint8_t scratch[16];
    data_bytes(c, "node_id", out->address.node_id.b, 32);
    strcpy(out->address.host, data_text(c, "host"));
    out->address.port = (uint16_t)data_u64(c, "port");
    out->flags = (uint32_t)data_u64(c, "flags");
    struct slice v4 = data_hex(c, "ipv4", scratch, 4);
    out->has_ipv4 = v4.len == 4;
    memcpy(out->ipv4, scratch, 4);
    struct slice v6 = data_hex(c, "ipv6", scratch, 16);
    out->has_ipv6 = v6.len == 16;
    memcpy(out->ipv6, scratch, 16);
}

static void check_vector(const json_t *c)
{
    struct descriptor d = {.created_ms = data_u64(c, "created"),
                           .list_version = (uint32_t)data_u64(c, "list_version")};
    struct descriptor got;
    struct bep44_item item;
    struct bep44_item want = {.seq = data_u64(c, "seq")};
    const json_t *relays = json_object_get(c, "relays");
    uint64_t period = data_u64(c, "period");
    uint8_t seed[32];
    struct sign_pk id;
    struct sign_sk sk;
    data_bytes(c, "seed", seed, sizeof seed);
    prim_sign_keypair(&id, &sk, seed);
    data_bytes(c, "list_hash", d.list_hash, sizeof d.list_hash);
    data_bytes(c, "record", d.record.b, 32);
    d.relay_count = (unsigned)json_array_size(relays);
    for (unsigned i = 0; i < d.relay_count; i++) {
        read_relay_data(json_array_get(relays, i), &d.relays[i]);
    }
    data_bytes(c, "key", want.key.b, 32);
    data_bytes(c, "sig", want.sig, sizeof want.sig);
    data_bytes(c, "value", want.value, sizeof want.value);
    ck_assert_ok(descriptor_seal(&sk, period, want.seq, &d, &item));
    ck_assert_mem_eq(item.key.b, want.key.b, 32);
    ck_assert_mem_eq(item.value, want.value, sizeof item.value);
    ck_assert_mem_eq(item.sig, want.sig, sizeof item.sig);
    ck_assert_ok(descriptor_open(&id, period, &want, &got));
    same(&d, &got);
}

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("descriptor");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        check_vector(c);
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_period_is_a_day_and_the_same_turn_for_all);
    tcase_add_test(tc, one_to_three_relays_are_read_back);
    tcase_add_test(tc, only_the_right_identity_and_period_open_it);
    tcase_add_test(tc, a_relay_notices_every_changed_part);
    tcase_add_test(tc, items_show_nothing_in_common);
    tcase_add_test(tc, one_descriptor_is_one_item);
    tcase_add_test(tc, counts_and_long_entries_are_refused);
    tcase_add_test(tc, what_is_inside_is_checked_too);
    tcase_add_test(tc, an_item_goes_over_the_wire);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("node/descriptor", add);
}
