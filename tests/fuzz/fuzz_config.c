/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_config: daemon/config.h. What is accepted is printed, and what is printed is accepted again
 * with the same values.
 * decodes: daemon/config.c
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->value[i], b->value[i]) == 0;
    }
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char text[65536];
    char reason[CONFIG_REASON];
    struct config config;
    struct config again;
    config_init(&config);
    if (config_parse(&config, slice_of(data, len), "file", reason) != ERR_OK) {
        return 0;
    }
    FILE *f = fmemopen(text, sizeof text, "w");
    if (f == NULL) {
        return 0;
    }
    config_print(&config, f);
    long printed = ftell(f);
    fclose(f);
    config_init(&again);
    if (config_parse(&again, slice_of(text, (size_t)printed), "again", reason) != ERR_OK) {
        abort();
    }
    if (!same_list(&config.lists[CONFIG_LIST_RULES], &again.lists[CONFIG_LIST_RULES]) ||
        !same_list(&config.lists[CONFIG_LIST_HOSTS], &again.lists[CONFIG_LIST_HOSTS])) {
        abort();
    }
    for (int i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(config.value[i], again.value[i]) != 0) {
            abort();
        }
    }
    return 0;
}
