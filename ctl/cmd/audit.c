/* SPDX-License-Identifier: Apache-2.0
 *
 * audit: relay audit: what relays signed for and did not deliver.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/render.h"

enum {
    AUDIT_LINE = 8192, /* one item as JSON, at most */
    AUDIT_CURSOR = 64,
};

/* How many items are in each state, in the order of STATES. */
struct tally {
    unsigned long count[4];
};

static const struct {
    const char *state;
    const char *said; /* for people */
} STATES[] = {
    {"waiting", "waiting"},
    {"missed", "missed"},
    {"expired", "expired"},
    {"given-up", "given up"},
};

static void print_item(struct slice item, struct tally *tally)
{
    struct slice state = slice_of(NULL, 0);
    uint64_t made = 0;
    uint64_t until = 0;
    uint64_t heard = 0;
    const char *said = "?";
    (void)control_get_str(item, "state", &state);
    (void)control_get_uint(item, "signed", &made);
    (void)control_get_uint(item, "until", &until);
    for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++) {
        if (slice_equal(state, slice_of(STATES[i].state, strlen(STATES[i].state)))) {
            tally->count[i]++;
            said = STATES[i].said;
        }
    }
    printf("%-8s  message ", said);
    render_str(stdout, item, "message", "?");
    fputs("\n          for ", stdout);
    render_str(stdout, item, "contact", "?");
    fputs("\n          at ", stdout);
    render_str(stdout, item, "address", "?");
    fputs("\n          signed ", stdout);
    render_time(stdout, made);
    fputs(", to be kept until ", stdout);
    render_time(stdout, until);
    if (control_get_uint(item, "heard", &heard)) {
        fputs("; they were there ", stdout);
        render_time(stdout, heard);
    }
    fputc('\n', stdout);
}

static void print_tally(const struct tally *tally)
{
    unsigned long all = 0;
    for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++) {
        all += tally->count[i];
    }
    printf("%lu signed for and not delivered: ", all);
    for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++) {
        printf("%s%lu %s", i == 0 ? "" : ", ", tally->count[i], STATES[i].said);
    }
    fputc('\n', stdout);
}

/* Every item, page by page. */
static int print_all(struct ctl *ctl, struct tally *tally)
{
    char next[AUDIT_CURSOR] = "";
    int rc = EXIT_OK;
    do {
        struct slice result;
        struct slice item;
        struct slice cursor = slice_of(NULL, 0);
        client_begin(ctl->client);
        client_text(ctl->client, "after", next[0] != '\0' ? next : NULL);
        rc = client_call(ctl->client, "relay.audit", ctl->args->json, &result);
        if (rc == EXIT_OK && ctl->args->json) {
            rc = json_print_each(result, "items");
        }
        if (rc != EXIT_OK) {
            return rc;
        }
        struct render_list list = render_list_of(result, "items");
        while (!ctl->args->json && render_list_next(&list, &item)) {
            print_item(item, tally);
        }
        next[0] = '\0';
        if (control_get_str(result, "next", &cursor) && cursor.len < sizeof next) {
            memcpy(next, cursor.p, cursor.len);
            next[cursor.len] = '\0';
        }
    } while (next[0] != '\0');
    return EXIT_OK;
}

/* --- checking what somebody shows --- */

/* Checks one line of what --json prints. */
static int verify_line(struct ctl *ctl, const char *line, unsigned long number)
{
    static const char *const names[] = {"relay", "queue", "envelope", "receipt"};
    struct slice result;
    json_t *item = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    int rc = EXIT_OK;
    client_begin(ctl->client);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = json_string_value(json_object_get(item, names[i]));
        if (value == NULL) {
            rc = EXIT_USAGE;
        }
        client_text(ctl->client, names[i], value);
    }
    json_decref(item);
    if (rc != EXIT_OK) {
        fprintf(stderr, "petrelctl: line %lu is not an item of 'relay audit --json'\n", number);
        return rc;
    }
    rc = client_call(ctl->client, "relay.verify", ctl->args->json, &result);
    if (rc != EXIT_OK) {
        fprintf(stderr, "petrelctl: line %lu does not verify\n", number);
    }
    return rc;
}

static int verify_lines(struct ctl *ctl, FILE *in)
{
    char line[AUDIT_LINE];
    unsigned long number = 0;
    while (fgets(line, sizeof line, in) != NULL) {
        int rc = verify_line(ctl, line, ++number);
        if (rc != EXIT_OK) {
            return rc;
        }
    }
    if (ferror(in) || number == 0) {
        fputs("petrelctl: there is nothing to verify\n", stderr);
        return ferror(in) ? EXIT_LOCAL : EXIT_USAGE;
    }
    if (!ctl->args->json) {
        printf("%lu %s\n", number, number == 1 ? "receipt verifies" : "receipts verify");
    }
    return EXIT_OK;
}

static int verify(struct ctl *ctl, const char *path)
{
    if (strcmp(path, "-") == 0) {
        return verify_lines(ctl, stdin);
    }
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        fprintf(stderr, "petrelctl: cannot read '%s'\n", path);
        return EXIT_LOCAL;
    }
    int rc = verify_lines(ctl, in);
    (void)fclose(in);
    return rc;
}

int cmd_relay_audit(struct ctl *ctl, int argc, char **argv)
{
    const char *path = NULL;
    struct tally tally = {.count = {0}};
    const struct args_option options[] = {{"--verify", &path, NULL}};
    int rc = args_command(options, 1, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK && path != NULL) {
        return verify(ctl, path);
    }
    rc = rc == EXIT_OK ? print_all(ctl, &tally) : rc;
    if (rc == EXIT_OK && !ctl->args->json) {
        print_tally(&tally);
    }
    return rc;
}
