/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/kem_ratchet.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/secret.h"
#include "crypto/mlkem768.h"

enum {
    FLAG_TOLD = 1,
};

static_assert(KEM_SECRET == crypto_kem_mlkem768_SHAREDSECRETBYTES, "shared secret");
static_assert(KEM_SEED == crypto_kem_mlkem768_SEEDBYTES, "seed d | z");

/* --- parts --- */

void kem_part_write(struct writer *w, const struct kem_part *part)
{
    pack_array(w, 2);
    pack_uint(w, part->epoch);
    pack_bin_slice(w, part->bytes);
}

void kem_part_read(struct reader *r, size_t len, struct kem_part *part)
{
    if (pack_read_array(r, 2) != 2) {
        reader_fail(r, ERR_MALFORMED);
    }
    part->epoch = (uint32_t)pack_read_uint(r, UINT32_MAX);
    part->bytes = pack_read_bin(r, len);
    if (part->epoch == 0 || part->bytes.len != len) {
        reader_fail(r, ERR_MALFORMED);
    }
}

size_t kem_part_size(const struct kem_part *part)
{
    return 1 + pack_uint_size(part->epoch) + pack_bin_size(part->bytes.len);
}

/* --- when --- */

void kem_ratchet_init(struct kem_ratchet *k, bool initiator, uint64_t now_ms)
{
    memset(k, 0, sizeof *k);
    k->initiator = initiator;
    k->since_ms = now_ms;
}

/* The ciphertext is no secret: it is much, and goes over the wire. */
void kem_ratchet_wipe(struct kem_ratchet *k)
{
    secret_wipe(k->secret, sizeof k->secret);
}

/* The two take turns, the responder first; who is not heard from in its turn is not waited for. */
static bool due(const struct kem_ratchet *k, uint32_t epoch, uint64_t now_ms)
{
    bool turn = k->initiator == (epoch % 2 == 1);
    uint32_t times = turn ? 1 : 2;
    uint64_t age = now_ms > k->since_ms ? now_ms - k->since_ms : 0;
    if (k->state != KEM_IDLE || epoch == UINT32_MAX) {
        return false;
    }
    return (turn && epoch == 0) || k->count >= times * LIMIT_KEM_MESSAGES ||
           age >= times * LIMIT_DAY_MS;
}

size_t kem_ratchet_room(const struct kem_ratchet *k, uint32_t epoch, bool step, uint64_t now_ms)
{
    bool answer = k->state == KEM_ANSWERED;
    bool again = (answer || k->state == KEM_OFFERED) && (step || !k->told);
    struct kem_part part = {.epoch = epoch + 1,
                            .bytes = slice_of(NULL, answer ? SESSION_KEM_CT : SESSION_KEM_EK)};
    return again || due(k, epoch, now_ms) ? kem_part_size(&part) : 0;
}

/* --- out --- */

/* The encapsulation key of our seed, into the arena. */
static enum err offered_key(const struct kem_ratchet *k, struct arena *arena, struct slice *key)
{
    uint8_t dk[SESSION_KEM_DK];
    uint8_t *ek = arena_alloc(arena, SESSION_KEM_EK);
    if (ek == NULL) {
        return ERR_NO_MEMORY;
    }
    (void)crypto_kem_mlkem768_seed_keypair(ek, dk, k->secret);
    secret_wipe(dk, sizeof dk);
    *key = slice_of(ek, SESSION_KEM_EK);
    return ERR_OK;
}

enum err kem_ratchet_speak(struct kem_ratchet *k, uint32_t epoch, bool step, const struct env *env,
                           struct arena *arena, struct kem_part *offer, struct kem_part *answer)
{
    *offer = (struct kem_part){.epoch = 0};
    *answer = (struct kem_part){.epoch = 0};
    if (due(k, epoch, env->now_ms)) {
        env_random(env, k->secret, KEM_SEED);
        k->state = KEM_OFFERED;
        k->told = false;
    }
    k->told = k->told && !step;
    if (k->told || k->state == KEM_IDLE || k->state == KEM_READY) {
        return ERR_OK;
    }
    if (k->state == KEM_ANSWERED) {
        *answer = (struct kem_part){.epoch = epoch + 1, .bytes = slice_of(k->ct, sizeof k->ct)};
        return ERR_OK;
    }
    offer->epoch = epoch + 1;
    return offered_key(k, arena, &offer->bytes);
}

void kem_ratchet_spoke(struct kem_ratchet *k, bool part, bool content)
{
    k->told = k->told || part;
    k->count += content && k->count < UINT32_MAX ? 1 : 0;
}

/* --- in --- */

/* Only one of two offers that crossed may count, on both sides the same one. */
static enum err take_offer(struct kem_ratchet *k, const struct env *env,
                           const struct kem_part *offer, bool *news)
{
    if (k->state != KEM_IDLE && (k->state != KEM_OFFERED || k->initiator)) {
        return ERR_OK;
    }
    uint8_t random[32];
    uint8_t secret[KEM_SECRET];
    env_random(env, random, sizeof random);
    int bad = crypto_kem_mlkem768_enc_deterministic(k->ct, secret, offer->bytes.p, random);
    secret_wipe(random, sizeof random);
    if (bad != 0) {
        return ERR_BAD_KEY;
    }
    secret_wipe(k->secret, sizeof k->secret);
    memcpy(k->secret, secret, sizeof secret);
    secret_wipe(secret, sizeof secret);
    k->state = KEM_ANSWERED;
    k->told = false;
    *news = true;
    return ERR_OK;
}

static void take_answer(struct kem_ratchet *k, const struct kem_part *answer, bool *news)
{
    uint8_t ek[SESSION_KEM_EK];
    uint8_t dk[SESSION_KEM_DK];
    uint8_t secret[KEM_SECRET];
    if (k->state != KEM_OFFERED) {
        return;
    }
    (void)crypto_kem_mlkem768_seed_keypair(ek, dk, k->secret);
    int bad = crypto_kem_mlkem768_dec(secret, answer->bytes.p, dk);
    assert(bad == 0); /* the key was just made */
    (void)bad;
    secret_wipe(dk, sizeof dk);
    secret_wipe(k->secret, sizeof k->secret);
    memcpy(k->secret, secret, sizeof secret);
    secret_wipe(secret, sizeof secret);
    k->state = KEM_READY;
    *news = true;
}

enum err kem_ratchet_take(struct kem_ratchet *k, uint32_t epoch, const struct env *env,
                          const struct kem_part *offer, const struct kem_part *answer, bool content,
                          bool *news)
{
    enum err err = ERR_OK;
    *news = false;
    k->count += content && k->count < UINT32_MAX ? 1 : 0;
    if (offer->epoch > epoch && offer->epoch - epoch > 1) {
        return ERR_MALFORMED;
    }
    if (answer->epoch > epoch && answer->epoch - epoch > 1) {
        return ERR_MALFORMED;
    }
    /* What is late, is of an exchange that is over. */
    if (answer->epoch > epoch) {
        take_answer(k, answer, news);
    }
    if (offer->epoch > epoch) {
        err = take_offer(k, env, offer, news);
    }
    return err;
}

/* --- steps --- */

static struct kem_mix mix(const struct kem_ratchet *k, uint32_t epoch, enum kem_state state)
{
    return k->state == state ? (struct kem_mix){.epoch = epoch + 1, .secret = k->secret}
                             : (struct kem_mix){.epoch = 0};
}

struct kem_mix kem_ratchet_ours(const struct kem_ratchet *k, uint32_t epoch)
{
    return mix(k, epoch, KEM_READY);
}

struct kem_mix kem_ratchet_theirs(const struct kem_ratchet *k, uint32_t epoch)
{
    return mix(k, epoch, KEM_ANSWERED);
}

void kem_ratchet_stepped(struct kem_ratchet *k, uint64_t now_ms)
{
    bool initiator = k->initiator;
    kem_ratchet_wipe(k);
    kem_ratchet_init(k, initiator, now_ms);
}

/* --- saved --- */

/* Bytes of the secret in this state. */
static size_t secret_size(enum kem_state state)
{
    return state == KEM_IDLE ? 0 : state == KEM_OFFERED ? KEM_SEED : KEM_SECRET;
}

void kem_ratchet_save(const struct kem_ratchet *k, struct writer *w)
{
    writer_u8(w, (uint8_t)k->state);
    writer_u8(w, k->told ? FLAG_TOLD : 0);
    writer_u32(w, k->count);
    writer_u64(w, k->since_ms);
    writer_bytes(w, k->secret, secret_size(k->state));
    writer_bytes(w, k->ct, k->state == KEM_ANSWERED ? sizeof k->ct : 0);
}

void kem_ratchet_load(struct kem_ratchet *k, bool initiator, struct reader *r)
{
    memset(k, 0, sizeof *k);
    uint8_t state = reader_u8(r);
    uint8_t flags = reader_u8(r);
    if (state > KEM_ANSWERED || flags > FLAG_TOLD) {
        reader_fail(r, ERR_CORRUPT);
        return;
    }
    k->state = (enum kem_state)state;
    k->initiator = initiator;
    k->told = (flags & FLAG_TOLD) != 0;
    k->count = reader_u32(r);
    k->since_ms = reader_u64(r);
    reader_copy(r, k->secret, secret_size(k->state));
    if (k->state == KEM_ANSWERED) {
        reader_copy(r, k->ct, sizeof k->ct);
    }
}
