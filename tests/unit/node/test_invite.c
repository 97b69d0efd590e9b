/* SPDX-License-Identifier: Apache-2.0 */
#include "node/invite.h"

#include <string.h>

#include <sodium.h>

#include "base/pack.h"
#include "lib/data.h"
#include "lib/unit.h"

/* Bytes of a string literal, zeros among them. */
#define LITERAL(s) slice_of(s, sizeof(s) - 1)

static struct sign_pk key_of(uint8_t seed)
{
    uint8_t bytes[32] = {seed};
    struct sign_pk pk;
    struct sign_sk sk;
    prim_sign_keypair(&pk, &sk, bytes);
    return pk;
}

static struct invite some_invite(const char *host)
{
    struct invite invite = {.id = key_of(1),
                            .relay = {.node_id = key_of(2), .port = 65535},
                            .record = key_of(3),
                            .pop_token = {4},
                            .deposit_token = {5},
                            .secret = {6},
                            .expires_ms = UINT64_MAX};
    strcpy(invite.relay.host, host);
    return invite;
}

static enum err decode(const char *text, struct invite *out)
{
    return invite_decode(slice_of(text, strlen(text)), out);
}

static void same(const struct invite *a, const struct invite *b)
{
    ck_assert_mem_eq(a->id.b, b->id.b, 32);
    ck_assert(address_equal(&a->relay, &b->relay));
    ck_assert_mem_eq(a->record.b, b->record.b, 32);
    ck_assert_mem_eq(a->pop_token, b->pop_token, INVITE_TOKEN);
    ck_assert_mem_eq(a->deposit_token, b->deposit_token, INVITE_TOKEN);
    ck_assert_mem_eq(a->secret, b->secret, INVITE_SECRET);
    ck_assert_uint_eq(a->expires_ms, b->expires_ms);
}

START_TEST(an_invitation_is_read_back)
{
    static const char *const hosts[] = {
        "a", "relay.example", "2001:db8::17",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct invite invite = some_invite(hosts[i]);
        struct invite got;
        char text[INVITE_TEXT];
        invite_encode(&invite, text);
        ck_assert_int_eq(strncmp(text, "petrel:", 7), 0);
        ck_assert_uint_lt(strlen(text), INVITE_TEXT);
        ck_assert_ok(decode(text, &got));
        same(&invite, &got);
        memcpy(text, "PETREL:", 7);
        ck_assert_ok(decode(text, &got));
    }
}
END_TEST

START_TEST(a_mistyped_character_fails_the_checksum_and_wipes)
{
    struct invite invite = some_invite("relay.example");
    struct invite got;
    static const struct invite none;
    char text[INVITE_TEXT];
    invite_encode(&invite, text);
    size_t len = strlen(text);
    /* The last character also carries bits that must be zero. */
    for (size_t i = 7; i + 1 < len; i++) {
        char c = text[i];
        text[i] = c == 'A' ? 'B' : 'A';
        memset(&got, 7, sizeof got);
        ck_assert_err(decode(text, &got), ERR_BAD_CHECKSUM);
        ck_assert_mem_eq(&got, &none, sizeof got);
        text[i] = c;
    }
    ck_assert_ok(decode(text, &got));
}
END_TEST

START_TEST(a_cut_or_longer_text_is_refused)
{
    struct invite invite = some_invite("relay.example");
    struct invite got;
    char text[2 * INVITE_TEXT];
    invite_encode(&invite, text);
    size_t len = strlen(text);
    for (size_t n = 0; n < len; n++) {
        enum err err = invite_decode(slice_of(text, n), &got);
        ck_assert_msg(err == ERR_BAD_INVITATION || err == ERR_BAD_CHECKSUM, "%zu: %s", n,
                      err_name(err));
    }
    text[len] = 'A';
    text[len + 1] = '\0';
    ck_assert_int_ne(decode(text, &got), ERR_OK);
    memset(text + 7, 'A', sizeof text - 8);
    text[sizeof text - 1] = '\0';
    ck_assert_err(decode(text, &got), ERR_BAD_INVITATION);
}
END_TEST

START_TEST(other_alphabets_and_prefixes_are_refused)
{
    struct invite got;
    ck_assert_err(decode("", &got), ERR_BAD_INVITATION);
    ck_assert_err(decode("petrel", &got), ERR_BAD_INVITATION);
    ck_assert_err(decode("petrel:", &got), ERR_BAD_INVITATION);
    ck_assert_err(decode("petrol:AAAAAAAA", &got), ERR_BAD_INVITATION);
    ck_assert_err(decode("petrel:AAA+AAAA", &got), ERR_BAD_INVITATION);
    ck_assert_err(decode("petrel:AAA/AAAA", &got), ERR_BAD_INVITATION);
    ck_assert_err(decode("petrel:AAAAAAA=", &got), ERR_BAD_INVITATION);
    ck_assert_err(decode("petrel:AAAA AAAA", &got), ERR_BAD_INVITATION);
    ck_assert_err(decode("petrel:AAAAAAAA", &got), ERR_BAD_CHECKSUM);
}
END_TEST

/* Text with a right checksum around any payload. */
static void text_of(struct slice payload, char *out, size_t cap)
{
    uint8_t bytes[INVITE_TEXT];
    uint8_t hash[16];
    memcpy(bytes, payload.p, payload.len);
    prim_blake2b(hash, sizeof hash, slice_of(NULL, 0), "petrel/1 invite checksum", &payload, 1);
    memcpy(bytes + payload.len, hash, INVITE_CHECKSUM);
    memcpy(out, "petrel:", 7);
    sodium_bin2base64(out + 7, cap - 7, bytes, payload.len + INVITE_CHECKSUM,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

START_TEST(keys_must_be_valid_points_and_the_form_strict)
{
    struct invite invite = some_invite("relay.example");
    struct invite got;
    char text[2 * INVITE_TEXT];
    invite.id = (struct sign_pk){{2}};
    invite_encode(&invite, text);
    ck_assert_err(decode(text, &got), ERR_BAD_KEY);
    invite = some_invite("relay.example");
    invite.relay.node_id = (struct sign_pk){{1}};
    invite_encode(&invite, text);
    ck_assert_err(decode(text, &got), ERR_BAD_KEY);
    invite = some_invite("relay.example");
    invite.record = (struct sign_pk){{0}};
    invite_encode(&invite, text);
    ck_assert_err(decode(text, &got), ERR_BAD_KEY);
    invite = some_invite("Relay.example");
    invite_encode(&invite, text);
    ck_assert_err(decode(text, &got), ERR_BAD_INVITATION);

    text_of(LITERAL("\x81\x00\x02"), text, sizeof text);
    ck_assert_err(decode(text, &got), ERR_VERSION);
    text_of(LITERAL("\x81\x09\x02"), text, sizeof text);
    ck_assert_err(decode(text, &got), ERR_BAD_INVITATION);
    text_of(LITERAL("\x90"), text, sizeof text);
    ck_assert_err(decode(text, &got), ERR_BAD_INVITATION);
}
END_TEST

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("invite");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        struct invite invite = {.expires_ms = data_u64(c, "expires")};
        struct invite got;
        uint8_t id[INVITE_ID];
        uint8_t want[INVITE_ID];
        char text[INVITE_TEXT];
        const json_t *relay = json_object_get(c, "relay");
        data_bytes(c, "id", invite.id.b, 32);
        data_bytes(relay, "node_id", invite.relay.node_id.b, 32);
        strcpy(invite.relay.host, data_text(relay, "host"));
        invite.relay.port = (uint16_t)data_u64(relay, "port");
        data_bytes(c, "record", invite.record.b, 32);
        data_bytes(c, "pop_token", invite.pop_token, INVITE_TOKEN);
        data_bytes(c, "deposit_token", invite.deposit_token, INVITE_TOKEN);
        data_bytes(c, "secret", invite.secret, INVITE_SECRET);
        invite_encode(&invite, text);
        ck_assert_str_eq(text, data_text(c, "text"));
        ck_assert_ok(decode(text, &got));
        same(&invite, &got);
        invite_id(invite.secret, id);
        data_bytes(c, "invite_id", want, sizeof want);
        ck_assert_mem_eq(id, want, sizeof id);
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, an_invitation_is_read_back);
    tcase_add_test(tc, a_mistyped_character_fails_the_checksum_and_wipes);
    tcase_add_test(tc, a_cut_or_longer_text_is_refused);
    tcase_add_test(tc, other_alphabets_and_prefixes_are_refused);
    tcase_add_test(tc, keys_must_be_valid_points_and_the_form_strict);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("node/invite", add);
}
