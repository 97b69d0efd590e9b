/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/parts/alter.h"

#include <string.h>

#include "base/limits.h"

enum {
    ITEMS = 512,
    DEPTH = 10,
    KEEP_FROM = 8, /* bytes: shorter ones say nothing about anybody */
    FILL = LIMIT_ENVELOPE,
    MORE_FROM = 10, /* keys behind those that most maps have */
};

/* A value, before all that are inside of it. */
struct item {
    enum pack_type type;
    uint64_t number;    /* UINT, INT, BOOL */
    struct slice bytes; /* BIN, STR */
    bool inside;        /* BIN: what follows is what it holds */
    bool key;           /* of a map */
    unsigned end;       /* the next one that is not inside */
    unsigned parent;
    unsigned depth;
    unsigned times; /* it is written so often; with its value, if it is a key */
    unsigned nest;  /* in so many arrays */
    unsigned more;  /* MAP, ARRAY: one more at the end, of this number; 0: none */
};

struct tree {
    struct item items[ITEMS];
    unsigned count;
    bool failed;
};

/* --- reading --- */

static unsigned tree_read(struct tree *t, struct reader *r, unsigned parent, unsigned depth);

static void read_inside(struct tree *t, struct item *i, unsigned self)
{
    struct reader r = reader_of(i->bytes);
    unsigned before = t->count;
    enum pack_type type = pack_peek(&r);
    if ((type != PACK_MAP && type != PACK_ARRAY) || i->bytes.len < 2 || i->depth + 1 >= DEPTH) {
        return;
    }
    (void)tree_read(t, &r, self, i->depth + 1);
    i->inside = !t->failed && reader_end(&r) == ERR_OK;
    if (!i->inside) {
        t->count = before;
        t->failed = false;
    }
}

static void read_members(struct tree *t, struct reader *r, unsigned self, uint32_t n, bool map)
{
    for (uint32_t k = 0; k < n && !t->failed; k++) {
        unsigned child = tree_read(t, r, self, t->items[self].depth + 1);
        t->items[child].key = map && k % 2 == 0;
    }
}

/* Depth is bounded. */
static unsigned tree_read(struct tree *t, struct reader *r, unsigned parent, unsigned depth)
{
    if (t->count == ITEMS || depth >= DEPTH || r->err != ERR_OK) {
        t->failed = true;
        return 0;
    }
    unsigned self = t->count++;
    struct item *i = &t->items[self];
    *i = (struct item){.type = pack_peek(r), .parent = parent, .depth = depth, .times = 1};
    switch (i->type) {
    case PACK_NIL:
        pack_read_nil(r);
        break;
    case PACK_BOOL:
        i->number = pack_read_bool(r);
        break;
    case PACK_UINT:
        i->number = pack_read_uint(r, UINT64_MAX);
        break;
    case PACK_INT:
        i->number = (uint64_t)pack_read_int(r);
        break;
    case PACK_BIN:
        i->bytes = pack_read_bin(r, SIZE_MAX);
        read_inside(t, i, self);
        break;
    case PACK_STR:
        i->bytes = pack_read_str(r, SIZE_MAX);
        break;
    case PACK_ARRAY:
        read_members(t, r, self, pack_read_array(r, ITEMS), false);
        break;
    case PACK_MAP:
        read_members(t, r, self, 2 * pack_read_map(r, ITEMS / 2), true);
        break;
    case PACK_END:
    case PACK_BAD:
        t->failed = true;
        break;
    }
    t->failed |= r->err != ERR_OK;
    i->end = t->count;
    return self;
}

static bool tree_of(struct tree *t, struct slice in)
{
    struct reader r = reader_of(in);
    t->count = 0;
    t->failed = false;
    (void)tree_read(t, &r, 0, 0);
    return !t->failed && reader_end(&r) == ERR_OK;
}

/* --- writing --- */

static void tree_write(const struct tree *t, unsigned self, struct writer *w);

static bool has_members(const struct item *i)
{
    return i->type == PACK_ARRAY || i->type == PACK_MAP;
}

static void write_members(const struct tree *t, unsigned self, struct writer *w)
{
    const struct item *i = &t->items[self];
    bool map = i->type == PACK_MAP;
    uint32_t n = i->more > 0;
    for (unsigned k = self + 1; k < i->end; k = t->items[k].end) {
        n += t->items[k].key || !map ? t->items[k].times : 0;
    }
    if (map) {
        pack_map(w, n);
    } else {
        pack_array(w, n);
    }
    for (unsigned k = self + 1; k < i->end;) {
        unsigned next = t->items[k].end;
        unsigned after = map ? t->items[next].end : next;
        for (unsigned times = 0; times < t->items[k].times; times++) {
            tree_write(t, k, w);
            if (map) {
                tree_write(t, next, w);
            }
        }
        k = after;
    }
    if (i->more > 0) {
        pack_uint(w, MORE_FROM + i->more % 128);
    }
    if (i->more > 0 && map) {
        pack_uint(w, i->more / 128);
    }
}

/* The value that a binary holds, in place of its bytes. */
static void write_inside(const struct tree *t, unsigned self, struct writer *w)
{
    static uint8_t room[DEPTH][LIMIT_FRAME];
    uint8_t *p = room[t->items[self].depth];
    struct writer inner = writer_of(p, LIMIT_FRAME);
    tree_write(t, self + 1, &inner);
    if (inner.err != ERR_OK) {
        (void)writer_reserve(w, SIZE_MAX);
        return;
    }
    pack_bin_slice(w, writer_done(&inner));
}

static void tree_write(const struct tree *t, unsigned self, struct writer *w)
{
    const struct item *i = &t->items[self];
    for (unsigned k = 0; k < i->nest; k++) {
        pack_array(w, 1);
    }
    switch (i->type) {
    case PACK_NIL:
    case PACK_END:
    case PACK_BAD:
        pack_nil(w);
        break;
    case PACK_BOOL:
        pack_bool(w, i->number != 0);
        break;
    case PACK_UINT:
        pack_uint(w, i->number);
        break;
    case PACK_INT:
        pack_int(w, (int64_t)i->number);
        break;
    case PACK_BIN:
        if (i->inside) {
            write_inside(t, self, w);
        } else {
            pack_bin_slice(w, i->bytes);
        }
        break;
    case PACK_STR:
        pack_str_slice(w, i->bytes);
        break;
    case PACK_ARRAY:
    case PACK_MAP:
        write_members(t, self, w);
        break;
    }
}

/* --- changing --- */

/* About a power of two, 2^64 among them: most limits are. */
static uint64_t limit_of(uint16_t with)
{
    static const uint64_t beside[] = {0, UINT64_MAX, 1, UINT64_MAX - 2048};
    unsigned bit = with / 4U % 65U;
    return (bit < 64 ? UINT64_C(1) << bit : 0) + beside[with % 4];
}

static bool is_bytes(const struct item *i)
{
    return i->type == PACK_BIN || i->type == PACK_STR;
}

/* The same bytes, cut off or filled up to this length. */
static bool set_length(struct item *i, uint64_t len)
{
    static uint8_t room[FILL];
    if (len > sizeof room) {
        return false;
    }
    size_t same = i->bytes.len < len ? i->bytes.len : (size_t)len;
    memset(room, 'a' + (int)(len % 16), (size_t)len); /* odd and even ones: some are flags */
    if (same > 0) {
        memmove(room, i->bytes.p, same);
    }
    i->bytes = slice_of(room, (size_t)len);
    i->inside = false;
    return i->type == PACK_BIN || pack_utf8_valid(i->bytes);
}

static bool set_number(struct item *i, uint64_t number)
{
    if (is_bytes(i)) {
        return set_length(i, number);
    }
    bool was = i->type == PACK_UINT && i->number == number;
    i->type = PACK_UINT;
    i->number = number;
    return !was;
}

static bool near(struct item *i, uint16_t with)
{
    uint64_t by = (with >> 1) % 64 + 1U;
    uint64_t from = is_bytes(i) ? i->bytes.len : i->number;
    return set_number(i, (with & 1) != 0 ? from + by : from - by);
}

static bool bits(struct item *i, uint16_t with)
{
    static uint8_t room[LIMIT_FRAME];
    if (i->type == PACK_UINT || i->type == PACK_INT) {
        i->number ^= UINT64_C(1) << with % (i->type == PACK_UINT ? 64 : 5);
        return true;
    }
    if (i->type == PACK_BOOL) {
        i->number = i->number == 0;
        return true;
    }
    if (i->type != PACK_BIN || i->bytes.len == 0 || i->bytes.len > sizeof room) {
        return false;
    }
    memcpy(room, i->bytes.p, i->bytes.len);
    room[(with >> 3) % i->bytes.len] ^= (uint8_t)(1U << with % 8);
    i->bytes = slice_of(room, i->bytes.len);
    i->inside = false;
    return true;
}

static bool other(const struct alter_kept *kept, struct item *i, uint16_t with)
{
    size_t have = kept->count < ALTER_KEPT ? kept->count : ALTER_KEPT;
    if (i->type != PACK_BIN || have == 0) {
        return false;
    }
    size_t at = with % have;
    for (size_t k = 0; k < have; k++) {
        size_t candidate = (with + k) % have;
        if (kept->values[candidate].len == i->bytes.len &&
            memcmp(kept->values[candidate].bytes, i->bytes.p, i->bytes.len) != 0) {
            at = candidate;
            break;
        }
    }
    i->bytes = slice_of(kept->values[at].bytes, kept->values[at].len);
    i->inside = false;
    return true;
}

/* The places of these two in their map or array. */
static bool swap(struct tree *t, unsigned self, uint16_t with)
{
    struct item *i = &t->items[self];
    unsigned with_those[ITEMS];
    unsigned n = 0;
    for (unsigned k = i->parent + 1; k < t->items[i->parent].end && k < t->count;
         k = t->items[k].end) {
        if (k != self && !t->items[k].key && t->items[k].end == k + 1) {
            with_those[n++] = k;
        }
    }
    if (i->key || i->end != self + 1 || n == 0) {
        return false;
    }
    struct item *j = &t->items[with_those[with % n]];
    struct item a = *i;
    *i = *j;
    *j = a;
    i->end = self + 1;
    j->end = (unsigned)(j - t->items) + 1;
    return true;
}

/* What is a pair's is its key's. */
static struct item *member_of(struct tree *t, unsigned self)
{
    bool of_map = self > 0 && t->items[t->items[self].parent].type == PACK_MAP;
    unsigned at = self;
    if (of_map && !t->items[self].key) {
        for (at = t->items[self].parent + 1; t->items[at].end != self; at = t->items[at].end) {
        }
    }
    return &t->items[at];
}

static bool become(struct tree *t, unsigned self, uint16_t with)
{
    struct item *i = &t->items[self];
    switch (with % 8) {
    case 0:
        i->type = PACK_NIL;
        return true;
    case 1:
        i->type = PACK_BOOL;
        i->number = with >> 3 & 1;
        return true;
    case 2:
        i->type = PACK_UINT;
        return true;
    case 3:
        i->type = PACK_INT;
        i->number = UINT64_MAX - (with >> 3);
        return true;
    case 4:
        i->bytes = i->type == PACK_STR || i->type == PACK_BIN ? i->bytes : slice_of("", 0);
        i->type = i->type == PACK_BIN && pack_utf8_valid(i->bytes) ? PACK_STR : PACK_BIN;
        i->inside = false;
        return true;
    case 5: /* empty */
    case 6:
        i->type = with % 8 == 5 ? PACK_ARRAY : PACK_MAP;
        for (unsigned k = self + 1; k < i->end; k = t->items[k].end) {
            t->items[k].times = 0;
        }
        return true;
    default:
        i->nest = (with >> 3) % 8 + 1U;
        return true;
    }
}

static bool change(struct tree *t, const struct alter *a, const struct alter_kept *kept,
                   unsigned self)
{
    struct item *i = &t->items[self];
    switch (a->how) {
    case ALTER_NUMBER:
        return !has_members(i) && set_number(i, limit_of(a->with));
    case ALTER_NEAR:
        return !has_members(i) && near(i, a->with);
    case ALTER_BITS:
        return bits(i, a->with);
    case ALTER_OTHER:
        return other(kept, i, a->with);
    case ALTER_SWAP:
        return swap(t, self, a->with);
    case ALTER_DROP:
        member_of(t, self)->times = 0;
        return has_members(&t->items[i->parent]) && self > 0;
    case ALTER_TWICE:
        member_of(t, self)->times = 1U + (1U << a->with % 8U); /* limits are powers of two */
        return has_members(&t->items[i->parent]) && self > 0;
    case ALTER_KEY:
        member_of(t, self)->type = PACK_UINT;
        member_of(t, self)->number = a->with % 40U;
        return member_of(t, self)->key;
    case ALTER_TYPE:
        return become(t, self, a->with);
    case ALTER_MORE:
        i->more = a->with + 1U;
        return has_members(i);
    case ALTER_HOW_COUNT:
        break;
    }
    return false;
}

bool alter_value(const struct alter *a, const struct alter_kept *kept, struct slice in,
                 struct writer *w)
{
    static struct tree t;
    struct writer at = *w;
    if (!tree_of(&t, in)) {
        return false;
    }
    /* Where it cannot be done, it is at the next place where it can. */
    for (unsigned k = 0; k < t.count; k++) {
        if (!change(&t, a, kept, (a->where + k) % t.count)) {
            (void)tree_of(&t, in);
            continue;
        }
        tree_write(&t, 0, &at);
        if (at.err != ERR_OK) {
            return false;
        }
        *w = at;
        return true;
    }
    return false;
}

void alter_keep(struct alter_kept *kept, struct slice value)
{
    static struct tree t;
    if (!tree_of(&t, value)) {
        return;
    }
    for (unsigned k = 0; k < t.count; k++) {
        const struct item *i = &t.items[k];
        if (i->type == PACK_BIN && i->bytes.len >= KEEP_FROM && i->bytes.len <= ALTER_KEPT_BYTES) {
            size_t at = kept->count++ % ALTER_KEPT;
            kept->values[at].len = i->bytes.len;
            memcpy(kept->values[at].bytes, i->bytes.p, i->bytes.len);
        }
    }
}
