/* SPDX-License-Identifier: Apache-2.0
 *
 * e2e_search PATTERNS FILE...: where any of many strings of bytes stands in files of any size.
 *
 * PATTERNS: one a line in hex, at least 8 bytes each. Prints "PATTERN FILE OFFSET" for each place,
 * numbers of lines and of arguments from 0; at most 1,000 places of a pattern in a file. Eight
 * bytes at every offset are looked up in a bit map of the beginnings of all patterns, then in a
 * table.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEAD = 8,       /* bytes that are looked up */
    MAP_BITS = 20,  /* of the bit map's index, and of the table's */
    LONGEST = 4096, /* pattern, bytes */
    PLACES = 1000,
};

struct pattern {
    uint8_t *bytes;
    size_t len;
    long next; /* in the same slot of the table; -1: none */
    int places;
};

struct patterns {
    struct pattern *all;
    size_t count;
    uint64_t map[1 << (MAP_BITS - 6)];
    long table[1 << MAP_BITS];
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint32_t hash(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return (uint32_t)(v * UINT64_C(0x9e3779b97f4a7c15) >> (64 - MAP_BITS));
}

static void pattern_add(struct patterns *ps, const char *line)
{
    uint8_t bytes[LONGEST];
    size_t len = 0;
    unsigned byte;
    while (len < LONGEST && sscanf(line + 2 * len, "%2x", &byte) == 1) {
        bytes[len++] = (uint8_t)byte;
    }
    ps->all = realloc(ps->all, (ps->count + 1) * sizeof *ps->all);
    uint8_t *copy = malloc(len + 1);
    if (ps->all == NULL || copy == NULL || len < HEAD) {
        die("pattern");
    }
    memcpy(copy, bytes, len);
    uint32_t h = hash(copy);
    ps->all[ps->count] = (struct pattern){.bytes = copy, .len = len, .next = ps->table[h]};
    ps->table[h] = (long)ps->count++;
    ps->map[h >> 6] |= UINT64_C(1) << (h & 63);
}

static void patterns_read(struct patterns *ps, const char *path)
{
    static char line[2 * LONGEST + 2];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        die(path);
    }
    for (size_t i = 0; i < sizeof ps->table / sizeof ps->table[0]; i++) {
        ps->table[i] = -1;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        pattern_add(ps, line);
    }
    fclose(file);
}

static void look(struct patterns *ps, int file, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + HEAD <= len; i++) {
        uint32_t h = hash(bytes + i);
        if ((ps->map[h >> 6] >> (h & 63) & 1) == 0) {
            continue;
        }
        for (long n = ps->table[h]; n >= 0; n = ps->all[n].next) {
            struct pattern *p = &ps->all[n];
            if (p->len <= len - i && p->places < PLACES &&
                memcmp(bytes + i, p->bytes, p->len) == 0) {
                p->places++;
                printf("%ld %d %zu\n", n, file, i);
            }
        }
    }
}

static void look_in(struct patterns *ps, int file, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        die(path);
    }
    size_t len = (size_t)st.st_size;
    for (size_t i = 0; i < ps->count; i++) {
        ps->all[i].places = 0;
    }
    if (len > 0) {
        void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) {
            die(path);
        }
        look(ps, file, bytes, len);
        munmap(bytes, len);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    static struct patterns ps;
    if (argc < 3) {
        fprintf(stderr, "usage: e2e_search PATTERNS FILE...\n");
        return 2;
    }
    patterns_read(&ps, argv[1]);
    for (int i = 2; i < argc; i++) {
        look_in(&ps, i - 2, argv[i]);
    }
    for (size_t i = 0; i < ps.count; i++) {
        free(ps.all[i].bytes);
    }
    free(ps.all);
    return 0;
}
