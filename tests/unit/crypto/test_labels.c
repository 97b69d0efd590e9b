/* SPDX-License-Identifier: Apache-2.0
 *
 * Every label "petrel/1 <name>" in the sources has its line in the table of labels
 * (docs/protocol/02-crypto.md, section 2.1), and no label has two.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/unit.h"

enum {
    PATH = 4096,
    LABEL = 64,
    FOLDERS = 256, /* that wait to be read */
};

static char *file_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    ck_assert_msg(f != NULL && fstat(fileno(f), &st) == 0, "cannot open %s", path);
    size_t len = (size_t)st.st_size;
    char *text = malloc(len + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(fread(text, 1, len, f), len);
    text[len] = '\0';
    fclose(f);
    return text;
}

static unsigned rows_of(const char *document, const char *label)
{
    char row[LABEL + 8];
    snprintf(row, sizeof row, "\n| `%s` |", label);
    unsigned rows = 0;
    for (const char *at = strstr(document, row); at != NULL; at = strstr(at + 1, row)) {
        rows++;
    }
    return rows;
}

/* Checks every string literal of the file that begins with the prefix; returns how many. */
static unsigned file_check(const char *path, const char *document)
{
    static const char prefix[] = "\"petrel/1 ";
    char *text = file_read(path);
    unsigned labels = 0;
    for (const char *at = strstr(text, prefix); at != NULL; at = strstr(at + 1, prefix)) {
        const char *name = at + sizeof prefix - 1;
        char label[LABEL] = "petrel/1 ";
        size_t len = strlen(label);
        for (const char *c = name; islower((unsigned char)*c) || strchr(" -", *c) != NULL; c++) {
            if (*c == '\0' || len + 1 == sizeof label) {
                break;
            }
            label[len++] = *c;
        }
        if (*name == '<') {
            continue; /* "petrel/1 <name>" of a comment */
        }
        ck_assert_msg(rows_of(document, label) == 1,
                      "%s: \"%s\" has %u rows in docs/protocol/02-crypto.md, section 2.1", path,
                      label, rows_of(document, label));
        labels++;
    }
    free(text);
    return labels;
}

/* Every name in an LMDB key is hashed under a label of the table too. */
static unsigned names_check(const char *path)
{
    static const char call[] = "seal_name(";
    static const char prefix[] = "\"petrel/1 ";
    char *text = file_read(path);
    unsigned names = 0;
    for (const char *at = strstr(text, call); at != NULL; at = strstr(at + 1, call)) {
        const char *label = strchr(at, '"');
        const char *end = strchr(at, ';');
        bool itself = strncmp(at + strlen(call), "struct ", 7) == 0; /* not a call */
        if (itself || label == NULL || end == NULL || label > end) {
            continue;
        }
        ck_assert_msg(strncmp(label, prefix, strlen(prefix)) == 0, "%s: a name's label is %.20s",
                      path, label);
        names++;
    }
    free(text);
    return names;
}

static bool is_source(const char *name)
{
    size_t len = strlen(name);
    return len > 2 && name[len - 2] == '.' && (name[len - 1] == 'c' || name[len - 1] == 'h');
}

static unsigned tree_check(const char *root, const char *document, unsigned *names)
{
    static char folders[FOLDERS][PATH];
    unsigned waiting = 1;
    unsigned labels = 0;
    snprintf(folders[0], PATH, "%s", root);
    while (waiting > 0) {
        char folder[PATH];
        memcpy(folder, folders[--waiting], PATH);
        DIR *dir = opendir(folder);
        ck_assert_msg(dir != NULL, "cannot open %s", folder);
        for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
            char path[PATH + 512];
            struct stat st;
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            if (e->d_name[0] == '.' || stat(path, &st) != 0) {
                continue;
            }
            if (S_ISDIR(st.st_mode)) {
                ck_assert_uint_lt(waiting, FOLDERS);
                ck_assert_uint_lt(strlen(path), PATH);
                memcpy(folders[waiting++], path, strlen(path) + 1);
            } else if (is_source(e->d_name)) {
                labels += file_check(path, document);
                *names += names_check(path);
            }
        }
        closedir(dir);
    }
    return labels;
}

START_TEST(every_label_of_the_sources_is_in_the_table)
{
    char *document = file_read(PETREL_SOURCE_DIR "/docs/protocol/02-crypto.md");
    unsigned names = 0;
    unsigned labels = tree_check(PETREL_SOURCE_DIR "/proto", document, &names) +
                      tree_check(PETREL_SOURCE_DIR "/daemon", document, &names);
    printf("labels: %u uses checked, %u of them of names\n", labels, names);
    ck_assert_uint_gt(labels, 0);
    ck_assert_uint_gt(names, 0);
    free(document);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, every_label_of_the_sources_is_in_the_table);
}

int main(void)
{
    return unit_main("crypto/labels", add);
}
