/* SPDX-License-Identifier: Apache-2.0
 *
 * replay: runs a fuzz target over every file of its corpus folder, where libFuzzer is not linked.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (f == NULL || fstat(fileno(f), &st) != 0) {
        perror(path);
        return -1;
    }
    size_t len = (size_t)st.st_size;
    uint8_t *data = malloc(len + 1);
    if (data == NULL || fread(data, 1, len, f) != len) {
        perror(path);
        return -1;
    }
    fclose(f);
    (void)LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (dir == NULL) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER (it must exist)\n", argv[0]);
        return EXIT_FAILURE;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        struct stat st;
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            if (replay_file(path) != 0) {
                return EXIT_FAILURE;
            }
            files++;
        }
    }
    closedir(dir);
    printf("%s: %u files replayed\n", argv[1], files);
    return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
