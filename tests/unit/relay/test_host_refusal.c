/* SPDX-License-Identifier: Apache-2.0
 *
 * What a relay does for a request that it refuses: the same, whether it knows the queue or record
 * or not. Calls of the store and of the primitives are counted on their way: the linker leads them
 * through the functions that begin with __wrap_ here (tests/CMakeLists.txt).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/relay_rig.h"
#include "relay/wire.h"

static struct relay_rig R;

/* --- counting --- */

enum {
    GET,
    SEEK,
    CHANGE, /* put, append, delete */
    OPS
};

/* The work of one request. */
struct work {
    unsigned store[OPS][STORE_TABLE_COUNT];
    unsigned hashes;
    size_t hashed;  /* bytes: keys, labels, parts */
    unsigned seals; /* opened or made */
    size_t sealed;  /* bytes: plaintext and what else is covered */
    unsigned compares;
};

static struct work W;

enum err __real_store_get(struct store *s, enum store_table t, struct slice key,
                          struct slice *value);
enum err __wrap_store_get(struct store *s, enum store_table t, struct slice key,
                          struct slice *value);
enum err __wrap_store_get(struct store *s, enum store_table t, struct slice key,
                          struct slice *value)
{
    W.store[GET][t]++;
    return __real_store_get(s, t, key, value);
}

enum err __real_store_seek(struct store *s, enum store_table t, enum store_seek how,
                           struct slice key, struct store_row *row);
enum err __wrap_store_seek(struct store *s, enum store_table t, enum store_seek how,
                           struct slice key, struct store_row *row);
enum err __wrap_store_seek(struct store *s, enum store_table t, enum store_seek how,
                           struct slice key, struct store_row *row)
{
    W.store[SEEK][t]++;
    return __real_store_seek(s, t, how, key, row);
}

enum err __real_store_seek_prefix(struct store *s, enum store_table t, enum store_seek how,
                                  struct slice key, struct slice prefix, struct store_row *row);
enum err __wrap_store_seek_prefix(struct store *s, enum store_table t, enum store_seek how,
                                  struct slice key, struct slice prefix, struct store_row *row);
enum err __wrap_store_seek_prefix(struct store *s, enum store_table t, enum store_seek how,
                                  struct slice key, struct slice prefix, struct store_row *row)
{
    W.store[SEEK][t]++;
    return __real_store_seek_prefix(s, t, how, key, prefix, row);
}

enum err __real_store_put(struct store *s, enum store_table t, struct slice key,
                          struct slice value);
enum err __wrap_store_put(struct store *s, enum store_table t, struct slice key,
                          struct slice value);
enum err __wrap_store_put(struct store *s, enum store_table t, struct slice key, struct slice value)
{
    W.store[CHANGE][t]++;
    return __real_store_put(s, t, key, value);
}

enum err __real_store_append(struct store *s, enum store_table t, struct slice key,
                             struct slice value);
enum err __wrap_store_append(struct store *s, enum store_table t, struct slice key,
                             struct slice value);
enum err __wrap_store_append(struct store *s, enum store_table t, struct slice key,
                             struct slice value)
{
    W.store[CHANGE][t]++;
    return __real_store_append(s, t, key, value);
}

enum err __real_store_del(struct store *s, enum store_table t, struct slice key);
enum err __wrap_store_del(struct store *s, enum store_table t, struct slice key);
enum err __wrap_store_del(struct store *s, enum store_table t, struct slice key)
{
    W.store[CHANGE][t]++;
    return __real_store_del(s, t, key);
}

void __real_prim_blake2b(uint8_t *out, size_t outlen, struct slice key, const char *label,
                         const struct slice *parts, size_t nparts);
void __wrap_prim_blake2b(uint8_t *out, size_t outlen, struct slice key, const char *label,
                         const struct slice *parts, size_t nparts);
void __wrap_prim_blake2b(uint8_t *out, size_t outlen, struct slice key, const char *label,
                         const struct slice *parts, size_t nparts)
{
    W.hashes++;
    W.hashed += key.len + strlen(label);
    for (size_t i = 0; i < nparts; i++) {
        W.hashed += parts[i].len;
    }
    __real_prim_blake2b(out, outlen, key, label, parts, nparts);
}

void __real_prim_aead_seal(uint8_t *out, const struct aead_key *key, const uint8_t *nonce,
                           struct slice ad, struct slice plain);
void __wrap_prim_aead_seal(uint8_t *out, const struct aead_key *key, const uint8_t *nonce,
                           struct slice ad, struct slice plain);
void __wrap_prim_aead_seal(uint8_t *out, const struct aead_key *key, const uint8_t *nonce,
                           struct slice ad, struct slice plain)
{
    W.seals++;
    W.sealed += ad.len + plain.len;
    __real_prim_aead_seal(out, key, nonce, ad, plain);
}

enum err __real_prim_aead_open(uint8_t *out, const struct aead_key *key, const uint8_t *nonce,
                               struct slice ad, struct slice sealed);
enum err __wrap_prim_aead_open(uint8_t *out, const struct aead_key *key, const uint8_t *nonce,
                               struct slice ad, struct slice sealed);
enum err __wrap_prim_aead_open(uint8_t *out, const struct aead_key *key, const uint8_t *nonce,
                               struct slice ad, struct slice sealed)
{
    W.seals++;
    W.sealed += ad.len + sealed.len - PRIM_AEAD_TAG;
    return __real_prim_aead_open(out, key, nonce, ad, sealed);
}

bool __real_prim_equal(const void *a, const void *b, size_t len);
bool __wrap_prim_equal(const void *a, const void *b, size_t len);
bool __wrap_prim_equal(const void *a, const void *b, size_t len)
{
    W.compares++;
    return __real_prim_equal(a, b, len);
}

/* --- requests --- */

enum {
    QUEUE_UNKNOWN = 70, /* no such queue, or record */
    QUEUE_COLD = 1,     /* known, not in memory */
    QUEUE_WARM = 2,     /* in memory */
    QUEUE_READ = 3,     /* its reader is attached */
    QUEUE_GONE = 4,     /* member 1's, who leaves */
    RECORD_SHORT = 1,
    RECORD_LONG = 2,
    RECORD_GONE = 4,
};

/* What a token is made for. */
enum made_for {
    FORGED,  /* another tag */
    ANOTHER, /* a good one of queue or record 0 */
    GOOD,
};

static uint8_t ENVELOPE[1024];

static struct token token_of(unsigned kind, unsigned target, enum made_for what)
{
    struct token token;
    unsigned from = what == ANOTHER ? 0 : target;
    struct token_key k = rig_k(from);
    struct token_siv_key siv = rig_siv(from);
    struct sign_pk key = rig_pk(kind, from);
    token_mint(&k, &siv, &key, 5, 77, token_epoch(R.unit.env.now_ms), &token);
    token.b[TOKEN - 1] ^= what == FORGED ? 1 : 0;
    return token;
}

/* Writes the request to R.body. */
static struct slice deposit_of(unsigned queue, enum made_for what)
{
    struct queue_deposit d = {.queue = rig_pk(RIG_QUEUE, queue),
                              .lifetime = 3,
                              .envelope = slice_of(ENVELOPE, sizeof ENVELOPE)};
    struct writer w = writer_of(R.body, sizeof R.body);
    d.admission.token = token_of(RIG_QUEUE, queue, what);
    queue_deposit_write(&w, &d);
    return writer_done(&w);
}

static struct slice pop_of(unsigned record, enum made_for what)
{
    struct record_pop pop = {.record = rig_pk(RIG_RECORD, record), .pop_nonce = {9}};
    struct writer w = writer_of(R.body, sizeof R.body);
    pop.admission.token = token_of(RIG_RECORD, record, what);
    record_pop_write(&w, &pop);
    return writer_done(&w);
}

static void put_record(unsigned record, unsigned member, size_t len)
{
    static uint8_t body[LIMIT_RECORD_BODY];
    struct record_put put = {.seq = 1, .k = rig_k(record), .has_body = true};
    struct sign_sk record_sk;
    struct sign_sk member_sk;
    struct writer w = writer_of(R.body, sizeof R.body);
    put.body = slice_of(body, len);
    rig_sk(&record_sk, RIG_RECORD, record);
    rig_sk(&member_sk, RIG_MEMBER, member);
    ck_assert_ok(record_put_write(&w, &R.arena, R.hash, &put, &record_sk, &member_sk));
    ck_assert_ok(rig_request(&R, RELAY_RECORD_PUT, writer_done(&w)));
    ck_assert_ok(rig_refusal(&R));
}

static void set_up(void)
{
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_ok(rig_join(&R, 1, NULL));
    for (unsigned q = 0; q <= QUEUE_GONE; q++) {
        ck_assert_ok(rig_register(&R, q, q == QUEUE_GONE, q));
        ck_assert_ok(rig_put(&R, q, 1, 1));
    }
    put_record(0, 0, 1000);
    put_record(RECORD_SHORT, 0, 1);
    put_record(RECORD_LONG, 0, LIMIT_RECORD_BODY);
    put_record(RECORD_GONE, 1, 1000);
    ck_assert_ok(rig_leave(&R, 1));
    rig_restart(&R);
    ck_assert_ok(rig_put(&R, QUEUE_WARM, 2, 1));
    ck_assert_ok(rig_put(&R, QUEUE_WARM, 3, 1)); /* now the epoch's key is kept */
    ck_assert_ok(rig_attach(&R, QUEUE_READ, NULL));
}

static void tear_down(void)
{
    rig_fini(&R);
}

/* --- the same work --- */

/* Asks, and gives the work of it. */
static struct work work_of(uint8_t kind, struct slice body, enum err want)
{
    W = (struct work){.hashes = 0};
    ck_assert_ok(rig_request(&R, kind, body));
    struct work got = W;
    ck_assert_err(rig_refusal(&R), want);
    return got;
}

static void same_work(const struct work *a, const struct work *b, const char *name)
{
    for (unsigned op = 0; op < OPS; op++) {
        for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
            ck_assert_msg(a->store[op][t] == b->store[op][t], "%s: operation %u on %s: %u, not %u",
                          name, op, store_table_name((enum store_table)t), a->store[op][t],
                          b->store[op][t]);
        }
    }
    ck_assert_msg(a->hashes == b->hashes && a->hashed == b->hashed,
                  "%s: %u hashes of %zu bytes, not %u of %zu", name, a->hashes, a->hashed,
                  b->hashes, b->hashed);
    ck_assert_msg(a->seals == b->seals && a->sealed == b->sealed,
                  "%s: %u seals over %zu bytes, not %u over %zu", name, a->seals, a->sealed,
                  b->seals, b->sealed);
    ck_assert_uint_eq(a->compares, b->compares);
}

static const struct asked {
    const char *name;
    unsigned target;
    enum made_for what;
} DEPOSITS[] =
    {
        {"unknown", QUEUE_UNKNOWN, FORGED},
        {"unknown, another's", QUEUE_UNKNOWN, ANOTHER},
        {"known, forged", QUEUE_COLD, FORGED},
        {"known, another's", QUEUE_COLD, ANOTHER},
        {"in memory, forged", QUEUE_WARM, FORGED},
        {"in memory, another's", QUEUE_WARM, ANOTHER},
        {"being read, forged", QUEUE_READ, FORGED},
        {"being removed, good", QUEUE_GONE, GOOD},
        {"being removed, forged", QUEUE_GONE, FORGED},
},
  POPS[] = {
      {"unknown", QUEUE_UNKNOWN, FORGED},         {"unknown, another's", QUEUE_UNKNOWN, ANOTHER},
      {"short, forged", RECORD_SHORT, FORGED},    {"short, another's", RECORD_SHORT, ANOTHER},
      {"long, forged", RECORD_LONG, FORGED},      {"long, another's", RECORD_LONG, ANOTHER},
      {"being removed, good", RECORD_GONE, GOOD}, {"being removed, forged", RECORD_GONE, FORGED},
};

enum {
    NDEPOSITS = sizeof DEPOSITS / sizeof DEPOSITS[0],
    NPOPS = sizeof POPS / sizeof POPS[0],
};

START_TEST(a_deposit_is_refused_with_the_same_work_whatever_there_is)
{
    struct work first = {.hashes = 0};
    for (unsigned i = 0; i < NDEPOSITS; i++) {
        struct slice body = deposit_of(DEPOSITS[i].target, DEPOSITS[i].what);
        struct work work = work_of(RELAY_QUEUE_DEPOSIT, body, ERR_BAD_TOKEN);
        first = i == 0 ? work : first;
        same_work(&work, &first, DEPOSITS[i].name);
    }
    ck_assert_uint_eq(first.store[GET][STORE_QUEUE], 1);
    ck_assert_uint_eq(first.seals, 1);
    ck_assert_uint_eq(first.hashes, 7); /* envelope, name, two epochs' keys, three tags */
    printf("deposit: %u cases, %u hashes of %zu bytes, %u seals over %zu bytes\n",
           (unsigned)NDEPOSITS, first.hashes, first.hashed, first.seals, first.sealed);
}
END_TEST

/* A voided token has a right tag; but for one look at the index more its refusal is as another's.
 */
START_TEST(a_voided_token_is_refused_with_no_less_work)
{
    ck_assert_ok(rig_void(&R, QUEUE_READ, 77, 1));
    for (unsigned i = 0; i < 2; i++) { /* with nothing kept, and with the epoch's key */
        struct work forged =
            work_of(RELAY_QUEUE_DEPOSIT, deposit_of(QUEUE_READ, FORGED), ERR_BAD_TOKEN);
        struct work voided =
            work_of(RELAY_QUEUE_DEPOSIT, deposit_of(QUEUE_READ, GOOD), ERR_BAD_TOKEN);
        ck_assert_uint_eq(voided.store[GET][STORE_QUEUE_INDEX], 1);
        voided.store[GET][STORE_QUEUE_INDEX] = 0;
        same_work(&voided, &forged, "voided");
    }
}
END_TEST

/* That something was kept shows in a good deposit. */
START_TEST(a_good_deposit_costs_less_where_one_came_before)
{
    struct work cold = work_of(RELAY_QUEUE_DEPOSIT, deposit_of(QUEUE_COLD, GOOD), ERR_OK);
    struct work warm = work_of(RELAY_QUEUE_DEPOSIT, deposit_of(QUEUE_WARM, GOOD), ERR_OK);
    ck_assert_uint_eq(warm.compares, cold.compares - 2);
    ck_assert_uint_le(warm.hashes, cold.hashes - 4);
}
END_TEST

START_TEST(a_pop_is_refused_with_the_same_work_whatever_there_is)
{
    struct work first = {.hashes = 0};
    for (unsigned i = 0; i < NPOPS; i++) {
        struct slice body = pop_of(POPS[i].target, POPS[i].what);
        struct work work = work_of(RELAY_RECORD_POP, body, ERR_BAD_TOKEN);
        first = i == 0 ? work : first;
        same_work(&work, &first, POPS[i].name);
    }
    ck_assert_uint_eq(first.store[GET][STORE_RECORD], 1);
    ck_assert_uint_eq(first.seals, 2);
    ck_assert_uint_gt(first.sealed, LIMIT_RECORD_BODY);
    printf("pop: %u cases, %u hashes of %zu bytes, %u seals over %zu bytes\n", (unsigned)NPOPS,
           first.hashes, first.hashed, first.seals, first.sealed);
}
END_TEST

START_TEST(a_stamp_below_the_general_price_is_refused_before_anything_is_looked_up)
{
    static const unsigned targets[] = {QUEUE_UNKNOWN, QUEUE_COLD, QUEUE_WARM, QUEUE_GONE};
    struct work none = {.hashes = 0};
    for (unsigned i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct relay_admission stamp = {
            .stamp = true, .stamp_minute = (uint32_t)(R.unit.env.now_ms / LIMIT_MINUTE_MS)};
        struct queue_deposit d = {.queue = rig_pk(RIG_QUEUE, targets[i]),
                                  .admission = stamp,
                                  .envelope = slice_of(ENVELOPE, sizeof ENVELOPE)};
        struct record_pop pop = {.record = rig_pk(RIG_RECORD, targets[i]), .admission = stamp};
        struct writer w = writer_of(R.body, sizeof R.body);
        queue_deposit_write(&w, &d);
        struct work work = work_of(RELAY_QUEUE_DEPOSIT, writer_done(&w), ERR_STAMP_TOO_CHEAP);
        ck_assert_mem_eq(work.store, none.store, sizeof work.store);
        ck_assert_uint_eq(work.hashes, 1); /* of the envelope; the stamp's own is not counted */
        ck_assert_uint_eq(work.seals, 0);
        w = writer_of(R.body, sizeof R.body);
        record_pop_write(&w, &pop);
        work = work_of(RELAY_RECORD_POP, writer_done(&w), ERR_STAMP_TOO_CHEAP);
        ck_assert_mem_eq(work.store, none.store, sizeof work.store);
        ck_assert_uint_eq(work.hashes, 1);
        ck_assert_uint_eq(work.seals, 0);
    }
}
END_TEST

/* Otherwise the cases above might be alike because nothing is counted. */
START_TEST(a_granted_request_counts_otherwise)
{
    struct work refused = work_of(RELAY_QUEUE_DEPOSIT, deposit_of(0, FORGED), ERR_BAD_TOKEN);
    struct work granted = work_of(RELAY_QUEUE_DEPOSIT, deposit_of(0, GOOD), ERR_OK);
    ck_assert_uint_eq(refused.store[CHANGE][STORE_LOG_30D], 0);
    ck_assert_uint_eq(granted.store[CHANGE][STORE_LOG_30D], 1);
    ck_assert_uint_gt(granted.sealed, refused.sealed);
    ck_assert_uint_gt(granted.hashes, refused.hashes);
    ck_assert_uint_gt(granted.store[SEEK][STORE_QUEUE_INDEX], 0);
}
END_TEST

/* --- and the time that it takes, to be read by people: no limit would hold on every machine --- */

enum {
    ROUNDS = 101,
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t nanoseconds(void)
{
    struct timespec t;
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Medians of each case; the cases take turns, so that what slows the machine hits all of them. */
static void measure(uint8_t kind, const struct asked *cases, size_t n,
                    struct slice (*request)(unsigned target, enum made_for what))
{
    static uint64_t took[16][ROUNDS];
    ck_assert_uint_le(n, 16);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            struct slice body = request(cases[i].target, cases[i].what);
            uint64_t before = nanoseconds();
            ck_assert_ok(rig_request(&R, kind, body));
            took[i][round] = nanoseconds() - before;
            ck_assert_err(rig_refusal(&R), ERR_BAD_TOKEN);
        }
    }
    for (size_t i = 0; i < n; i++) {
        qsort(took[i], ROUNDS, sizeof took[i][0], by_value);
        printf("%s, %-22s %6.2f us\n", kind == RELAY_QUEUE_DEPOSIT ? "deposit" : "pop",
               cases[i].name, (double)took[i][ROUNDS / 2] / 1000);
    }
}

START_TEST(refusals_are_timed_in_turns)
{
    measure(RELAY_QUEUE_DEPOSIT, DEPOSITS, NDEPOSITS, deposit_of);
    measure(RELAY_RECORD_POP, POPS, NPOPS, pop_of);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_deposit_is_refused_with_the_same_work_whatever_there_is);
    tcase_add_test(tc, a_voided_token_is_refused_with_no_less_work);
    tcase_add_test(tc, a_good_deposit_costs_less_where_one_came_before);
    tcase_add_test(tc, a_pop_is_refused_with_the_same_work_whatever_there_is);
    tcase_add_test(tc, a_stamp_below_the_general_price_is_refused_before_anything_is_looked_up);
    tcase_add_test(tc, a_granted_request_counts_otherwise);
    tcase_add_test(tc, refusals_are_timed_in_turns);
}

int main(void)
{
    return unit_main("relay/host_refusal", add);
}
