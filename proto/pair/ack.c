/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/ack.h"

#include <string.h>

static bool bit(const struct ack_set *a, size_t i)
{
    return i / 8 < a->used && (a->bits[i / 8] >> (i % 8) & 1) != 0;
}

static void trim(struct ack_set *a)
{
    while (a->used > 0 && a->bits[a->used - 1] == 0) {
        a->used--;
    }
}

/* Moves the bits n places down: bit n becomes bit 0. */
static void shift(struct ack_set *a, size_t n)
{
    size_t bytes = n / 8;
    unsigned rest = n % 8;
    if (bytes >= a->used) {
        memset(a->bits, 0, a->used);
        a->used = 0;
        return;
    }
    for (size_t i = 0; i < a->used; i++) {
        unsigned low = i + bytes < a->used ? a->bits[i + bytes] : 0;
        unsigned high = i + bytes + 1 < a->used ? a->bits[i + bytes + 1] : 0;
        a->bits[i] = (uint8_t)((low | high << 8) >> rest);
    }
    trim(a);
}

/* Takes the run of set bits that begins at bit 0 into cum. */
static void settle(struct ack_set *a)
{
    size_t n = 0;
    while (bit(a, n)) {
        n++;
    }
    if (n > 0) {
        a->cum += n;
        shift(a, n);
    }
}

bool ack_has(const struct ack_set *a, uint64_t seq)
{
    return seq <= a->cum || (seq - a->cum <= ACK_WINDOW && bit(a, (size_t)(seq - a->cum - 1)));
}

bool ack_add(struct ack_set *a, uint64_t seq)
{
    if (seq <= a->cum) {
        return true;
    }
    if (seq - a->cum > ACK_WINDOW) {
        return false;
    }
    if (seq == a->cum + 1 && a->used == 0) {
        a->cum = seq;
        return true;
    }
    size_t i = (size_t)(seq - a->cum - 1);
    a->bits[i / 8] |= (uint8_t)(1U << (i % 8));
    if (i / 8 >= a->used) {
        a->used = (uint16_t)(i / 8 + 1);
    }
    settle(a);
    return true;
}

void ack_raise(struct ack_set *a, uint64_t seq)
{
    if (seq <= a->cum) {
        return;
    }
    uint64_t n = seq - a->cum;
    a->cum = seq;
    shift(a, n < ACK_WINDOW ? (size_t)n : ACK_WINDOW);
    settle(a);
}

void ack_merge(struct ack_set *a, const struct ack_set *other, uint64_t limit)
{
    ack_raise(a, other->cum < limit ? other->cum : limit);
    for (size_t i = 0; i < (size_t)other->used * 8; i++) {
        if (bit(other, i) && other->cum + 1 + i <= limit) {
            (void)ack_add(a, other->cum + 1 + i);
        }
    }
}

uint64_t ack_missing(const struct ack_set *a, uint64_t last)
{
    uint64_t have = 0;
    for (size_t i = 0; i < a->used; i++) {
        have += (unsigned)__builtin_popcount(a->bits[i]);
    }
    return last > a->cum + have ? last - a->cum - have : 0;
}

uint64_t ack_top(const struct ack_set *a)
{
    if (a->used == 0) {
        return a->cum;
    }
    unsigned last = a->bits[a->used - 1];
    return a->cum + (uint64_t)(a->used - 1) * 8 + (unsigned)(32 - __builtin_clz(last));
}

struct slice ack_bitmap(const struct ack_set *a)
{
    return slice_of(a->bits, a->used);
}

bool ack_from(struct ack_set *a, uint64_t cum, struct slice bitmap)
{
    memset(a, 0, sizeof *a);
    if (bitmap.len > sizeof a->bits || cum > UINT64_MAX - ACK_WINDOW - 1) {
        return false;
    }
    if (bitmap.len > 0) {
        if (bitmap.p[bitmap.len - 1] == 0 || (bitmap.p[0] & 1) != 0) {
            return false;
        }
        memcpy(a->bits, bitmap.p, bitmap.len);
        a->used = (uint16_t)bitmap.len;
    }
    a->cum = cum;
    return true;
}
