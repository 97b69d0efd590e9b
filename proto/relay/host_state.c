/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_state.h"

#include <string.h>

enum err relay_refusal(enum err err, struct relay_reply *head)
{
    enum err_class class = err_class(err);
    bool refusal = class == ERR_CLASS_PEER || class == ERR_CLASS_STATE;
    if (err == ERR_MALFORMED || err == ERR_TOO_LARGE || (err != ERR_OK && !refusal)) {
        return err;
    }
    if (err == ERR_BACKPRESSURE && head->retry_after_ms == 0) {
        head->retry_after_ms = RELAY_RETRY_MS;
    }
    head->err = err;
    return ERR_OK;
}

enum err relay_meta_get(struct turn *turn, const char *name, uint64_t *value)
{
    struct slice row;
    enum err err = store_get(turn->store, STORE_META, slice_of(name, strlen(name)), &row);
    if (err != ERR_OK) {
        *value = 0;
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    struct reader r = reader_of(row);
    *value = reader_u64(&r);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

enum err relay_meta_put(struct turn *turn, const char *name, uint64_t value)
{
    uint8_t buf[8];
    struct writer w = writer_of(buf, sizeof buf);
    writer_u64(&w, value);
    return store_put(turn->store, STORE_META, slice_of(name, strlen(name)), writer_done(&w));
}

static struct store_key age_key(const struct relay_age_row *row)
{
    struct store_key k = store_key_new();
    store_key_u64(&k, row->until);
    store_key_u8(&k, (uint8_t)row->kind);
    store_key_bytes(&k, row->name, sizeof row->name);
    store_key_bytes(&k, row->extra, sizeof row->extra);
    return k;
}

enum err relay_age_put(struct relay_host *host, struct turn *turn, const struct relay_age_row *row)
{
    static const uint8_t present = 1;
    struct store_key k = age_key(row);
    if (row->until < host->age_due) {
        host->age_due = row->until;
    }
    return store_put(turn->store, STORE_SPENT_AGE, store_key_slice(&k), slice_of(&present, 1));
}

enum err relay_age_del(struct turn *turn, const struct relay_age_row *row)
{
    struct store_key k = age_key(row);
    enum err err = store_del(turn->store, STORE_SPENT_AGE, store_key_slice(&k));
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
