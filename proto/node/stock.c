/* SPDX-License-Identifier: Apache-2.0 */
#include "node/stock.h"

#include "node/held.h"
#include "relay/token.h"

/* Tokens of the epoch before last are worth nothing: they count no more. A clock that goes back
 * changes nothing. */
static void turn_epoch(struct peer_row *row, uint64_t now_ms)
{
    uint64_t epoch = token_epoch(now_ms);
    if (row->epoch == 0) { /* a new row, or one of before epochs were counted */
        row->epoch = epoch;
        row->epoch_from = row->past;
    } else if (epoch > row->epoch) {
        bool next = epoch == row->epoch + 1;
        row->past = next ? (uint32_t)row->epoch_from : row->minted;
        row->before_back = next ? row->epoch_back : 0;
        row->epoch_from = row->minted;
        row->epoch_back = 0;
        row->epoch = epoch;
    }
}

static uint32_t stock_of(const struct peer_row *row)
{
    return row->stock == 0 ? LIMIT_TOKEN_STOCK : (uint32_t)row->stock;
}

static void grow(struct peer_row *row)
{
    uint32_t doubled = 2 * stock_of(row);
    row->stock = doubled < LIMIT_TOKEN_STOCK_MAX ? doubled : LIMIT_TOKEN_STOCK_MAX;
    row->day_back = 0;
}

uint32_t stock_out(struct peer_row *row, uint64_t now_ms)
{
    turn_epoch(row, now_ms);
    return row->minted - row->past - (uint32_t)row->before_back - (uint32_t)row->epoch_back;
}

uint32_t stock_room(struct peer_row *row, uint64_t now_ms)
{
    uint32_t out = stock_out(row, now_ms);
    uint32_t stock = stock_of(row);
    return out < stock ? stock - out : 0;
}

bool stock_is_low(struct peer_row *row, uint64_t now_ms)
{
    uint32_t stock = stock_of(row);
    return stock > LIMIT_TOKEN_STOCK && stock_out(row, now_ms) < stock / 2;
}

/* Notes that the token is back; false: it counts no more. */
static bool take_back(struct peer_row *row, uint32_t counter)
{
    if (counter > row->epoch_from) {
        bool out = row->epoch_back < row->minted - row->epoch_from;
        row->epoch_back += out;
        return out;
    }
    bool out = counter > row->past && row->before_back < row->epoch_from - row->past;
    row->before_back += out;
    return out;
}

void stock_came_back(struct peer_row *row, uint32_t counter, uint64_t now_ms, uint64_t spent_ms)
{
    turn_epoch(row, now_ms);
    if (!take_back(row, counter)) {
        return;
    }
    if (row->day_back == 0 || spent_ms < row->day_ms || spent_ms - row->day_ms >= LIMIT_DAY_MS) {
        row->day_ms = spent_ms;
        row->day_back = 0;
    }
    if (++row->day_back >= stock_of(row)) {
        grow(row);
    }
}

void stock_was_empty(struct peer_row *row, uint64_t now_ms)
{
    if (stock_out(row, now_ms) > stock_of(row) / 2) {
        grow(row);
    }
}

/* A row of an older node does not say which came back: it may be any. */
static enum err held_now(struct arena *arena, struct peer_row *row)
{
    if (row->held_known == 0) {
        row->held_known = 1;
        row->held = slice_of(NULL, 0);
        return row->minted > row->past ? held_add(arena, &row->held, row->past + 1, row->minted)
                                       : ERR_OK;
    }
    return held_drop(arena, &row->held, row->past);
}

enum err stock_made(struct arena *arena, struct peer_row *row, uint32_t n)
{
    enum err err = held_now(arena, row);
    if (err == ERR_OK && n > 0) {
        err = held_add(arena, &row->held, row->minted + 1, row->minted + n);
    }
    row->minted += err == ERR_OK ? n : 0;
    return err;
}

enum err stock_spent(struct arena *arena, struct peer_row *row, uint32_t counter)
{
    enum err err = held_now(arena, row);
    return err == ERR_OK ? held_take(arena, &row->held, counter) : err;
}

enum err stock_held(struct arena *arena, struct peer_row *row, uint64_t now_ms)
{
    turn_epoch(row, now_ms);
    return held_now(arena, row);
}

void stock_reset(struct peer_row *row)
{
    row->held_known = 1;
    row->held = slice_of(NULL, 0);
    row->past = row->minted;
    row->epoch_from = row->minted;
    row->before_back = 0;
    row->epoch_back = 0;
}

bool stock_holds(const struct peer_row *row, uint32_t counter)
{
    uint32_t next = 0;
    return row->held_known && counter > 0 && held_next(row->held, counter - 1, &next) &&
           next == counter;
}
