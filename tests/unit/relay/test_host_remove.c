/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a relay's members are and what waits for them, and a member that goes with all that is its
 * own, because it leaves or is taken away.
 */
#include <string.h>

#include <sodium.h>

#include "lib/relay_rig.h"
#include "relay/wire.h"

static struct relay_rig R;

/* --- turns of the operator's --- */

static void begin(struct turn *turn)
{
    arena_reset(&R.arena);
    store_mem_begin(R.mem, &R.store);
    *turn = (struct turn){.env = &R.unit.env, .store = &R.store, .arena = &R.arena};
}

static size_t members(struct relay_host_member *out, size_t cap)
{
    static const uint8_t none[SEAL_NAME];
    struct turn turn;
    size_t n = 0;
    begin(&turn);
    ck_assert_ok(relay_host_members(R.host, &turn, none, out, cap, &n));
    ck_assert_ok(store_mem_commit(R.mem));
    return n;
}

static uint64_t count_members(void)
{
    struct turn turn;
    struct relay_host_stats stats;
    begin(&turn);
    ck_assert_ok(relay_host_stats(R.host, &turn, &stats));
    ck_assert_ok(store_mem_commit(R.mem));
    return stats.members * 100 + stats.queues;
}

static enum err remove_name(const uint8_t *name)
{
    struct turn turn;
    begin(&turn);
    enum err err = relay_host_remove(R.host, &turn, name);
    if (err_class(err) == ERR_CLASS_LOCAL) {
        store_mem_abort(R.mem);
        rig_restart(&R);
        return err;
    }
    ck_assert_ok(store_mem_commit(R.mem));
    return err;
}

/* What waits for the member, over all pages of `cap` entries. */
static struct relay_host_waiting waiting_for(const uint8_t *name, size_t cap)
{
    struct relay_host_waiting page[8];
    struct relay_host_waiting sum = {.envelopes = 0};
    struct relay_host_cursor cursor = {.arrival = 0};
    size_t n;
    ck_assert_uint_le(cap, 8);
    do {
        struct turn turn;
        begin(&turn);
        ck_assert_ok(relay_host_waiting(R.host, &turn, &cursor, page, cap, &n));
        ck_assert_ok(store_mem_commit(R.mem));
        for (size_t i = 0; i < n; i++) {
            if (memcmp(page[i].member, name, SEAL_NAME) == 0) {
                sum.envelopes += page[i].envelopes;
                sum.bytes += page[i].bytes;
            }
        }
    } while (n > 0);
    return sum;
}

/* --- what members have --- */

static enum err put_record(unsigned record, unsigned member)
{
    struct record_put put = {.seq = 1, .k = rig_k(record), .has_body = true, .nparts = 2};
    struct sign_sk record_sk;
    struct sign_sk member_sk;
    struct writer w = writer_of(R.body, sizeof R.body);
    put.body = unit_str("body");
    put.parts[0] = (struct record_part){.id = 1, .sealed = unit_str("one")};
    put.parts[1] = (struct record_part){.id = 2, .sealed = unit_str("two")};
    rig_sk(&record_sk, RIG_RECORD, record);
    rig_sk(&member_sk, RIG_MEMBER, member);
    ck_assert_ok(record_put_write(&w, &R.arena, R.hash, &put, &record_sk, &member_sk));
    enum err err = rig_request(&R, RELAY_RECORD_PUT, writer_done(&w));
    return err != ERR_OK ? err : rig_refusal(&R);
}

static enum err pop(unsigned record, uint32_t n)
{
    struct record_pop pop = {.record = rig_pk(RIG_RECORD, record)};
    struct token_key k = rig_k(record);
    struct token_siv_key siv = rig_siv(record);
    struct writer w = writer_of(R.body, sizeof R.body);
    memset(pop.pop_nonce, (int)n, sizeof pop.pop_nonce);
    token_mint(&k, &siv, &pop.record, 1, n, token_epoch(R.unit.env.now_ms), &pop.admission.token);
    record_pop_write(&w, &pop);
    enum err err = rig_request(&R, RELAY_RECORD_POP, writer_done(&w));
    return err != ERR_OK ? err : rig_refusal(&R);
}

static enum err get(unsigned record)
{
    struct record_get get = {.record = rig_pk(RIG_RECORD, record)};
    struct writer w = writer_of(R.body, sizeof R.body);
    record_get_write(&w, &get);
    enum err err = rig_request(&R, RELAY_RECORD_GET, writer_done(&w));
    return err != ERR_OK ? err : rig_refusal(&R);
}

static enum err put_descriptor(unsigned n, unsigned member)
{
    struct descriptor_put put = {.period = (uint32_t)(RIG_NOW / LIMIT_DAY_MS)};
    struct sign_sk blinded;
    struct sign_sk member_sk;
    struct writer w = writer_of(R.body, sizeof R.body);
    put.item.seq = 1;
    memset(put.item.value, (int)n, sizeof put.item.value);
    rig_sk(&blinded, 7, n);
    rig_sk(&member_sk, RIG_MEMBER, member);
    put.item.key = rig_pk(7, n);
    uint8_t buf[BEP44_BUFFER_MAX];
    struct writer signing = writer_of(buf, sizeof buf);
    bep44_item_buffer(&signing, put.item.seq, put.item.value);
    crypto_sign_detached(put.item.sig, NULL, buf, signing.len, blinded.b);
    const struct relay_signer signer = {.sk = &blinded};
    ck_assert_ok(descriptor_put_write(&w, &R.arena, R.hash, &put, &signer, &member_sk));
    enum err err = rig_request(&R, RELAY_DESCRIPTOR_PUT, writer_done(&w));
    return err != ERR_OK ? err : rig_refusal(&R);
}

/* What the two ways of going have in common. */
enum way {
    TAKEN_AWAY,
    LEAVES,
    WAYS
};

/* Member 0 goes; name is its own. */
static enum err go(enum way way, const uint8_t *name)
{
    return way == TAKEN_AWAY ? remove_name(name) : rig_leave(&R, 0);
}

/* Members 0 and 1, each with two queues, a record and a descriptor; n envelopes in the first queue
 * of each. name: of member 0. */
static void furnish(unsigned n, uint8_t name[SEAL_NAME])
{
    struct relay_host_member list[2];
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_uint_eq(members(list, 2), 1);
    memcpy(name, list[0].name, SEAL_NAME);
    ck_assert_ok(rig_join(&R, 1, NULL));
    for (unsigned m = 0; m < 2; m++) {
        ck_assert_ok(rig_register(&R, 2 * m, m, 2 * m));
        ck_assert_ok(rig_register(&R, 2 * m + 1, m, 2 * m + 1));
        ck_assert_ok(put_record(m, m));
        ck_assert_ok(pop(m, 1));
        ck_assert_ok(put_descriptor(m, m));
        for (unsigned i = 0; i < n; i++) {
            ck_assert_ok(rig_put(&R, 2 * m, i + 1, (uint8_t)i));
        }
    }
}

static const enum store_table TABLES[] = {STORE_MEMBER,     STORE_QUEUE,  STORE_QUEUE_INDEX,
                                          STORE_LOG_30D,    STORE_RECORD, STORE_RECORD_PART,
                                          STORE_RECORD_POP, STORE_SPENT,  STORE_DESCRIPTOR};

enum {
    NTABLES = sizeof TABLES / sizeof TABLES[0]
};

static void count_rows(size_t rows[NTABLES])
{
    for (size_t i = 0; i < NTABLES; i++) {
        rows[i] = store_mem_count(R.mem, TABLES[i]);
    }
}

/* Half of everything is left: that of member 1, who notices nothing. */
static void half_is_left(const size_t before[NTABLES], unsigned n)
{
    struct relay_host_member list[2];
    uint32_t waiting;
    for (size_t i = 0; i < NTABLES; i++) {
        ck_assert_uint_eq(2 * store_mem_count(R.mem, TABLES[i]), before[i]);
    }
    ck_assert_uint_eq(count_members(), 102);
    ck_assert_uint_eq(members(list, 2), 1);
    ck_assert(!list[0].removing);
    ck_assert_uint_eq(list[0].queues, 2);
    ck_assert_ok(rig_attach(&R, 2, &waiting));
    ck_assert_uint_eq(waiting, n);
    ck_assert_ok(rig_put(&R, 2, 9000, 1));
    ck_assert_ok(get(1));
    ck_assert_ok(pop(1, 2));
}

/* --- removal --- */

START_TEST(a_member_goes_with_all_it_has)
{
    uint8_t name[SEAL_NAME];
    size_t before[NTABLES];
    struct relay_host_member list[2];
    furnish(20, name);
    count_rows(before);
    ck_assert_ok(go((enum way)_i, name));
    ck_assert_uint_eq(members(list, 2), 2); /* it is there until all it had is gone */
    ck_assert(list[memcmp(list[0].name, name, SEAL_NAME) != 0].removing);
    rig_settle(&R);
    half_is_left(before, 20);
    ck_assert_err(go((enum way)_i, name), _i == LEAVES ? ERR_OK : ERR_NOT_FOUND);
    rig_fini(&R);
}
END_TEST

START_TEST(nobody_gets_anything_of_it_from_then_on)
{
    uint8_t name[SEAL_NAME];
    struct queue_push push;
    uint8_t envelope[1024];
    furnish(3, name);
    rig_use_link(&R, 5);
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert(relay_host_is_reader(R.host, 5));
    ck_assert_ok(go((enum way)_i, name));
    ck_assert(!relay_host_is_reader(R.host, 5));
    ck_assert_err(rig_push(&R, &push, NULL), ERR_NOT_FOUND);
    ck_assert_err(rig_ack(&R, 0, 1), ERR_NOT_NOW);
    ck_assert_err(rig_attach(&R, 0, NULL), ERR_NOT_FOUND);
    for (unsigned restarted = 0; restarted < 2; restarted++) {
        struct queue_deposit d = rig_deposit_of(&R, 0, 77, envelope, 0, 1);
        ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
        struct slice bytes = d.envelope;
        d.admission = rig_stamp(&R, &d.queue, bytes, LIMIT_STAMP_DEPOSIT_BITS);
        ck_assert_err(rig_deposit(&R, &d, NULL), ERR_BAD_TOKEN);
        ck_assert_err(get(0), ERR_NOT_FOUND);
        ck_assert_err(pop(0, 5), ERR_BAD_TOKEN);
        ck_assert_err(rig_register(&R, 9, 0, 9), ERR_REFUSED);
        ck_assert_err(put_record(9, 0), ERR_REFUSED);
        ck_assert_err(put_descriptor(9, 0), ERR_REFUSED);
        ck_assert_err(put_record(0, 1), ERR_BACKPRESSURE);
        ck_assert_err(rig_join(&R, 0, NULL), ERR_BACKPRESSURE);
        rig_restart(&R); /* and after a crash, before anything was deleted */
    }
    rig_settle(&R);
    ck_assert_ok(rig_join(&R, 0, NULL)); /* registration is open: as somebody new */
    ck_assert_ok(rig_register(&R, 0, 0, 0));
    uint32_t waiting;
    ck_assert_ok(rig_attach(&R, 0, &waiting));
    ck_assert_uint_eq(waiting, 0);
    rig_fini(&R);
}
END_TEST

START_TEST(it_goes_in_slices)
{
    enum {
        MANY = 1700
    };
    uint8_t name[SEAL_NAME];
    size_t before[NTABLES];
    unsigned ticks = 0;
    furnish(MANY, name);
    count_rows(before);
    ck_assert_ok(remove_name(name));
    while (store_mem_count(R.mem, STORE_MEMBER) == 2) {
        uint64_t puts = store_mem_puts(R.mem);
        ck_assert_uint_eq(relay_host_deadline(R.host), 0);
        ck_assert_ok(rig_tick(&R));
        ck_assert_uint_le(store_mem_puts(R.mem) - puts, 2 * LIMIT_SWEEP_ROWS + 8);
        ck_assert_uint_le(++ticks, 20);
    }
    ck_assert_uint_ge(ticks, MANY / LIMIT_SWEEP_ROWS);
    half_is_left(before, MANY);
    rig_fini(&R);
}
END_TEST

START_TEST(a_crash_anywhere_only_delays_it)
{
    unsigned crashes = 0;
    for (uint64_t k = 1;; k++) {
        uint8_t name[SEAL_NAME];
        size_t before[NTABLES];
        furnish(5, name);
        count_rows(before);
        store_mem_crash_at(R.mem, k);
        while (go((enum way)_i, name) != ERR_OK) {
            crashes++;
        }
        for (unsigned i = 0; i < 50 && relay_host_deadline(R.host) <= R.unit.env.now_ms; i++) {
            crashes += rig_tick(&R) != ERR_OK;
        }
        store_mem_crash_at(R.mem, 0);
        rig_settle(&R);
        half_is_left(before, 5);
        rig_fini(&R);
        if (crashes < k) {
            break; /* the story has fewer puts */
        }
    }
    ck_assert_uint_gt(crashes, 15);
}
END_TEST

START_TEST(many_go_at_once_up_to_a_limit)
{
    struct relay_host_member list[LIMIT_REMOVALS + 1];
    rig_init(&R, 0);
    for (unsigned i = 0; i <= LIMIT_REMOVALS; i++) {
        ck_assert_ok(rig_join(&R, i, NULL));
        ck_assert_ok(rig_register(&R, i, i, i));
    }
    ck_assert_uint_eq(members(list, LIMIT_REMOVALS + 1), LIMIT_REMOVALS + 1);
    for (unsigned i = 0; i < LIMIT_REMOVALS; i++) {
        ck_assert_ok(remove_name(list[i].name));
        ck_assert_ok(remove_name(list[i].name)); /* said twice is said once */
    }
    ck_assert_err(remove_name(list[LIMIT_REMOVALS].name), ERR_BACKPRESSURE);
    rig_settle(&R);
    ck_assert_uint_eq(count_members(), 101);
    ck_assert_ok(remove_name(list[LIMIT_REMOVALS].name));
    rig_settle(&R);
    ck_assert_uint_eq(count_members(), 0);
    ck_assert_uint_eq(store_mem_count(R.mem, STORE_QUEUE), 0);
    rig_restart(&R);
    ck_assert_uint_eq(count_members(), 0);
    rig_fini(&R);
}
END_TEST

/* --- a member that leaves --- */

START_TEST(a_leave_may_be_repeated_at_any_time)
{
    uint8_t name[SEAL_NAME];
    size_t before[NTABLES];
    furnish(3, name);
    count_rows(before);
    ck_assert_ok(rig_leave(&R, 0));
    ck_assert_ok(rig_leave(&R, 0)); /* its rows are being deleted */
    rig_restart(&R);
    ck_assert_ok(rig_leave(&R, 0));
    rig_settle(&R);
    half_is_left(before, 3);
    uint64_t puts = store_mem_puts(R.mem);
    ck_assert_ok(rig_leave(&R, 0)); /* nobody knows it any more */
    rig_settle(&R);
    ck_assert_uint_eq(store_mem_puts(R.mem), puts);
    ck_assert_ok(rig_join(&R, 0, NULL));
    ck_assert_ok(rig_register(&R, 0, 0, 0));
    ck_assert_ok(rig_leave(&R, 0)); /* and the new one leaves, too */
    rig_settle(&R);
    ck_assert_uint_eq(count_members(), 102);
    rig_fini(&R);
}
END_TEST

START_TEST(a_changed_byte_or_another_links_signature_is_no_leave)
{
    uint8_t name[SEAL_NAME];
    uint8_t request[256];
    struct sign_sk sk;
    struct relay_host_member list[2];
    furnish(1, name);
    rig_sk(&sk, RIG_MEMBER, 0);
    struct writer w = writer_of(request, sizeof request);
    ck_assert_ok(member_leave_write(&w, &R.arena, R.hash, &sk));
    ck_assert_int_eq(w.err, ERR_OK);
    for (size_t i = 0; i < w.len; i++) {
        request[i] ^= (uint8_t)(1u << i % 8);
        enum err err = rig_request(&R, RELAY_MEMBER_LEAVE, writer_done(&w));
        ck_assert_msg(err != ERR_OK || rig_refusal(&R) != ERR_OK, "byte %zu", i);
        request[i] ^= (uint8_t)(1u << i % 8);
    }
    ck_assert_ok(rig_request(&R, RELAY_MEMBER_JOIN, writer_done(&w)));
    ck_assert_err(rig_refusal(&R), ERR_BAD_SIGNATURE);
    rig_use_link(&R, 2);
    ck_assert_ok(rig_request(&R, RELAY_MEMBER_LEAVE, writer_done(&w)));
    ck_assert_err(rig_refusal(&R), ERR_BAD_SIGNATURE);
    ck_assert_uint_eq(members(list, 2), 2);
    ck_assert(!list[0].removing && !list[1].removing);
    rig_use_link(&R, 1);
    ck_assert_ok(rig_request(&R, RELAY_MEMBER_LEAVE, writer_done(&w)));
    ck_assert_ok(rig_refusal(&R));
    rig_fini(&R);
}
END_TEST

START_TEST(a_join_is_no_leave)
{
    struct sign_sk sk;
    struct member_join join = {.has_code = false};
    struct writer w = writer_of(R.body, sizeof R.body);
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    rig_sk(&sk, RIG_MEMBER, 0);
    ck_assert_ok(member_join_write(&w, &R.arena, R.hash, &join, &sk));
    ck_assert_ok(rig_request(&R, RELAY_MEMBER_LEAVE, writer_done(&w)));
    ck_assert_err(rig_refusal(&R), ERR_BAD_SIGNATURE);
    ck_assert_uint_eq(count_members(), 100);
    rig_fini(&R);
}
END_TEST

START_TEST(strangers_who_leave_take_no_place)
{
    rig_init(&R, 0);
    ck_assert_ok(rig_join(&R, 0, NULL));
    uint64_t puts = store_mem_puts(R.mem);
    for (unsigned i = 1; i <= 2 * LIMIT_REMOVALS; i++) {
        ck_assert_ok(rig_leave(&R, i));
    }
    ck_assert_uint_eq(store_mem_puts(R.mem), puts);
    ck_assert_ok(rig_leave(&R, 0));
    rig_settle(&R);
    ck_assert_uint_eq(count_members(), 0);
    rig_fini(&R);
}
END_TEST

START_TEST(many_leave_up_to_a_limit_also_on_a_full_disk)
{
    rig_init(&R, 0);
    for (unsigned i = 0; i <= LIMIT_REMOVALS; i++) {
        ck_assert_ok(rig_join(&R, i, NULL));
    }
    R.growth = false;
    for (unsigned i = 0; i < LIMIT_REMOVALS; i++) {
        ck_assert_ok(rig_leave(&R, i));
    }
    ck_assert_err(rig_leave(&R, LIMIT_REMOVALS), ERR_BACKPRESSURE);
    ck_assert_ok(rig_leave(&R, 0)); /* a repeat needs no place */
    rig_settle(&R);
    ck_assert_ok(rig_leave(&R, LIMIT_REMOVALS));
    rig_settle(&R);
    ck_assert_uint_eq(count_members(), 0);
    rig_fini(&R);
}
END_TEST

/* --- members and what waits --- */

START_TEST(what_waits_is_counted_in_pages)
{
    enum {
        MANY = LIMIT_TALLY_ROWS + 100
    };
    uint8_t name[SEAL_NAME];
    struct queue_push push;
    furnish(MANY, name);
    ck_assert_ok(rig_put(&R, 1, 1, 1));
    for (size_t cap = 1; cap <= 8; cap += 7) {
        struct relay_host_waiting sum = waiting_for(name, cap);
        ck_assert_uint_eq(sum.envelopes, MANY + 1);
        ck_assert_uint_eq(sum.bytes, (MANY + 1) * UINT64_C(1024));
    }
    ck_assert_ok(rig_attach(&R, 0, NULL));
    ck_assert_ok(rig_push(&R, &push, NULL));
    ck_assert_ok(rig_ack(&R, 0, push.number));
    ck_assert_uint_eq(waiting_for(name, 8).envelopes, MANY);
    rig_fini(&R);
}
END_TEST

START_TEST(members_come_in_pages_without_their_keys)
{
    static uint8_t none[SEAL_NAME];
    struct relay_host_member page[4];
    uint8_t after[SEAL_NAME];
    unsigned seen = 0;
    size_t n;
    rig_init(&R, 0);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_ok(rig_join(&R, i, NULL));
    }
    memcpy(after, none, sizeof after);
    do {
        struct turn turn;
        begin(&turn);
        ck_assert_ok(relay_host_members(R.host, &turn, after, page, 4, &n));
        ck_assert_ok(store_mem_commit(R.mem));
        for (size_t i = 0; i < n; i++) {
            ck_assert_int_gt(memcmp(page[i].name, after, sizeof after), 0);
            ck_assert_uint_eq(page[i].joined_ms, RIG_NOW);
            memcpy(after, page[i].name, sizeof after);
            for (unsigned m = 0; m < 10; m++) {
                struct sign_pk key = rig_pk(RIG_MEMBER, m);
                ck_assert_ptr_null(memmem(page[i].name, SEAL_NAME, key.b, 4));
            }
            seen++;
        }
    } while (n == 4);
    ck_assert_uint_eq(seen, 10);
    rig_fini(&R);
}
END_TEST

static void add(TCase *tc)
{
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_member_goes_with_all_it_has, 0, WAYS);
    tcase_add_loop_test(tc, nobody_gets_anything_of_it_from_then_on, 0, WAYS);
    tcase_add_test(tc, it_goes_in_slices);
    tcase_add_loop_test(tc, a_crash_anywhere_only_delays_it, 0, WAYS);
    tcase_add_test(tc, many_go_at_once_up_to_a_limit);
    tcase_add_test(tc, a_leave_may_be_repeated_at_any_time);
    tcase_add_test(tc, a_changed_byte_or_another_links_signature_is_no_leave);
    tcase_add_test(tc, a_join_is_no_leave);
    tcase_add_test(tc, strangers_who_leave_take_no_place);
    tcase_add_test(tc, many_leave_up_to_a_limit_also_on_a_full_disk);
    tcase_add_test(tc, what_waits_is_counted_in_pages);
    tcase_add_test(tc, members_come_in_pages_without_their_keys);
}

int main(void)
{
    return unit_main("relay/host_remove", add);
}
