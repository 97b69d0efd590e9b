/* SPDX-License-Identifier: Apache-2.0 */
#include "node/content.h"

#include <string.h>

#include "lib/data.h"
#include "lib/unit.h"

/* Bytes of a string literal, zeros among them. */
#define LITERAL(s) slice_of(s, sizeof(s) - 1)

static uint8_t big[LIMIT_TEXT + 1];
static uint8_t encoded[LIMIT_TEXT + CONTENT_OVERHEAD];

static struct content some_content(uint32_t type, struct slice text)
{
    return (struct content){.type = type, .id = {1, 2, 3}, .sent_ms = 1790000000123, .text = text};
}

static void same(const struct content *a, const struct content *b)
{
    ck_assert_uint_eq(a->type, b->type);
    ck_assert_mem_eq(a->id, b->id, CONTENT_ID);
    ck_assert_uint_eq(a->sent_ms, b->sent_ms);
    ck_assert(slice_equal(a->conversation, b->conversation));
    ck_assert(slice_equal(a->text, b->text));
    ck_assert_mem_eq(a->invite, b->invite, INVITE_ID);
    ck_assert(slice_equal(a->body, b->body));
    ck_assert(a->has_reply_to == b->has_reply_to);
    ck_assert_mem_eq(a->reply_to, b->reply_to, CONTENT_ID);
    ck_assert_uint_eq(a->expires_ms, b->expires_ms);
}

static void goes_through(const struct content *c)
{
    struct content got;
    struct writer w = writer_of(encoded, sizeof encoded);
    ck_assert_ok(content_encode(&w, c));
    ck_assert_ok(content_decode(writer_done(&w), &got));
    same(c, &got);
    size_t body = c->text.len + c->body.len;
    ck_assert_uint_le(w.len - body, CONTENT_OVERHEAD);
}

START_TEST(text_with_and_without_all_fields_is_read_back)
{
    memset(big, 'x', sizeof big);
    struct content c = some_content(CONTENT_TEXT, unit_str("caf\xc3\xa9"));
    goes_through(&c);
    c.has_reply_to = true;
    c.reply_to[15] = 9;
    c.sent_ms = UINT64_MAX;
    c.expires_ms = UINT64_MAX;
    c.conversation = slice_of(big, CONTENT_CONVERSATION);
    goes_through(&c);
    c.text = slice_of(big, LIMIT_TEXT);
    goes_through(&c);
}
END_TEST

START_TEST(request_and_accept_are_read_back)
{
    memset(big, 'x', sizeof big);
    struct content c = some_content(CONTENT_REQUEST, slice_of(NULL, 0));
    goes_through(&c);
    c.text = slice_of(big, LIMIT_REQUEST_TEXT);
    goes_through(&c);
    c = some_content(CONTENT_ACCEPT, slice_of(NULL, 0));
    goes_through(&c);
    c.type = CONTENT_INVITE_USED;
    memset(c.invite, 7, sizeof c.invite);
    goes_through(&c);
}
END_TEST

START_TEST(an_unknown_type_keeps_its_body)
{
    struct content c = some_content(77, slice_of(NULL, 0));
    ck_assert(!content_known(77));
    goes_through(&c);
    c.body = LITERAL("\x82\x00\xa1y\x01\x92\x01\x02");
    goes_through(&c);
    c.type = CONTENT_FILE;
    goes_through(&c);
    c.type = CONTENT_TYPE_MAX;
    goes_through(&c);
}
END_TEST

static enum err encode(const struct content *c)
{
    struct writer w = writer_of(encoded, sizeof encoded);
    enum err err = content_encode(&w, c);
    ck_assert_uint_eq(w.len, 0);
    return err;
}

START_TEST(what_must_not_be_sent_is_not_encoded)
{
    memset(big, 'x', sizeof big);
    struct content c = some_content(CONTENT_TEXT, slice_of(big, sizeof big));
    ck_assert_err(encode(&c), ERR_TEXT_TOO_LONG);
    c.text = slice_of(NULL, 0);
    ck_assert_err(encode(&c), ERR_ARGUMENT);
    c.text = unit_str("\xff");
    ck_assert_err(encode(&c), ERR_ARGUMENT);
    c = some_content(CONTENT_REQUEST, slice_of(big, LIMIT_REQUEST_TEXT + 1));
    ck_assert_err(encode(&c), ERR_TEXT_TOO_LONG);
    c = some_content(CONTENT_ACCEPT, unit_str("x"));
    ck_assert_err(encode(&c), ERR_ARGUMENT);
    c = some_content(CONTENT_ACCEPT, slice_of(NULL, 0));
    c.body = LITERAL("\x01");
    ck_assert_err(encode(&c), ERR_ARGUMENT);
    c.type = CONTENT_INVITE_USED;
    ck_assert_err(encode(&c), ERR_ARGUMENT);
    c = some_content(77, slice_of(NULL, 0));
    c.body = LITERAL("\x01\x02"); /* two values */
    ck_assert_err(encode(&c), ERR_ARGUMENT);
    c = some_content(0, slice_of(NULL, 0));
    ck_assert_err(encode(&c), ERR_ARGUMENT);
    c = some_content(CONTENT_TYPE_MAX + 1, slice_of(NULL, 0));
    ck_assert_err(encode(&c), ERR_ARGUMENT);
    c = some_content(CONTENT_TEXT, unit_str("x"));
    c.conversation = slice_of(big, CONTENT_CONVERSATION + 1);
    ck_assert_err(encode(&c), ERR_ARGUMENT);
}
END_TEST

START_TEST(too_little_room_leaves_the_writer_alone)
{
    struct content c = some_content(CONTENT_TEXT, unit_str("hello"));
    uint8_t small[20];
    struct writer w = writer_of(small, sizeof small);
    ck_assert_err(content_encode(&w, &c), ERR_NO_SPACE);
    ck_assert_uint_eq(w.len, 0);
    ck_assert_int_eq(w.err, ERR_OK);
}
END_TEST

/* Starts a content of this type with the given number of fields. */
static void begin(struct writer *w, uint32_t fields, uint64_t type)
{
    static const uint8_t id[CONTENT_ID];
    *w = writer_of(encoded, sizeof encoded);
    pack_map(w, fields);
    pack_uint(w, 0);
    pack_uint(w, type);
    pack_uint(w, 1);
    pack_bin(w, id, sizeof id);
    pack_uint(w, 2);
    pack_uint(w, 5);
}

static enum err decode(const struct writer *w)
{
    struct content got;
    return content_decode(writer_done(w), &got);
}

START_TEST(decoding_is_strict)
{
    struct writer w;
    begin(&w, 3, CONTENT_TEXT); /* no body */
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 3, CONTENT_REQUEST);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 3, 0);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 3, CONTENT_TYPE_MAX + 1);
    ck_assert_err(decode(&w), ERR_TOO_LARGE);
    begin(&w, 4, CONTENT_TEXT); /* empty text */
    pack_uint(&w, 4);
    pack_str(&w, "");
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 4, CONTENT_TEXT); /* bytes in place of text */
    pack_uint(&w, 4);
    pack_bin(&w, "x", 1);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 4, CONTENT_ACCEPT);
    pack_uint(&w, 4);
    pack_nil(&w);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 4, CONTENT_INVITE_USED);
    pack_uint(&w, 4);
    pack_bin(&w, "0123456789abcde", INVITE_ID - 1);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 3, CONTENT_INVITE_USED);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 4, 77); /* an empty conversation */
    pack_uint(&w, 3);
    pack_bin(&w, "", 0);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 4, 77); /* never, said twice over */
    pack_uint(&w, 6);
    pack_uint(&w, 0);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 3, 77); /* trailing bytes */
    pack_nil(&w);
    ck_assert_err(decode(&w), ERR_MALFORMED);
    begin(&w, 3, 77);
    ck_assert_ok(decode(&w));
    begin(&w, 4, 77); /* a field of a later version */
    pack_uint(&w, 40);
    pack_str(&w, "later");
    ck_assert_ok(decode(&w));
}
END_TEST

START_TEST(longer_text_than_allowed_is_refused)
{
    struct writer w;
    memset(big, 'x', sizeof big);
    begin(&w, 4, CONTENT_TEXT);
    pack_uint(&w, 4);
    pack_str_slice(&w, slice_of(big, LIMIT_TEXT + 1));
    ck_assert_err(decode(&w), ERR_TOO_LARGE);
    begin(&w, 4, CONTENT_REQUEST);
    pack_uint(&w, 4);
    pack_str_slice(&w, slice_of(big, LIMIT_REQUEST_TEXT + 1));
    ck_assert_err(decode(&w), ERR_TOO_LARGE);
}
END_TEST

static void data_content(const json_t *c, uint8_t *bytes, struct content *out)
{
    *out = (struct content){.type = (uint32_t)data_u64(c, "type"),
                            .sent_ms = data_u64(c, "sent"),
                            .expires_ms = data_u64(c, "expires")};
    data_bytes(c, "id", out->id, CONTENT_ID);
    out->conversation = data_hex(c, "conversation", bytes, CONTENT_CONVERSATION);
    out->has_reply_to = data_text(c, "reply_to")[0] != '\0';
    (void)data_hex(c, "reply_to", out->reply_to, CONTENT_ID);
    if (!json_is_null(json_object_get(c, "text"))) {
        const char *text = data_text(c, "text");
        out->text = slice_of(text, strlen(text));
    }
    if (out->type == CONTENT_INVITE_USED) {
        data_bytes(c, "invite", out->invite, INVITE_ID);
    }
}

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("content");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        uint8_t conversation[CONTENT_CONVERSATION];
        uint8_t bytes[1024];
        struct content content;
        struct content got;
        data_content(c, conversation, &content);
        struct slice want = data_hex(c, "encoded", bytes, sizeof bytes);
        struct writer w = writer_of(encoded, sizeof encoded);
        ck_assert_ok(content_encode(&w, &content));
        ck_assert(slice_equal(writer_done(&w), want));
        ck_assert_ok(content_decode(want, &got));
        same(&content, &got);
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, text_with_and_without_all_fields_is_read_back);
    tcase_add_test(tc, request_and_accept_are_read_back);
    tcase_add_test(tc, an_unknown_type_keeps_its_body);
    tcase_add_test(tc, what_must_not_be_sent_is_not_encoded);
    tcase_add_test(tc, too_little_room_leaves_the_writer_alone);
    tcase_add_test(tc, decoding_is_strict);
    tcase_add_test(tc, longer_text_than_allowed_is_refused);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("node/content", add);
}
