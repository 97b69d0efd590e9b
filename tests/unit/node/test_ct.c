/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time, see lib/ct.h: keys that are derived from an account's rows, and what its identity
 * signs.
 */
#include <string.h>

#include "lib/ct.h"
#include "node/core.h"
#include "node/descriptor.h"
#include "node/device.h"
#include "node/home_keys.h"
#include "node/invite.h"

/* A public key that is one. */
static struct sign_pk key_of(uint8_t with)
{
    uint8_t seed[32] = {with};
    struct sign_pk pk;
    struct sign_sk sk;
    prim_sign_keypair(&pk, &sk, seed);
    return pk;
}

static struct address some_address(void)
{
    struct address a = {.node_id = key_of(9), .port = 4000};
    strcpy(a.host, "relay.example");
    return a;
}

static void account_of(struct account_row *row)
{
    memset(row, 0, sizeof *row);
    ct_fill(row->identity, sizeof row->identity, 1);
    ct_fill(row->device_sign, sizeof row->device_sign, 2);
    ct_fill(row->device_dh, sizeof row->device_dh, 3);
    ct_fill(row->device_seed, sizeof row->device_seed, 4);
}

START_TEST(keys_of_an_account_and_of_its_links)
{
    struct account_row row;
    struct sign_pk pk;
    struct sign_sk sk;
    struct dh_sk link;
    struct dh_pk link_pk;
    struct pair_self self;
    const struct sign_pk relay = key_of(5);
    account_of(&row);
    account_identity(&row, &pk, &sk);
    account_link_key(&row, &relay, &link);
    prim_dh_public(&link_pk, &link);
    account_pair_self(&row, &self);
    account_row_id(&row, &pk);
    ck_assert_mem_eq(self.id.b, pk.b, sizeof pk.b);
}
END_TEST

START_TEST(keys_of_a_relay_of_ours)
{
    struct relay_row row;
    struct home_signers signers;
    struct sign_pk queue;
    struct sign_pk record;
    struct token_key k;
    struct token_siv_key siv;
    struct token token;
    uint32_t contact = 0;
    uint32_t counter = 0;
    memset(&row, 0, sizeof row);
    ct_fill(row.member, sizeof row.member, 1);
    ct_fill(row.queue, sizeof row.queue, 2);
    ct_fill(row.record, sizeof row.record, 3);
    ct_fill(row.token_key, sizeof row.token_key, 4);
    ct_fill(row.siv_key, sizeof row.siv_key, 5);
    home_signers_open(&row, &signers);
    home_queue(&row, &queue);
    home_record(&row, &record);
    ck_assert_mem_eq(queue.b, signers.queue_pk.b, sizeof queue.b);
    ck_assert_mem_eq(record.b, signers.record_pk.b, sizeof record.b);
    home_token_keys(&row, &queue, &k, &siv);
    token_mint(&k, &siv, &queue, 1, 2, 3, &token);
    CT_PUBLIC(&token, sizeof token);
    ck_assert_ok(token_open_nonce(&siv, token.b, &contact, &counter));
}
END_TEST

START_TEST(what_an_identity_signs)
{
    struct account_row row;
    struct sign_pk id;
    struct sign_sk sk;
    struct device_certificate got;
    struct device_certificate certificate = {
        .sign = key_of(1), .dh = {{9}}, .mls = key_of(2), .added_ms = 1790000000000};
    static struct device_list list;
    static struct device_list list_got;
    uint8_t bytes[LIMIT_CERTIFICATE];
    static uint8_t list_bytes[LIMIT_DEVICE_LIST];
    struct descriptor d = {
        .created_ms = 1790000000000, .list_version = 1, .record = key_of(3), .relay_count = 1};
    struct descriptor d_got;
    struct bep44_item item;
    account_of(&row);
    account_identity(&row, &id, &sk);
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(device_certificate_make(&w, &certificate, &sk));
    ck_assert_ok(device_certificate_open(writer_done(&w), &id, &got));
    list = (struct device_list){.version = 1, .created_ms = 1790000000000, .count = 1};
    list.entries[0].certificate = writer_done(&w);
    list.entries[0].queue_count = 1;
    list.entries[0].queues[0] = (struct device_place){.relay = some_address(), .key = key_of(4)};
    list.entries[0].record = (struct device_place){.relay = some_address(), .key = key_of(5)};
    struct writer l = writer_of(list_bytes, sizeof list_bytes);
    ck_assert_ok(device_list_make(&l, &list, &sk));
    ck_assert_ok(device_list_open(writer_done(&l), &id, &list_got));
    d.relays[0].address = some_address();
    ck_assert_ok(descriptor_seal(&sk, 20000, 1, &d, &item));
    CT_PUBLIC(&item, sizeof item);
    ck_assert_ok(descriptor_open(&id, 20000, &item, &d_got));
}
END_TEST

/* All of it is a secret; how long it is, is not. */
START_TEST(an_invitation_written_and_named)
{
    struct invite invite;
    struct invite got;
    uint8_t id[INVITE_ID];
    char text[INVITE_TEXT];
    memset(&invite, 0, sizeof invite);
    invite.id = key_of(1);
    invite.relay = some_address();
    invite.record = key_of(2);
    invite.expires_ms = 1790000000000;
    ct_fill(invite.secret, sizeof invite.secret, 3);
    ct_fill(invite.pop_token, sizeof invite.pop_token, 4);
    ct_fill(invite.deposit_token, sizeof invite.deposit_token, 5);
    invite_id(invite.secret, id);
    invite_encode(&invite, text);
    CT_PUBLIC(text, sizeof text);
    ck_assert_ok(invite_decode(unit_str(text), &got));
    CT_PUBLIC(&invite, sizeof invite);
    ck_assert_mem_eq(got.secret, invite.secret, sizeof got.secret);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, keys_of_an_account_and_of_its_links);
    tcase_add_test(tc, keys_of_a_relay_of_ours);
    tcase_add_test(tc, what_an_identity_signs);
    tcase_add_test(tc, an_invitation_written_and_named);
}

int main(void)
{
    return ct_main("node/ct", add_tests);
}
