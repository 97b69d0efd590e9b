/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/parts/ops.h"

#include <string.h>

size_t ops_count(size_t len)
{
    size_t n = len < OPS_HEAD ? 0 : (len - OPS_HEAD) / OPS_STEP;
    return n < OPS_MOST ? n : OPS_MOST;
}

struct op ops_at(const uint8_t *data, size_t index)
{
    const uint8_t *p = data + OPS_HEAD + index * OPS_STEP;
    return (struct op){.kind = (enum op_kind)(p[0] % OP_KIND_COUNT),
                       .who = p[1],
                       .a = p[2],
                       .b = p[3],
                       .c = (uint16_t)(p[4] << 8 | p[5]),
                       .d = (uint16_t)(p[6] << 8 | p[7])};
}

/* xorshift32; the seed is libFuzzer's. */
static uint32_t draw(uint32_t *state, uint32_t n)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % n;
}

static uint8_t *step_at(uint8_t *data, size_t index)
{
    return data + OPS_HEAD + index * OPS_STEP;
}

/* Half of the steps are lies, and something is said behind most of them. */
static void step_draw(uint8_t *p, uint32_t *state)
{
    for (unsigned i = 1; i < OPS_STEP; i++) {
        p[i] = (uint8_t)draw(state, 256);
    }
    static const uint8_t kinds[] = {OP_LIE,   OP_LIE,     OP_LIE,  OP_LIE,  OP_LIE,  OP_SAY,
                                    OP_SAY,   OP_SAY,     OP_TIME, OP_NAP,  OP_MEET, OP_CUT,
                                    OP_BREAK, OP_RESTART, OP_MOVE, OP_BACK, OP_CALL, OP_CALL};
    p[0] = kinds[draw(state, sizeof kinds)];
    p[4] = p[0] == OP_LIE ? 0 : p[4]; /* few values have more than 256 places */
}

static size_t insert(uint8_t *data, size_t n, size_t most, uint32_t *state)
{
    if (n >= most) {
        return n;
    }
    size_t at = draw(state, (uint32_t)n + 1);
    memmove(step_at(data, at + 1), step_at(data, at), (n - at) * OPS_STEP);
    if (n > 0 && draw(state, 4) == 0) {
        memcpy(step_at(data, at), step_at(data, draw(state, (uint32_t)n + 1)), OPS_STEP);
    } else {
        step_draw(step_at(data, at), state);
    }
    return n + 1;
}

static size_t drop(uint8_t *data, size_t n, uint32_t *state)
{
    if (n < 2) {
        return n;
    }
    size_t at = draw(state, (uint32_t)n);
    memmove(step_at(data, at), step_at(data, at + 1), (n - at - 1) * OPS_STEP);
    return n - 1;
}

static void change(uint8_t *data, size_t n, uint32_t *state)
{
    uint8_t *p = step_at(data, draw(state, (uint32_t)n));
    unsigned field = draw(state, OPS_STEP);
    switch (draw(state, 3)) {
    case 0:
        p[field] = (uint8_t)draw(state, 256);
        break;
    case 1:
        p[field] = (uint8_t)(p[field] + 1 + draw(state, 4));
        break;
    default:
        p[field] = (uint8_t)(p[field] - 1 - draw(state, 4));
    }
}

static void exchange(uint8_t *data, size_t n, uint32_t *state)
{
    uint8_t step[OPS_STEP];
    uint8_t *a = step_at(data, draw(state, (uint32_t)n));
    uint8_t *b = step_at(data, draw(state, (uint32_t)n));
    memcpy(step, a, OPS_STEP);
    memmove(a, b, OPS_STEP);
    memcpy(b, step, OPS_STEP);
}

size_t ops_mutate(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint32_t state = seed * 2654435761U | 1U;
    size_t most = ops_count(max);
    size_t n = ops_count(size);
    if (most == 0) {
        return size;
    }
    if (size < OPS_HEAD) {
        data[0] = (uint8_t)draw(&state, 256);
    }
    for (unsigned times = 1 + draw(&state, 4); times > 0; times--) {
        switch (n == 0 ? 0 : draw(&state, 12)) {
        case 0:
        case 1:
        case 2:
            n = insert(data, n, most, &state);
            break;
        case 3:
            n = drop(data, n, &state);
            break;
        case 4:
            exchange(data, n, &state);
            break;
        case 5:
            data[0] ^= (uint8_t)(1U << draw(&state, 8));
            break;
        default:
            change(data, n, &state);
        }
    }
    return OPS_HEAD + n * OPS_STEP;
}

size_t ops_cross(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t *out,
                 size_t max, unsigned seed)
{
    uint32_t state = seed * 2654435761U | 1U;
    size_t most = ops_count(max);
    size_t head = draw(&state, (uint32_t)ops_count(a_len) + 1);
    size_t tail = draw(&state, (uint32_t)ops_count(b_len) + 1);
    head = head < most ? head : most;
    tail = head + tail < most ? tail : most - head;
    if (max < OPS_HEAD || a_len < OPS_HEAD || b_len < OPS_HEAD) {
        return 0;
    }
    memcpy(out, a, OPS_HEAD + head * OPS_STEP);
    memcpy(out + OPS_HEAD + head * OPS_STEP, b + OPS_HEAD + (ops_count(b_len) - tail) * OPS_STEP,
           tail * OPS_STEP);
    return OPS_HEAD + (head + tail) * OPS_STEP;
}
