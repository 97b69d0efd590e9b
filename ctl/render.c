/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/render.h"

#include <string.h>
#include <time.h>

/* One code point of valid UTF-8, and its length in bytes. */
static uint32_t code_point(struct slice s, size_t at, size_t *len)
{
    static const uint8_t masks[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint8_t b = s.p[at];
    size_t n = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    uint32_t c = b & masks[n];
    for (size_t i = 1; i < n; i++) {
        c = c << 6 | (s.p[at + i] & 0x3f);
    }
    *len = n;
    return c;
}

/* Whether c could do something to a terminal or to how the rest of a line reads. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || /* C0, DEL, C1 */
           c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || /* direction */
           c == 0x2028 || c == 0x2029 ||   /* line and paragraph separator */
           c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f); /* tags */
}

static void render(FILE *out, struct slice text, const char *indent)
{
    if (!pack_utf8_valid(text)) {
        fputs("<not UTF-8>", out);
        return;
    }
    for (size_t i = 0; i < text.len;) {
        size_t n = 1;
        uint32_t c = code_point(text, i, &n);
        if (c == '\n' && indent != NULL) {
            fprintf(out, "\n%s", indent);
        } else if (is_unsafe(c)) {
            fprintf(out, "<U+%04X>", (unsigned)c);
        } else {
            fwrite(text.p + i, 1, n, out);
        }
        i += n;
    }
}

void render_text(FILE *out, struct slice text)
{
    render(out, text, NULL);
}

void render_lines(FILE *out, struct slice text, const char *indent)
{
    render(out, text, indent);
}

void render_time(FILE *out, uint64_t unix_ms)
{
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(unix_ms / 1000);
    if (localtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)unix_ms);
    }
    fputs(text, out);
}

void render_field(FILE *out, struct slice map, const char *name, const char *label)
{
    struct slice text;
    uint64_t number;
    bool truth;
    if (control_get_str(map, name, &text)) {
        if (text.len > 0) {
            fprintf(out, "%-10s ", label);
            render_text(out, text);
            fputc('\n', out);
        }
    } else if (control_get_uint(map, name, &number)) {
        fprintf(out, "%-10s %llu\n", label, (unsigned long long)number);
    } else if (control_get_bool(map, name, &truth)) {
        fprintf(out, "%-10s %s\n", label, truth ? "yes" : "no");
    }
}

void render_described(FILE *out, struct slice relay)
{
    uint64_t until;
    uint64_t taken;
    if (!control_get_uint(relay, "described", &until)) {
        return;
    }
    fprintf(out, "%-10s until ", "described");
    render_time(out, until);
    if (control_get_uint(relay, "described_at", &taken)) {
        fputs(", taken ", out);
        render_time(out, taken);
    }
    fputc('\n', out);
}

void render_str(FILE *out, struct slice map, const char *name, const char *fallback)
{
    struct slice text;
    if (control_get_str(map, name, &text) && text.len > 0) {
        render_text(out, text);
    } else {
        fputs(fallback, out);
    }
}

struct render_list render_list_of(struct slice map, const char *name)
{
    struct slice array = {0};
    struct render_list list = {.r = reader_of(array)};
    if (control_get(map, name, &array)) {
        list.r = reader_of(array);
        list.left = pack_read_array(&list.r, LIMIT_CONTROL_MESSAGE);
    }
    return list;
}

bool render_list_next(struct render_list *list, struct slice *item)
{
    if (list->left == 0) {
        return false;
    }
    list->left--;
    size_t start = list->r.pos;
    pack_skip(&list->r, CONTROL_DEPTH);
    *item = slice_of(list->r.p + start, list->r.pos - start);
    return list->r.err == ERR_OK;
}
