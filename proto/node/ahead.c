/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ahead.h"

#include "node/descriptor.h"

enum {
    AHEAD_ROWS = LIMIT_DESCRIPTORS_AHEAD,
    AHEAD_ROW = ROW_AHEAD / LIMIT_DESCRIPTORS_AHEAD,
};

/* One period: period u32 | list version u32 | seq u64, big endian. */
struct row {
    uint32_t period;
    uint32_t version; /* of the list that it was given for; 0: it was somebody else's */
    uint64_t seq;
};

struct rows {
    struct row row[AHEAD_ROWS];
    size_t count;
};

static enum err rows_read(struct slice bytes, struct rows *out)
{
    struct reader r = reader_of(bytes);
    out->count = 0;
    while (reader_left(&r) > 0 && out->count < AHEAD_ROWS) {
        struct row *row = &out->row[out->count++];
        row->period = reader_u32(&r);
        row->version = reader_u32(&r);
        row->seq = reader_u64(&r);
    }
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

static enum err rows_write(struct step *step, struct account_row *account, const struct rows *rows)
{
    struct writer w = step_writer(step, AHEAD_ROWS * AHEAD_ROW);
    for (size_t i = 0; i < rows->count; i++) {
        writer_u32(&w, rows->row[i].period);
        writer_u32(&w, rows->row[i].version);
        writer_u64(&w, rows->row[i].seq);
    }
    account->ahead = writer_done(&w);
    return w.err == ERR_OK ? ERR_OK : ERR_NO_MEMORY;
}

/* Forgets those that are over, or of a clock that was wrong. */
static void tidy(struct step *step, struct rows *rows)
{
    uint64_t now = descriptor_period(step_now(step));
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        uint64_t period = rows->row[i].period;
        if (period + 1 >= now && period <= now + AHEAD_PERIODS) {
            rows->row[kept++] = rows->row[i];
        }
    }
    rows->count = kept;
}

static struct row *find(struct rows *rows, uint64_t period)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->row[i].period == period) {
            return &rows->row[i];
        }
    }
    return NULL;
}

/* The row of a period that is not over, made when there is none. NULL: it is over. */
static struct row *get(struct step *step, struct rows *rows, uint64_t period)
{
    struct row *row = find(rows, period);
    uint64_t now = descriptor_period(step_now(step));
    if (row == NULL && period + 1 >= now && period <= now + AHEAD_PERIODS &&
        rows->count < AHEAD_ROWS) { /* there is one place for each of them */
        row = &rows->row[rows->count++];
        *row = (struct row){.period = (uint32_t)period};
    }
    return row;
}

enum err ahead_seq(struct step *step, struct account_row *account, uint64_t period, uint64_t *seq,
                   bool *fresh)
{
    struct rows rows;
    enum err err = rows_read(account->ahead, &rows);
    if (err != ERR_OK) {
        return err;
    }
    tidy(step, &rows);
    struct row *row = get(step, &rows, period);
    if (row == NULL) {
        return ERR_CORRUPT;
    }
    *fresh = row->version != account->list_version || row->seq == 0;
    row->seq += *fresh;
    row->version = account->list_version;
    *seq = row->seq;
    return *fresh ? rows_write(step, account, &rows) : ERR_OK;
}

uint64_t ahead_last(const struct account_row *account, uint64_t period)
{
    struct rows rows;
    const struct row *row = rows_read(account->ahead, &rows) == ERR_OK ? find(&rows, period) : NULL;
    return row != NULL ? row->seq : 0;
}

enum err ahead_raise(struct step *step, struct account_row *account, uint64_t seq)
{
    struct rows rows;
    enum err err = rows_read(account->ahead, &rows);
    if (err != ERR_OK) {
        return err;
    }
    tidy(step, &rows);
    uint64_t now = descriptor_period(step_now(step));
    for (uint64_t period = now > 0 ? now - 1 : 0; period <= now + AHEAD_PERIODS; period++) {
        struct row *row = get(step, &rows, period);
        if (row != NULL && row->seq <= seq) {
            row->seq = seq;
            row->version = 0;
        }
    }
    return rows_write(step, account, &rows);
}
