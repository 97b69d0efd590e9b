/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/stranger.h"

#include <stdio.h>
#include <string.h>

#include "link/frame.h"
#include "node/bundle.h"
#include "node/descriptor.h"
#include "node/params.h"
#include "relay/descriptor_record.h"

void stranger_device(struct hostile *h, struct stranger *s)
{
    const struct env *env = &h->unit.env;
    uint8_t seed[32];
    struct sign_sk unused;
    env_random(env, seed, sizeof seed);
    prim_sign_keypair(&s->device.sign, &s->sign, seed);
    env_random(env, seed, sizeof seed);
    prim_sign_keypair(&s->device.mls, &unused, seed);
    env_random(env, s->dh.b, sizeof s->dh.b);
    prim_dh_public(&s->device.dh, &s->dh);
    s->device.added_ms = env->now_ms;
    struct writer w = writer_of(s->certificate, sizeof s->certificate);
    unit_must(device_certificate_make(&w, &s->device, &s->identity));
    s->certificate_len = w.len;
}

void stranger_init(struct hostile *h, struct stranger *s)
{
    uint8_t seed[32];
    memset(s, 0, sizeof *s);
    env_random(&h->unit.env, seed, sizeof seed);
    prim_sign_keypair(&s->id, &s->identity, seed);
    stranger_device(h, s);
    stranger_list(h, s, 1, h->unit.env.now_ms, "stranger.test");
}

void stranger_fini(struct stranger *s)
{
    session_free(s->session);
}

void stranger_list(struct hostile *h, struct stranger *s, uint32_t version, uint64_t created_ms,
                   const char *host)
{
    struct device_list *list = arena_alloc(&h->scratch, sizeof *list);
    struct device_entry *e = &list->entries[0];
    uint8_t seed[32];
    struct sign_sk unused;
    list->version = version;
    list->created_ms = created_ms;
    list->count = 1;
    e->certificate = slice_of(s->certificate, s->certificate_len);
    e->queue_count = 1;
    env_random(&h->unit.env, seed, sizeof seed);
    prim_sign_keypair(&e->queues[0].key, &unused, seed);
    env_random(&h->unit.env, seed, sizeof seed);
    prim_sign_keypair(&e->record.key, &unused, seed);
    env_random(&h->unit.env, seed, sizeof seed);
    prim_sign_keypair(&e->record.relay.node_id, &s->relay, seed);
    snprintf(e->record.relay.host, sizeof e->record.relay.host, "%s", host);
    e->record.relay.port = 1;
    e->queues[0].relay = e->record.relay;
    struct writer w = writer_of(s->list, sizeof s->list);
    unit_must(device_list_make(&w, list, &s->identity));
    s->list_len = w.len;
    s->entry = *e;
    s->list_version = version;
}

void stranger_popped(struct hostile *h, struct stranger *s, const struct prekey_secret *prekey)
{
    struct aead_key key;
    uint8_t signed_part[PREKEY_PART];
    uint8_t plain[LIMIT_RECORD_BODY];
    uint8_t sealed[LIMIT_RECORD_BODY];
    uint8_t bytes[LIMIT_RECORD_BODY + 64];
    struct writer p = writer_of(signed_part, sizeof signed_part);
    struct writer b = writer_of(plain, sizeof plain);
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(prekey_write(&p, prekey, &s->sign));
    bundle_write(&b, &(struct bundle){.device_list = slice_of(s->list, s->list_len),
                                      .prekey = writer_done(&p)});
    record_key(&key, &s->id, &s->entry.record.key);
    record_seal(sealed, &key, &h->unit.env, RECORD_BODY_ID, writer_done(&b));
    struct record_pop_reply reply = {.seq = s->list_version,
                                     .body = slice_of(sealed, b.len + RECORD_OVERHEAD)};
    if (h->asked_kind == FRAME_RECORD_GET) {
        record_get_reply_write(&w,
                               &(struct record_get_reply){.seq = reply.seq, .body = reply.body});
    } else {
        record_pop_reply_write(&w, &reply);
    }
    ck_assert_ok(w.err);
    hostile_answer(h, writer_done(&w));
}

/* A call about the stranger, who is named in this parameter. */
static void call_about(struct hostile *h, const struct stranger *s, const char *method,
                       const char *param)
{
    uint8_t pairs[128];
    char id[ID_TEXT];
    struct writer p = writer_of(pairs, sizeof pairs);
    id_encode(s->id.b, id);
    result_text(&p, param, id);
    ck_assert_ok(hostile_call(h, method, 1, writer_done(&p)));
}

void stranger_add_again(struct hostile *h, const struct stranger *s)
{
    call_about(h, s, "contact.add", "link");
}

void stranger_add(struct hostile *h, const struct stranger *s)
{
    stranger_add_again(h, s);
    hostile_open(h, h->others[h->dialled - 1]);
    ck_assert_uint_eq(h->asked_kind, FRAME_DESCRIPTOR_GET);
}

void stranger_look_up(struct hostile *h, struct stranger *s)
{
    unsigned dialled = h->dialled;
    stranger_add(h, s);
    stranger_described(h, s);
    ck_assert_uint_eq(h->dialled, dialled + 2);
    ck_assert_str_eq(h->dialled_last.host, s->entry.record.relay.host);
    hostile_open(h, h->others[h->dialled - 1]);
}

void stranger_relist(struct hostile *h, struct stranger *s, uint32_t version)
{
    struct device_list *list = arena_alloc(&h->scratch, sizeof *list);
    struct writer w = writer_of(s->list, sizeof s->list);
    list->version = version;
    list->created_ms = h->unit.env.now_ms;
    list->count = 1;
    list->entries[0] = s->entry;
    ck_assert_ok(device_list_make(&w, list, &s->identity));
    s->list_len = w.len;
    s->list_version = version;
}

void stranger_described(struct hostile *h, struct stranger *s)
{
    stranger_described_for(h, s, descriptor_period(h->unit.env.now_ms));
}

void stranger_described_for(struct hostile *h, struct stranger *s, uint64_t period)
{
    struct descriptor descriptor = {.created_ms = h->unit.env.now_ms,
                                    .list_version = s->list_version,
                                    .record = s->entry.record.key,
                                    .relay_count = 1,
                                    .relays = {{.address = s->entry.record.relay}}};
    struct descriptor_get_reply reply = {.head = {.err = ERR_OK}};
    uint8_t bytes[2048];
    struct writer w = writer_of(bytes, sizeof bytes);
    device_list_hash(slice_of(s->list, s->list_len), descriptor.list_hash);
    ck_assert_ok(descriptor_seal(&s->identity, period, 1, &descriptor, &reply.item));
    descriptor_get_reply_write(&w, &reply);
    ck_assert_ok(w.err);
    hostile_answer(h, writer_done(&w));
}

void stranger_begin(struct hostile *h, struct stranger *s, const uint8_t *invite)
{
    struct aead_key key;
    struct bundle bundle;
    struct pair_bundle pair;
    uint64_t created;
    size_t len;
    struct device_list *list = arena_alloc(&h->scratch, sizeof *list);
    uint8_t *body = arena_alloc(&h->scratch, h->body_len);
    record_key(&key, &h->id, &h->record);
    unit_must(record_open(body, &len, &key, RECORD_BODY_ID, slice_of(h->body, h->body_len)));
    unit_must(bundle_read(slice_of(body, len), &bundle));
    unit_must(device_list_open(bundle.device_list, &h->id, list));
    unit_must(prekey_bundle_open(bundle.prekey, slice_of(NULL, 0), &list->entries[0].device.sign,
                                 h->unit.env.now_ms, &pair, &created));
    struct pair_self self = {
        .id = s->id, .certificate = slice_of(s->certificate, s->certificate_len), .dh = s->dh};
    struct pair_peer peer = {
        .id = h->id, .certificate = list->entries[0].certificate, .dh = list->entries[0].device.dh};
    session_free(s->session);
    s->session = session_new();
    unit_must(session_initiate(s->session, &h->unit.env, &h->scratch, &self, &peer, &pair, invite,
                               slice_of(s->list, s->list_len), 0));
}

struct slice stranger_seal(struct hostile *h, struct stranger *s, uint32_t type, const char *text)
{
    struct content content = {.type = type, .text = slice_of(text, strlen(text))};
    return stranger_seal_content(h, s, &content);
}

struct slice stranger_seal_content(struct hostile *h, struct stranger *s, struct content *content)
{
    size_t cap = CONTENT_OVERHEAD + content->text.len + content->body.len;
    uint8_t *bytes = arena_alloc(&h->scratch, cap);
    struct writer w = writer_of(bytes, cap);
    struct slice envelope;
    uint64_t seq;
    content->sent_ms = h->unit.env.now_ms;
    env_random(&h->unit.env, content->id, sizeof content->id);
    unit_must(content_encode(&w, content));
    struct session_out out = {.content = writer_done(&w)};
    unit_must(session_seal(s->session, &h->unit.env, &h->scratch, &out, &envelope, &seq));
    return envelope;
}

void stranger_request(struct hostile *h, struct stranger *s)
{
    stranger_begin(h, s, NULL);
    hostile_push(h, stranger_seal(h, s, CONTENT_REQUEST, "hello"));
    ck_assert_ok(h->turn);
}

void stranger_accepted(struct hostile *h, const struct stranger *s)
{
    call_about(h, s, "request.accept", "contact");
}
