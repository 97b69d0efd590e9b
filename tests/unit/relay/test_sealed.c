/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/sealed.h"

#include <string.h>

#include "crypto/xwing.h"
#include "lib/unit.h"

enum {
    KEY_ID = 7,
    KIND = RELAY_QUEUE_DEPOSIT,
};

static const struct sign_pk RELAY = {{5}};

/* Both sides of one exchange. */
struct exchange {
    struct unit_env u;
    struct arena arena;
    uint8_t pk[SEALED_PUBLIC_KEY];
    uint8_t sk[HPKE_SECRET_KEY];
    struct slice sealed;
    struct sealed_reply_key asker;
    struct sealed_reply_key relay;
};

static void exchange_begin(struct exchange *x, struct slice body)
{
    uint8_t seed[HPKE_SECRET_KEY] = {9};
    unit_env_init(&x->u, 1, 0);
    arena_init(&x->arena, SIZE_MAX);
    crypto_kem_xwing_seed_keypair(x->pk, x->sk, seed);
    ck_assert_ok(sealed_request_seal(&x->arena, &x->u.env, &RELAY, KEY_ID, x->pk, KIND, body,
                                     &x->sealed, &x->asker));
}

static enum err exchange_open(struct exchange *x, struct slice sealed, uint8_t *kind,
                              struct slice *body)
{
    return sealed_request_open(&x->arena, &RELAY, x->sk, sealed, kind, body, &x->relay);
}

START_TEST(a_request_and_its_reply_go_there_and_back)
{
    struct exchange x;
    uint8_t key_id = 0;
    uint8_t kind = 0;
    struct slice body;
    struct slice reply;
    exchange_begin(&x, unit_str("what is asked"));
    ck_assert_ok(sealed_request_key_id(x.sealed, &key_id));
    ck_assert_uint_eq(key_id, KEY_ID);
    ck_assert_ok(exchange_open(&x, x.sealed, &kind, &body));
    ck_assert_uint_eq(kind, KIND);
    ck_assert(slice_equal(body, unit_str("what is asked")));
    ck_assert_ok(sealed_reply_seal(&x.arena, &x.u.env, &x.relay, KIND, unit_str("answer"), &reply));
    ck_assert_ok(sealed_reply_open(&x.arena, &x.asker, reply, &body));
    ck_assert(slice_equal(body, unit_str("answer")));
    arena_fini(&x.arena);
}
END_TEST

START_TEST(sizes_say_the_class_and_no_more)
{
    static uint8_t bytes[LIMIT_ENVELOPE + SEALED_SLACK];
    static const size_t longest[] = {1024, 4096, 16384, LIMIT_ENVELOPE};
    struct exchange x;
    size_t before = 0;
    for (size_t i = 0; i < 4; i++) {
        size_t most = longest[i] + SEALED_SLACK - SEALED_INNER;
        size_t least = i == 0 ? 0 : longest[i - 1] + SEALED_SLACK - SEALED_INNER + 1;
        exchange_begin(&x, slice_of(bytes, least));
        size_t size = x.sealed.len;
        arena_fini(&x.arena);
        exchange_begin(&x, slice_of(bytes, most));
        ck_assert_uint_eq(x.sealed.len, size);
        ck_assert_uint_gt(size, before);
        before = size;
        arena_fini(&x.arena);
    }
    ck_assert_uint_eq(before, SEALED_REQUEST_MAX);
    exchange_begin(&x, slice_of(bytes, 1));
    ck_assert_err(sealed_request_seal(&x.arena, &x.u.env, &RELAY, KEY_ID, x.pk, KIND,
                                      slice_of(bytes, sizeof bytes), &x.sealed, &x.asker),
                  ERR_TOO_LARGE);
    arena_fini(&x.arena);
}
END_TEST

START_TEST(the_size_of_a_reply_says_the_kind_and_no_more)
{
    static uint8_t bytes[SEALED_REPLY_LARGE];
    struct exchange x;
    struct slice sealed;
    struct slice body;
    uint8_t kind;
    exchange_begin(&x, unit_str("?"));
    ck_assert_ok(exchange_open(&x, x.sealed, &kind, &body));
    for (size_t len = 0; len <= SEALED_REPLY_SMALL - 2; len += SEALED_REPLY_SMALL - 2) {
        struct slice reply = slice_of(bytes, len);
        ck_assert_ok(sealed_reply_seal(&x.arena, &x.u.env, &x.relay, KIND, reply, &sealed));
        ck_assert_uint_eq(sealed.len, SEALED_REPLY_OVERHEAD + SEALED_REPLY_SMALL);
        ck_assert_ok(
            sealed_reply_seal(&x.arena, &x.u.env, &x.relay, RELAY_RECORD_POP, reply, &sealed));
        ck_assert_uint_eq(sealed.len, SEALED_REPLY_MAX);
    }
    ck_assert_err(sealed_reply_seal(&x.arena, &x.u.env, &x.relay, KIND,
                                    slice_of(bytes, SEALED_REPLY_SMALL - 1), &sealed),
                  ERR_TOO_LARGE);
    ck_assert_err(sealed_reply_seal(&x.arena, &x.u.env, &x.relay, RELAY_RECORD_POP,
                                    slice_of(bytes, sizeof bytes), &sealed),
                  ERR_TOO_LARGE);
    arena_fini(&x.arena);
}
END_TEST

/* Every byte of header, encapsulated key, ciphertext and tag. */
START_TEST(every_changed_byte_of_a_request_is_refused)
{
    static uint8_t changed[SEALED_REQUEST_MAX];
    struct exchange x;
    struct slice body;
    uint8_t kind;
    exchange_begin(&x, unit_str("what is asked"));
    memcpy(changed, x.sealed.p, x.sealed.len);
    for (size_t i = 0; i < x.sealed.len; i++) {
        struct arena_mark mark = arena_mark(&x.arena);
        changed[i] ^= 0x40;
        enum err err = exchange_open(&x, slice_of(changed, x.sealed.len), &kind, &body);
        ck_assert_msg(err == (i > 0 && i < SEALED_HEADER ? ERR_MALFORMED : ERR_DECRYPT),
                      "byte %zu gave %s", i, err_name(err));
        changed[i] ^= 0x40;
        arena_rewind(&x.arena, mark);
    }
    ck_assert_ok(exchange_open(&x, slice_of(changed, x.sealed.len), &kind, &body));
    arena_fini(&x.arena);
}
END_TEST

START_TEST(every_changed_byte_of_a_reply_is_refused)
{
    static uint8_t changed[SEALED_REPLY_MAX];
    struct exchange x;
    struct slice body;
    struct slice reply;
    uint8_t kind;
    exchange_begin(&x, unit_str("what is asked"));
    ck_assert_ok(exchange_open(&x, x.sealed, &kind, &body));
    ck_assert_ok(sealed_reply_seal(&x.arena, &x.u.env, &x.relay, KIND, unit_str("answer"), &reply));
    memcpy(changed, reply.p, reply.len);
    for (size_t i = 0; i < reply.len; i++) {
        changed[i] ^= 1;
        ck_assert_err(sealed_reply_open(&x.arena, &x.asker, slice_of(changed, reply.len), &body),
                      ERR_DECRYPT);
        changed[i] ^= 1;
    }
    ck_assert_ok(sealed_reply_open(&x.arena, &x.asker, slice_of(changed, reply.len), &body));
    arena_fini(&x.arena);
}
END_TEST

START_TEST(every_other_length_is_refused)
{
    struct exchange x;
    struct slice body;
    struct slice reply;
    uint8_t kind;
    exchange_begin(&x, unit_str("what is asked"));
    for (size_t len = 0; len < x.sealed.len; len++) {
        ck_assert_err(exchange_open(&x, slice_of(x.sealed.p, len), &kind, &body), ERR_MALFORMED);
    }
    ck_assert_ok(exchange_open(&x, x.sealed, &kind, &body));
    ck_assert_ok(sealed_reply_seal(&x.arena, &x.u.env, &x.relay, KIND, unit_str("answer"), &reply));
    for (size_t len = 0; len < reply.len; len++) {
        ck_assert_err(sealed_reply_open(&x.arena, &x.asker, slice_of(reply.p, len), &body),
                      ERR_MALFORMED);
    }
    arena_fini(&x.arena);
}
END_TEST

START_TEST(another_relay_or_key_does_not_open)
{
    struct exchange x;
    struct sign_pk other = {{6}};
    struct slice body;
    uint8_t kind;
    exchange_begin(&x, unit_str("what is asked"));
    ck_assert_err(sealed_request_open(&x.arena, &other, x.sk, x.sealed, &kind, &body, &x.relay),
                  ERR_DECRYPT);
    x.sk[0] ^= 1;
    ck_assert_err(exchange_open(&x, x.sealed, &kind, &body), ERR_DECRYPT);
    arena_fini(&x.arena);
}
END_TEST

/* What a forwarder could do with two requests under way. */
START_TEST(a_swapped_reply_does_not_open)
{
    struct exchange x;
    struct slice first_body;
    struct slice second_body;
    struct slice second;
    struct slice reply;
    struct sealed_reply_key second_asker;
    uint8_t kind;
    exchange_begin(&x, unit_str("first"));
    ck_assert_ok(sealed_request_seal(&x.arena, &x.u.env, &RELAY, KEY_ID, x.pk, KIND,
                                     unit_str("second"), &second, &second_asker));
    ck_assert_ok(exchange_open(&x, x.sealed, &kind, &first_body));
    ck_assert_ok(sealed_reply_seal(&x.arena, &x.u.env, &x.relay, KIND, unit_str("answer"), &reply));
    ck_assert_err(sealed_reply_open(&x.arena, &second_asker, reply, &second_body), ERR_DECRYPT);
    ck_assert_ok(sealed_reply_open(&x.arena, &x.asker, reply, &first_body));
    arena_fini(&x.arena);
}
END_TEST

START_TEST(two_requests_with_the_same_words_share_no_bytes_behind_the_header)
{
    struct exchange x;
    struct slice again;
    size_t same = 0;
    exchange_begin(&x, unit_str("what is asked"));
    ck_assert_ok(sealed_request_seal(&x.arena, &x.u.env, &RELAY, KEY_ID, x.pk, KIND,
                                     unit_str("what is asked"), &again, &x.asker));
    ck_assert_uint_eq(again.len, x.sealed.len);
    for (size_t i = SEALED_HEADER; i + 8 <= again.len; i++) {
        same += memcmp(again.p + i, x.sealed.p + i, 8) == 0;
    }
    ck_assert_uint_eq(same, 0);
    arena_fini(&x.arena);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_request_and_its_reply_go_there_and_back);
    tcase_add_test(tc, sizes_say_the_class_and_no_more);
    tcase_add_test(tc, the_size_of_a_reply_says_the_kind_and_no_more);
    tcase_add_test(tc, every_changed_byte_of_a_request_is_refused);
    tcase_add_test(tc, every_changed_byte_of_a_reply_is_refused);
    tcase_add_test(tc, every_other_length_is_refused);
    tcase_add_test(tc, another_relay_or_key_does_not_open);
    tcase_add_test(tc, a_swapped_reply_does_not_open);
    tcase_add_test(tc, two_requests_with_the_same_words_share_no_bytes_behind_the_header);
}

int main(void)
{
    return unit_main("relay/sealed", add);
}
