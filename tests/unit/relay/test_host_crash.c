/* SPDX-License-Identifier: Apache-2.0
 *
 * A short story at a relay, with a crash before the k-th put for every k: what was answered holds,
 * and a repeated request does nothing twice.
 */
#include <stdio.h>
#include <string.h>

#include "lib/relay_rig.h"
#include "relay/wire.h"

enum {
    ENVELOPES = 4,
    VOIDED = 2,
};

static struct relay_rig R;

/* Repeats step until it is answered: at most one crash is armed, so the second try succeeds. */
#define REPEAT(step)                                                                               \
    do {                                                                                           \
        enum err repeat_err = (step);                                                              \
        if (err_class(repeat_err) == ERR_CLASS_LOCAL) {                                            \
            crashes++;                                                                             \
            if (reader) {                                                                          \
                ck_assert_ok(rig_attach(&R, 0, NULL));                                             \
            }                                                                                      \
            repeat_err = (step);                                                                   \
        }                                                                                          \
        ck_assert_ok(repeat_err);                                                                  \
    } while (0)

static enum err put_parts(void)
{
    struct record_put put = {.seq = 1, .k = rig_k(0), .has_body = true, .nparts = 2};
    struct sign_sk record;
    struct sign_sk member;
    struct writer w = writer_of(R.body, sizeof R.body);
    put.body = unit_str("body");
    put.parts[0] = (struct record_part){.id = 1, .sealed = unit_str("one")};
    put.parts[1] = (struct record_part){.id = 2, .sealed = unit_str("two")};
    rig_sk(&record, RIG_RECORD, 0);
    rig_sk(&member, RIG_MEMBER, 0);
    ck_assert_ok(record_put_write(&w, &R.arena, R.hash, &put, &record, &member));
    enum err err = rig_request(&R, RELAY_RECORD_PUT, writer_done(&w));
    return err != ERR_OK ? err : rig_refusal(&R);
}

static enum err pop_part(uint32_t n, uint32_t *part)
{
    struct record_pop pop = {.record = rig_pk(RIG_RECORD, 0)};
    struct record_pop_reply reply;
    struct token_key k = rig_k(0);
    struct token_siv_key siv = rig_siv(0);
    struct writer w = writer_of(R.body, sizeof R.body);
    memset(pop.pop_nonce, (int)n, sizeof pop.pop_nonce);
    token_mint(&k, &siv, &pop.record, 1, n, token_epoch(R.unit.env.now_ms), &pop.admission.token);
    record_pop_write(&w, &pop);
    enum err err = rig_request(&R, RELAY_RECORD_POP, writer_done(&w));
    if (err != ERR_OK) {
        return err;
    }
    ck_assert_ok(record_pop_reply_read(R.reply, &reply));
    *part = reply.part.id;
    return reply.head.err;
}

/* Pushes all and acknowledges; counts how often each envelope came. */
static void drain(unsigned seen[ENVELOPES], unsigned *crashes)
{
    struct queue_push push;
    for (;;) {
        enum err err = rig_push(&R, &push, NULL);
        if (err == ERR_NOT_FOUND) {
            return;
        }
        ck_assert_ok(err);
        ck_assert_uint_lt(push.envelope.p[0], ENVELOPES);
        uint8_t which = push.envelope.p[0];
        err = rig_ack(&R, 0, push.number);
        if (err_class(err) == ERR_CLASS_LOCAL) {
            ++*crashes; /* the reader dials again; what it had not acknowledged comes again */
            ck_assert_ok(rig_attach(&R, 0, NULL));
            continue;
        }
        ck_assert_ok(err);
        seen[which]++;
    }
}

/* One run; gives whether the crash struck. */
static unsigned story(uint64_t k)
{
    unsigned crashes = 0;
    bool reader = false;
    unsigned seen[ENVELOPES] = {0};
    uint32_t parts[2] = {0};
    rig_init(&R, 0);
    store_mem_crash_at(R.mem, k);
    REPEAT(rig_join(&R, 0, NULL));
    REPEAT(rig_register(&R, 0, 0, 0));
    REPEAT(put_parts());
    for (uint32_t i = 0; i < 2; i++) {
        REPEAT(rig_put(&R, 0, i, (uint8_t)i));
        REPEAT(pop_part(i, &parts[i]));
    }
    ck_assert_uint_eq(parts[0], 1);
    ck_assert_uint_eq(parts[1], 2);
    ck_assert_ok(rig_attach(&R, 0, NULL));
    reader = true;
    drain(seen, &crashes);
    REPEAT(rig_void(&R, 0, ENVELOPES, VOIDED));
    ck_assert_err(rig_put(&R, 0, ENVELOPES + 1, 0), ERR_BAD_TOKEN); /* what was answered holds */
    for (uint32_t i = 0; i < ENVELOPES; i++) { /* retries of the first two among them */
        REPEAT(rig_put(&R, 0, i, (uint8_t)i));
    }
    drain(seen, &crashes);
    for (unsigned i = 0; i < ENVELOPES; i++) {
        ck_assert_msg(seen[i] == 1, "crash %u: envelope %u came %u times", (unsigned)k, i, seen[i]);
    }
    REPEAT(rig_tick(&R));
    R.unit.env.now_ms += LIMIT_DAY_MS + 20000;
    REPEAT(rig_tick(&R));
    store_mem_crash_at(R.mem, 0);
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_LOG_30D), 0);
    ck_assert_uint_eq(rig_index_rows(&R), ENVELOPES + VOIDED);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_MEMBER), 1);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_RECORD_POP), 0);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_RECORD_PART), 0);
    rig_fini(&R);
    return crashes;
}

START_TEST(a_crash_before_any_put_loses_and_doubles_nothing)
{
    uint64_t k = 1;
    while (story(k) == 1) {
        k++;
    }
    printf("crashed before each of %u puts\n", (unsigned)(k - 1));
    ck_assert_uint_gt(k, 40);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_crash_before_any_put_loses_and_doubles_nothing);
}

int main(void)
{
    return unit_main("relay/host_crash", add);
}
