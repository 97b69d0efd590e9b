/* SPDX-License-Identifier: Apache-2.0
 *
 * message: send, history, delete, read.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "ctl/command.h"
#include "ctl/input.h"
#include "ctl/json.h"
#include "ctl/render.h"

static int check_text(struct slice text)
{
    if (text.len == 0) {
        fprintf(stderr, "petrelctl: there is no text\n");
    } else if (text.len > LIMIT_TEXT) {
        fprintf(stderr, "petrelctl: the text has %zu bytes, %d is the most\n", text.len,
                (int)LIMIT_TEXT);
    } else if (!pack_utf8_valid(text)) {
        fprintf(stderr, "petrelctl: the text is not UTF-8\n");
    } else {
        return EXIT_OK;
    }
    return EXIT_USAGE;
}

static int send_text(struct ctl *ctl, const char *contact, struct slice text)
{
    struct slice result;
    int rc = check_text(text);
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    client_text(ctl->client, "contact", contact);
    client_str(ctl->client, "text", text);
    rc = client_call(ctl->client, "message.send", ctl->args->json, &result);
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    render_str(stdout, result, "message", "?");
    fputc('\n', stdout);
    return EXIT_OK;
}

int cmd_send(struct ctl *ctl, int argc, char **argv)
{
    size_t len = 0;
    int rc = args_command(NULL, 0, &argc, argv, 2, 2, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    if (strcmp(argv[1], "-") != 0) {
        return send_text(ctl, argv[0], slice_of(argv[1], strlen(argv[1])));
    }
    /* One byte more than allowed, and the newline that may be taken off. */
    const size_t cap = LIMIT_TEXT + 1;
    uint8_t *text = malloc(cap);
    if (text == NULL) {
        return EXIT_LOCAL;
    }
    rc = input_read(STDIN_FILENO, "standard input", text, cap, &len);
    if (rc == EXIT_OK) {
        rc = send_text(ctl, argv[0], slice_of(text, len));
    }
    secret_wipe(text, cap);
    free(text);
    return rc;
}

static void print_message(struct slice item)
{
    uint64_t order = 0;
    uint64_t sent = 0;
    bool mine = false;
    bool gap = false;
    uint64_t deposited = 0;
    struct slice text = {0};
    struct slice type = {0};
    (void)control_get_uint(item, "order", &order);
    (void)control_get_uint(item, "sent", &sent);
    (void)control_get_bool(item, "mine", &mine);
    (void)control_get_bool(item, "gap", &gap);
    printf("%6llu  ", (unsigned long long)order);
    render_time(stdout, sent);
    fputs(mine ? "  -> " : "  <- ", stdout);
    if (control_get_str(item, "type", &type) && slice_equal(type, slice_of("rekeyed", 7))) {
        fputs("new keys: ", stdout);
    }
    if (control_get_str(item, "text", &text)) {
        render_lines(stdout, text, "                                ");
    } else {
        fputc('(', stdout);
        render_str(stdout, item, "type", "?");
        fputc(')', stdout);
    }
    if (mine) {
        fputs("  [", stdout);
        render_str(stdout, item, "state", "?");
        fputc(']', stdout);
    } else if (control_get_uint(item, "deposited", &deposited) && deposited != 0) {
        fputs("  [at the relay ", stdout);
        render_time(stdout, deposited);
        fputs(gap ? "; an earlier one was missing]" : "]", stdout);
    }
    fputc('\n', stdout);
}

int cmd_history(struct ctl *ctl, int argc, char **argv)
{
    const char *limit = NULL;
    const char *before = NULL;
    uint64_t limit_n = 0;
    uint64_t before_n = 0;
    struct slice result;
    struct slice item;
    const struct args_option options[] = {{"--limit", &limit, NULL}, {"--before", &before, NULL}};
    int rc = args_command(options, 2, &argc, argv, 1, 1, ctl->usage);
    rc = rc == EXIT_OK && limit != NULL ? args_number("--limit", limit, &limit_n) : rc;
    rc = rc == EXIT_OK && before != NULL ? args_number("--before", before, &before_n) : rc;
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    client_text(ctl->client, "contact", argv[0]);
    if (limit != NULL) {
        client_uint(ctl->client, "limit", limit_n);
    }
    if (before != NULL) {
        client_uint(ctl->client, "before", before_n);
    }
    rc = client_call(ctl->client, "message.history", ctl->args->json, &result);
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print_each(result, "messages");
    }
    struct render_list list = render_list_of(result, "messages");
    while (render_list_next(&list, &item)) {
        print_message(item);
    }
    return EXIT_OK;
}

int cmd_delete(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    uint64_t order = 0;
    int rc = args_command(NULL, 0, &argc, argv, 2, 2, ctl->usage);
    rc = rc == EXIT_OK ? args_number("ORDER", argv[1], &order) : rc;
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    client_text(ctl->client, "contact", argv[0]);
    client_uint(ctl->client, "order", order);
    rc = client_call(ctl->client, "message.delete", ctl->args->json, &result);
    return rc == EXIT_OK && ctl->args->json ? json_print(result) : rc;
}

int cmd_read(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    uint64_t order = 0;
    int rc = args_command(NULL, 0, &argc, argv, 1, 2, ctl->usage);
    rc = rc == EXIT_OK && argc == 2 ? args_number("ORDER", argv[1], &order) : rc;
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    client_text(ctl->client, "contact", argv[0]);
    if (argc == 2) {
        client_uint(ctl->client, "order", order);
    }
    rc = client_call(ctl->client, "message.read", ctl->args->json, &result);
    return rc == EXIT_OK && ctl->args->json ? json_print(result) : rc;
}
