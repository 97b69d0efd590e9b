/* SPDX-License-Identifier: Apache-2.0 */
#include "node/held.h"

#include "base/buf.h"

struct range {
    uint32_t first;
    uint32_t last;
};

static struct range range_at(struct slice held, size_t i)
{
    struct reader r = reader_of(slice_of(held.p + i * HELD_RANGE, HELD_RANGE));
    struct range range;
    range.first = reader_u32(&r);
    range.last = reader_u32(&r);
    return range;
}

static void range_write(struct writer *w, uint32_t first, uint32_t last)
{
    if (first <= last) {
        writer_u32(w, first);
        writer_u32(w, last);
    }
}

bool held_valid(struct slice held)
{
    uint64_t least = 1;
    if (held.len % HELD_RANGE != 0 || held.len > HELD_MAX) {
        return false;
    }
    for (size_t i = 0; i < held.len / HELD_RANGE; i++) {
        struct range range = range_at(held, i);
        if (range.first < least || range.last < range.first) {
            return false;
        }
        least = (uint64_t)range.last + 2; /* touching ranges are one */
    }
    return true;
}

/* A writer of one range more. */
static struct writer begin(struct arena *arena, struct slice held)
{
    uint8_t *p = arena_alloc(arena, held.len + HELD_RANGE);
    return writer_of(p, p == NULL ? 0 : held.len + HELD_RANGE);
}

static enum err commit(const struct writer *w, struct slice *held)
{
    if (w->err != ERR_OK) {
        return ERR_NO_MEMORY;
    }
    *held = slice_of(w->p, w->len);
    return ERR_OK;
}

enum err held_add(struct arena *arena, struct slice *held, uint32_t first, uint32_t last)
{
    size_t n = held->len / HELD_RANGE;
    struct writer w = begin(arena, *held);
    if (n > 0) {
        struct range end = range_at(*held, n - 1);
        if (end.last + 1 == first || n == LIMIT_HELD_RANGES) {
            n--;
            first = end.first;
        }
    }
    if (n > 0) {
        writer_slice(&w, slice_of(held->p, n * HELD_RANGE));
    }
    range_write(&w, first, last);
    return commit(&w, held);
}

enum err held_take(struct arena *arena, struct slice *held, uint32_t counter)
{
    size_t n = held->len / HELD_RANGE;
    struct range range = {1, 0};
    size_t i = 0;
    while (i < n && (range = range_at(*held, i)).last < counter) {
        i++;
    }
    bool splits = range.first < counter && counter < range.last;
    if (i == n || counter < range.first || (splits && n == LIMIT_HELD_RANGES)) {
        return ERR_OK;
    }
    struct writer w = begin(arena, *held);
    if (i > 0) {
        writer_slice(&w, slice_of(held->p, i * HELD_RANGE));
    }
    if (counter > range.first) {
        range_write(&w, range.first, counter - 1);
    }
    if (counter < range.last) {
        range_write(&w, counter + 1, range.last);
    }
    if (i + 1 < n) {
        writer_slice(&w, slice_of(held->p + (i + 1) * HELD_RANGE, (n - i - 1) * HELD_RANGE));
    }
    return commit(&w, held);
}

enum err held_drop(struct arena *arena, struct slice *held, uint32_t up_to)
{
    size_t n = held->len / HELD_RANGE;
    size_t i = 0;
    if (n == 0 || range_at(*held, 0).first > up_to) {
        return ERR_OK;
    }
    while (i < n && range_at(*held, i).last <= up_to) {
        i++;
    }
    if (i == n || range_at(*held, i).first > up_to) {
        *held = slice_of(held->p + i * HELD_RANGE, (n - i) * HELD_RANGE);
        return ERR_OK;
    }
    struct writer w = begin(arena, *held);
    range_write(&w, up_to + 1, range_at(*held, i).last);
    if (i + 1 < n) {
        writer_slice(&w, slice_of(held->p + (i + 1) * HELD_RANGE, (n - i - 1) * HELD_RANGE));
    }
    return commit(&w, held);
}

bool held_next(struct slice held, uint32_t after, uint32_t *counter)
{
    for (size_t i = 0; i < held.len / HELD_RANGE; i++) {
        struct range range = range_at(held, i);
        if (range.last > after) {
            *counter = range.first > after ? range.first : after + 1;
            return true;
        }
    }
    return false;
}

uint32_t held_end(struct slice held, uint32_t counter)
{
    for (size_t i = 0; i < held.len / HELD_RANGE; i++) {
        struct range range = range_at(held, i);
        if (range.first <= counter && counter <= range.last) {
            return range.last;
        }
    }
    return counter;
}
