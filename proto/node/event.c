/* SPDX-License-Identifier: Apache-2.0 */
#include "node/event.h"

#include "base/limits.h"
#include "base/pack.h"
#include "node/contact_rows.h"
#include "node/content.h"

enum {
    EVENT_ROW_HEAD = 112,         /* type, time, message and heads of a row, at most */
    EVENT_FIELDS = 16,            /* of a row, unknown ones included */
    EVENT_PAIRS = 32,             /* of its data, at most */
    EVENT_READ_BYTES = 64 * 1024, /* of one answer to event_read, about */
};

struct event event_begin(struct step *step, const char *type, size_t cap)
{
    return (struct event){.type = type, .data = step_writer(step, cap)};
}

void event_str(struct event *event, const char *key, struct slice text)
{
    pack_str(&event->data, key);
    pack_str_slice(&event->data, text);
    event->pairs++;
}

void event_text(struct event *event, const char *key, const char *text)
{
    pack_str(&event->data, key);
    pack_str(&event->data, text);
    event->pairs++;
}

void event_uint(struct event *event, const char *key, uint64_t v)
{
    pack_str(&event->data, key);
    pack_uint(&event->data, v);
    event->pairs++;
}

void event_message(struct event *event, uint32_t contact, uint64_t order)
{
    event->contact = contact;
    event->order = order;
}

static struct store_key event_key(struct seal_keys *keys, uint64_t cursor)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_u64(&k, cursor);
    return k;
}

/* The event row next to cursor in direction how; *cursor becomes its own. */
static enum err event_seek(struct turn *turn, struct seal_keys *keys, enum store_seek how,
                           uint64_t *cursor, struct store_row *row)
{
    struct store_key k = event_key(keys, *cursor);
    struct slice prefix = slice_of(k.b, sizeof(uint32_t));
    enum err err =
        store_seek_prefix(turn->store, STORE_EVENT, how, store_key_slice(&k), prefix, row);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(row->key);
    (void)reader_u32(&r);
    *cursor = reader_u64(&r);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

enum err event_range(struct turn *turn, struct seal_keys *keys, uint64_t *first, uint64_t *last)
{
    struct store_row row;
    uint64_t low = 0;
    uint64_t high = UINT64_MAX;
    *first = 0;
    *last = 0;
    enum err err = event_seek(turn, keys, STORE_GE, &low, &row);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    err = event_seek(turn, keys, STORE_LE, &high, &row);
    if (err == ERR_OK) {
        *first = low;
        *last = high;
    }
    return err;
}

enum err event_commit(struct step *step, struct seal_keys *keys, struct event *event)
{
    if (event->data.err != ERR_OK) {
        return event->data.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    uint64_t first;
    uint64_t last;
    enum err err = event_range(step->turn, keys, &first, &last);
    if (err != ERR_OK) {
        return err;
    }
    struct writer w = step_writer(step, event->data.len + EVENT_ROW_HEAD);
    pack_map(&w, event->contact != 0 ? 5 : 3);
    pack_uint(&w, 0);
    pack_str(&w, event->type);
    pack_uint(&w, 1);
    pack_uint(&w, step_now(step));
    pack_uint(&w, 2);
    pack_map(&w, event->pairs);
    writer_slice(&w, writer_done(&event->data));
    if (event->contact != 0) {
        pack_uint(&w, 3);
        pack_uint(&w, event->contact);
        pack_uint(&w, 4);
        pack_uint(&w, event->order);
    }
    if (w.err != ERR_OK) {
        return w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    struct store_key k = event_key(keys, last + 1);
    err = seal_put(keys, step->turn, STORE_EVENT, store_key_slice(&k), SEAL_BUCKET_ACCOUNT,
                   writer_done(&w));
    return err == ERR_OK ? step_event(step, seal_keys_account(keys), last + 1) : err;
}

/* One opened event row. */
struct event_row {
    struct slice type;
    uint64_t time;
    uint32_t pairs;    /* of data, */
    struct slice data; /* without the map's head */
    uint32_t contact;  /* of the message that it is about; 0: none */
    uint64_t order;
};

static enum err event_open(struct turn *turn, struct seal_keys *keys, uint64_t cursor,
                           const struct store_row *row, struct event_row *out)
{
    struct store_key k = event_key(keys, cursor);
    struct slice plain;
    enum err err = seal_open(keys, turn, STORE_EVENT, store_key_slice(&k), row->value, &plain);
    if (err != ERR_OK) {
        return err;
    }
    struct reader r = reader_of(plain);
    struct pack_fields f = pack_fields_begin(&r, EVENT_FIELDS);
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            out->type = pack_read_str(&r, 64);
            break;
        case 1:
            out->time = pack_read_uint(&r, UINT64_MAX);
            break;
        case 2: {
            struct reader head = r;
            out->pairs = pack_read_map(&head, EVENT_PAIRS);
            pack_skip(&r, 4);
            if (head.err != ERR_OK || r.err != ERR_OK) {
                return ERR_CORRUPT;
            }
            out->data = slice_of(r.p + head.pos, r.pos - head.pos);
            break;
        }
        case 3:
            out->contact = (uint32_t)pack_read_uint(&r, UINT32_MAX);
            break;
        case 4:
            out->order = pack_read_uint(&r, UINT64_MAX);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 7);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

enum err event_trim(struct step *step, struct seal_keys *keys, bool *more)
{
    uint64_t first;
    uint64_t last;
    enum err err = event_range(step->turn, keys, &first, &last);
    uint64_t oldest = step_now(step) - LIMIT_EVENT_DAYS * LIMIT_DAY_MS;
    *more = false;
    for (unsigned i = 0; err == ERR_OK && first < last; i++) {
        if (i == LIMIT_SWEEP_ROWS) {
            *more = true;
            return ERR_OK;
        }
        struct store_row row;
        struct event_row event = {.time = 0};
        uint64_t cursor = first;
        err = event_seek(step->turn, keys, STORE_GE, &cursor, &row);
        if (err != ERR_OK) {
            return err;
        }
        err = event_open(step->turn, keys, cursor, &row, &event);
        if (err != ERR_OK) {
            return err;
        }
        if (last - cursor < LIMIT_EVENT_ROWS && event.time >= oldest) {
            return ERR_OK;
        }
        struct store_key k = event_key(keys, cursor);
        err = store_del(step->turn->store, STORE_EVENT, store_key_slice(&k));
        first = cursor + 1;
    }
    return err;
}

/* The text of the message that it is about. *there: the history has it, undamaged. */
static enum err event_text_of(struct turn *turn, struct seal_keys *keys,
                              const struct event_row *event, struct slice *text, bool *there)
{
    struct step step = {.turn = turn};
    struct message_row row;
    struct content content;
    *there = false;
    if (event->contact == 0) {
        return ERR_OK;
    }
    enum err err = message_row_get(&step, keys, event->contact, event->order, &row);
    if (err == ERR_OK && content_decode(row.content, &content) != ERR_OK) {
        err = ERR_CORRUPT;
    }
    if (err == ERR_OK) {
        *there = true;
        *text = content.text;
    }
    return err == ERR_NOT_FOUND || err == ERR_CORRUPT ? ERR_OK : err;
}

/* Writes one event as clients see it; text: NULL, or what goes with its data. */
static void event_write(struct writer *w, uint32_t account, uint64_t cursor,
                        const struct event_row *event, const struct slice *text)
{
    pack_map(w, 5);
    pack_str(w, "cursor");
    pack_uint(w, cursor);
    pack_str(w, "type");
    pack_str_slice(w, event->type);
    pack_str(w, "time");
    pack_uint(w, event->time);
    pack_str(w, "account");
    pack_uint(w, account);
    pack_str(w, "data");
    pack_map(w, event->pairs + (text != NULL));
    writer_slice(w, event->data);
    if (text != NULL) {
        pack_str(w, "text");
        pack_str_slice(w, *text);
    }
}

enum err event_read(struct turn *turn, struct seal_keys *keys, uint64_t since, uint64_t limit,
                    struct writer *w)
{
    uint64_t first;
    uint64_t last;
    enum err err = event_range(turn, keys, &first, &last);
    uint8_t *list = arena_alloc(turn->arena, EVENT_READ_BYTES);
    if (err != ERR_OK || list == NULL) {
        return err != ERR_OK ? err : ERR_NO_MEMORY;
    }
    struct writer events = writer_of(list, EVENT_READ_BYTES);
    uint32_t count = 0;
    uint64_t cursor = since;
    while (count < limit && cursor < last) {
        struct store_row row;
        struct event_row event = {.time = 0};
        struct slice text;
        bool there = false;
        err = event_seek(turn, keys, STORE_GT, &cursor, &row);
        if (err == ERR_OK) {
            err = event_open(turn, keys, cursor, &row, &event);
        }
        if (err == ERR_OK) {
            err = event_text_of(turn, keys, &event, &text, &there);
        }
        if (err != ERR_OK) {
            return err;
        }
        struct writer before = events;
        event_write(&events, seal_keys_account(keys), cursor, &event, there ? &text : NULL);
        if (events.err != ERR_OK) {
            events = before; /* the next answer begins with it */
            break;
        }
        count++;
    }
    pack_map(w, 3);
    pack_str(w, "events");
    pack_array(w, count);
    writer_slice(w, writer_done(&events));
    pack_str(w, "first");
    pack_uint(w, first);
    pack_str(w, "last");
    pack_uint(w, last);
    return ERR_OK;
}

/* account | keyed hash of the name. */
static struct store_key consumer_key(struct seal_keys *keys, struct slice name)
{
    uint8_t hash[SEAL_NAME];
    seal_name(keys, "petrel/1 consumer name", name, hash);
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    store_key_bytes(&k, hash, sizeof hash);
    return k;
}

enum err event_consumer_get(struct turn *turn, struct seal_keys *keys, struct slice name,
                            uint64_t *cursor)
{
    struct store_key k = consumer_key(keys, name);
    struct slice plain;
    *cursor = 0;
    enum err err = seal_get(keys, turn, STORE_CONSUMER, store_key_slice(&k), &plain);
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    struct reader r = reader_of(plain);
    uint64_t v = reader_u64(&r);
    if (err == ERR_OK && reader_end(&r) != ERR_OK) {
        err = ERR_CORRUPT;
    }
    if (err == ERR_OK) {
        *cursor = v;
    }
    return err;
}

/* Whether LIMIT_CONSUMERS names are there. */
static enum err consumers_full(struct step *step, struct seal_keys *keys, bool *full)
{
    struct store_key k = store_key_new();
    store_key_u32(&k, seal_keys_account(keys));
    struct store_key prefix = k;
    struct store_row row;
    unsigned count = 0;
    enum err err = ERR_OK;
    while (count < LIMIT_CONSUMERS) {
        err = store_seek_prefix(step->turn->store, STORE_CONSUMER, STORE_GT, store_key_slice(&k),
                                store_key_slice(&prefix), &row);
        if (err != ERR_OK) {
            break;
        }
        k = store_key_new();
        store_key_bytes(&k, row.key.p, row.key.len);
        count++;
    }
    *full = count == LIMIT_CONSUMERS;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err event_consumer_ack(struct step *step, struct seal_keys *keys, struct slice name,
                            uint64_t cursor)
{
    uint64_t first;
    uint64_t last;
    uint64_t now;
    bool full = false;
    enum err err = event_range(step->turn, keys, &first, &last);
    if (err == ERR_OK) {
        err = event_consumer_get(step->turn, keys, name, &now);
    }
    if (err == ERR_OK && now == 0) {
        err = consumers_full(step, keys, &full);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (cursor > last || name.len == 0 || name.len > LIMIT_CONSUMER_NAME) {
        return ERR_ARGUMENT;
    }
    if (full) {
        return ERR_BACKPRESSURE;
    }
    if (cursor <= now) {
        return ERR_OK;
    }
    struct store_key k = consumer_key(keys, name);
    struct store_key value = store_key_new();
    store_key_u64(&value, cursor);
    return seal_put(keys, step->turn, STORE_CONSUMER, store_key_slice(&k), SEAL_BUCKET_ACCOUNT,
                    store_key_slice(&value));
}
