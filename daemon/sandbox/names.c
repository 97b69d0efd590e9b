/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sandbox/names.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char SWITCH_FILE[] = "/etc/nsswitch.conf";

enum {
    SWITCH_BYTES = 16384, /* as much of it is read */
};

const char *const *names_paths(void)
{
    static const char *const paths[] = {
        "/etc",
        /* These may be links that lead out of it; */
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/nsswitch.conf",
        "/etc/host.conf",
        "/etc/gai.conf",
        /* and those who write the first keep it here. */
        "/run/systemd/resolve",
        "/run/resolvconf",
        "/run/NetworkManager",
        "/run/connman",
        NULL,
    };
    return paths;
}

/* What of a line is behind "hosts:" and before a comment; empty for other lines. */
static struct slice hosts_of(struct slice line)
{
    static const char key[] = "hosts:";
    const uint8_t *comment = memchr(line.p, '#', line.len);
    size_t len = comment != NULL ? (size_t)(comment - line.p) : line.len;
    size_t at = 0;
    while (at < len && (line.p[at] == ' ' || line.p[at] == '\t')) {
        at++;
    }
    if (len - at < sizeof key - 1 || memcmp(line.p + at, key, sizeof key - 1) != 0) {
        return slice_of(NULL, 0);
    }
    at += sizeof key - 1;
    return slice_of(line.p + at, len - at);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Whether libc has to load a library for it. No slash: it is looked for, and is no path. */
static bool is_loaded(struct slice word)
{
    return !slice_equal(word, slice_of("files", 5)) && !slice_equal(word, slice_of("dns", 3)) &&
           memchr(word.p, '/', word.len) == NULL && memchr(word.p, '\0', word.len) == NULL;
}

/* "mdns4 [NOTFOUND=return] dns": words are modules, brackets say what to do after them. */
static size_t modules_of(struct slice hosts, char out[NAMES_MODULES][NAMES_MODULE], size_t count)
{
    size_t at = 0;
    while (at < hosts.len && count < NAMES_MODULES) {
        size_t begin = at++;
        if (hosts.p[begin] == '[') {
            while (at < hosts.len && hosts.p[at - 1] != ']') {
                at++;
            }
        } else if (!is_blank(hosts.p[begin])) {
            while (at < hosts.len && !is_blank(hosts.p[at]) && hosts.p[at] != '[') {
                at++;
            }
            struct slice word = slice_of(hosts.p + begin, at - begin);
            int n = snprintf(out[count], NAMES_MODULE, "libnss_%.*s.so.2", (int)word.len,
                             (const char *)word.p);
            count += is_loaded(word) && n > 0 && n < NAMES_MODULE ? 1 : 0;
        }
    }
    return count;
}

size_t names_modules(struct slice text, char out[NAMES_MODULES][NAMES_MODULE])
{
    size_t count = 0;
    size_t at = 0;
    while (at < text.len) {
        const uint8_t *newline = memchr(text.p + at, '\n', text.len - at);
        size_t end = newline != NULL ? (size_t)(newline - text.p) : text.len;
        struct slice hosts = hosts_of(slice_of(text.p + at, end - at));
        count = modules_of(hosts, out, count);
        at = end + 1;
    }
    return count;
}

size_t names_load(void)
{
    char modules[NAMES_MODULES][NAMES_MODULE];
    char text[SWITCH_BYTES];
    FILE *file = fopen(SWITCH_FILE, "re");
    if (file == NULL) {
        return 0; /* libc then does with what it has itself */
    }
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    size_t count = names_modules(slice_of(text, len), modules);
    size_t loaded = 0;
    for (size_t i = 0; i < count; i++) {
        const void *module = dlopen(modules[i], RTLD_NOW); /* and never closed */
        loaded += module != NULL ? 1 : 0;
    }
    return loaded;
}
