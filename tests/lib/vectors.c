/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

static struct tally {
    char file[128];
    unsigned cases;
    unsigned failed;
} tallies[32];

json_t *vectors_load(const char *path)
{
    const char *dir = getenv("PETREL_VECTORS");
    if (dir == NULL || dir[0] == '\0') {
        printf(
            "skipped: PETREL_VECTORS is not set (tests/vectors/SOURCES says where to get them)\n");
        exit(VECTORS_SKIP);
    }
    char full[4096];
    snprintf(full, sizeof full, "%s/%s", dir, path);
    json_error_t error;
    json_t *root = json_load_file(full, 0, &error);
    if (root == NULL) {
        fprintf(stderr, "%s: line %d: %s\n", full, error.line, error.text);
        exit(EXIT_FAILURE);
    }
    return root;
}

struct slice vectors_hex(const json_t *object, const char *member)
{
    const char *hex = json_string_value(json_object_get(object, member));
    size_t n = hex == NULL ? 0 : strlen(hex);
    uint8_t *out = malloc(n / 2 + 1);
    size_t len = 0;
    if (hex == NULL || out == NULL ||
        sodium_hex2bin(out, n / 2 + 1, hex, n, NULL, &len, NULL) != 0 || len * 2 != n) {
        fprintf(stderr, "member %s is missing or no hex\n", member);
        exit(EXIT_FAILURE);
    }
    return slice_of(out, len);
}

void vectors_free(struct slice s)
{
    void *p;
    memcpy(&p, &s.p, sizeof p);
    free(p);
}

void vectors_case(const char *file, const char *what, int ok)
{
    struct tally *t = tallies;
    while (t->file[0] != '\0' && strcmp(t->file, file) != 0) {
        t++;
        if (t == tallies + sizeof tallies / sizeof tallies[0]) {
            fprintf(stderr, "too many files in one vector test\n");
            exit(EXIT_FAILURE);
        }
    }
    snprintf(t->file, sizeof t->file, "%s", file);
    t->cases++;
    if (!ok) {
        t->failed++;
        fprintf(stderr, "FAILED: %s: %s\n", file, what);
    }
}

int vectors_done(void)
{
    unsigned cases = 0;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof tallies / sizeof tallies[0] && tallies[i].file[0] != '\0'; i++) {
        printf("%s: %u cases, %u failed\n", tallies[i].file, tallies[i].cases, tallies[i].failed);
        cases += tallies[i].cases;
        failed += tallies[i].failed;
    }
    return cases > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
