/* SPDX-License-Identifier: Apache-2.0
 *
 * contact: invite, add, requests, accept, block, contacts, verify, resolve.
 */
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "ctl/command.h"
#include "ctl/input.h"
#include "ctl/json.h"
#include "ctl/render.h"

enum {
    NUMBER_DIGITS = 60,   /* of a safety number */
    NUMBER_GROUP = 5,     /* digits between two spaces */
    LINK_MAX = 4096,      /* an invitation on standard input */
    UNREAD_COUNTED = 100, /* the daemon counts so many */
};

/* Makes the call; with --json, or on failure, that is all. */
static bool call(struct ctl *ctl, const char *method, struct slice *result, int *rc)
{
    *rc = client_call(ctl->client, method, ctl->args->json, result);
    if (*rc == EXIT_OK && ctl->args->json) {
        *rc = json_print(*result);
        return false;
    }
    return *rc == EXIT_OK;
}

int cmd_invite(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    uint64_t expires = 0;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    if (!call(ctl, "invite.create", &result, &rc)) {
        return rc;
    }
    render_str(stdout, result, "link", "?");
    fputc('\n', stdout);
    if (control_get_uint(result, "expires", &expires)) {
        fputs("For one person, over a channel that you trust. Valid until ", stderr);
        render_time(stderr, expires);
        fputs(".\n", stderr);
    }
    return EXIT_OK;
}

int cmd_add(struct ctl *ctl, int argc, char **argv)
{
    const char *name = NULL;
    const char *text = NULL;
    uint8_t link[LINK_MAX];
    size_t len = 0;
    struct slice result;
    const struct args_option options[] = {{"--name", &name, NULL}, {"--text", &text, NULL}};
    int rc = args_command(options, 2, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK && strcmp(argv[0], "-") == 0) {
        rc = input_read(STDIN_FILENO, "standard input", link, sizeof link, &len);
    }
    if (rc != EXIT_OK) {
        secret_wipe(link, sizeof link);
        return rc;
    }
    client_begin(ctl->client);
    client_str(ctl->client, "link",
               len > 0 ? slice_of(link, len) : slice_of(argv[0], strlen(argv[0])));
    client_text(ctl->client, "name", name);
    client_text(ctl->client, "text", text);
    secret_wipe(link, sizeof link);
    if (!call(ctl, "contact.add", &result, &rc)) {
        return rc;
    }
    render_str(stdout, result, "id", "?");
    fputs("  ", stdout);
    render_str(stdout, result, "state", "?");
    fputc('\n', stdout);
    return EXIT_OK;
}

int cmd_requests(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    struct slice item;
    uint64_t time = 0;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = client_call(ctl->client, "request.list", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print_each(result, "requests");
    }
    struct render_list list = render_list_of(result, "requests");
    while (render_list_next(&list, &item)) {
        (void)control_get_uint(item, "time", &time);
        render_str(stdout, item, "id", "?");
        fputs("  ", stdout);
        render_time(stdout, time);
        fputs("  ", stdout);
        render_str(stdout, item, "text", "");
        fputc('\n', stdout);
    }
    return EXIT_OK;
}

int cmd_accept(struct ctl *ctl, int argc, char **argv)
{
    const char *name = NULL;
    struct slice result;
    const struct args_option options[] = {{"--name", &name, NULL}};
    int rc = args_command(options, 1, &argc, argv, 1, 1, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    client_text(ctl->client, "contact", argv[0]);
    client_text(ctl->client, "name", name);
    if (call(ctl, "request.accept", &result, &rc)) {
        render_str(stdout, result, "id", "?");
        fputs("  accepted\n", stdout);
    }
    return rc;
}

int cmd_block(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 1, 1, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    client_text(ctl->client, "contact", argv[0]);
    if (call(ctl, "contact.block", &result, &rc)) {
        fputs("blocked\n", stdout);
    }
    return rc;
}

/* What is not the ordinary case: several devices, and what was not read. */
static void print_numbers(struct slice item)
{
    uint64_t devices = 0;
    uint64_t unread = 0;
    if (control_get_uint(item, "devices", &devices) && devices > 1) {
        printf("  %llu devices", (unsigned long long)devices);
    }
    if (control_get_uint(item, "unread", &unread) && unread > 0) {
        printf("  %llu%s unread", (unsigned long long)unread,
               unread >= UNREAD_COUNTED ? " or more" : "");
    }
}

static void print_contact(struct slice item)
{
    bool verified = false;
    bool same_operator = false;
    struct slice trouble;
    struct slice relay;
    (void)control_get_bool(item, "verified", &verified);
    render_str(stdout, item, "id", "?");
    fputs("  ", stdout);
    render_str(stdout, item, "state", "?");
    fputs(verified ? "  verified  " : "  unverified  ", stdout);
    render_str(stdout, item, "name", "");
    fputs("  ", stdout);
    render_str(stdout, item, "way", "?");
    print_numbers(item);
    (void)control_get_bool(item, "same_operator", &same_operator);
    if (same_operator) {
        fputs("  [one operator may see both ends]", stdout);
    }
    if (control_get_str(item, "trouble", &trouble) && trouble.len > 0) {
        fputs("  [", stdout);
        render_text(stdout, trouble);
        if (control_get_str(item, "trouble_relay", &relay) && relay.len > 0) {
            fputs(": ", stdout);
            render_text(stdout, relay);
        }
        fputc(']', stdout);
    }
    fputc('\n', stdout);
}

/* One page of the list; *after: where the next one begins, *more: there is one. */
static int contacts_page(struct ctl *ctl, uint64_t *after, bool *more)
{
    struct slice result;
    struct slice item;
    client_begin(ctl->client);
    client_uint(ctl->client, "after", *after);
    int rc = client_call(ctl->client, "contact.list", ctl->args->json, &result);
    if (rc != EXIT_OK) {
        return rc;
    }
    *more =
        control_get_bool(result, "more", more) && *more && control_get_uint(result, "next", after);
    if (ctl->args->json) {
        return json_print_each(result, "contacts");
    }
    struct render_list list = render_list_of(result, "contacts");
    while (render_list_next(&list, &item)) {
        print_contact(item);
    }
    return EXIT_OK;
}

int cmd_contacts(struct ctl *ctl, int argc, char **argv)
{
    uint64_t after = 0;
    bool more = true;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    while (rc == EXIT_OK && more) {
        more = false;
        rc = contacts_page(ctl, &after, &more);
    }
    return rc;
}

/* The digits of text without spaces and dashes; false when there are too many. */
static bool plain_number(const char *text, char out[static NUMBER_DIGITS + 1])
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        if (*text == ' ' || *text == '-' || *text == '\n') {
            continue;
        }
        if (n == NUMBER_DIGITS) {
            return false;
        }
        out[n++] = *text;
    }
    out[n] = '\0';
    return true;
}

static void print_number(struct slice result)
{
    struct slice number;
    bool verified = false;
    if (control_get_str(result, "number", &number)) {
        for (size_t i = 0; i < number.len; i += NUMBER_GROUP) {
            size_t n = number.len - i < NUMBER_GROUP ? number.len - i : NUMBER_GROUP;
            render_text(stdout, slice_of(number.p + i, n));
            fputc(i + n < number.len ? ' ' : '\n', stdout);
        }
    }
    (void)control_get_bool(result, "verified", &verified);
    fputs(verified ? "verified\n" : "not verified: compare the number with your contact's\n",
          stdout);
}

int cmd_verify(struct ctl *ctl, int argc, char **argv)
{
    const char *number = NULL;
    char digits[NUMBER_DIGITS + 1];
    struct slice result;
    const struct args_option options[] = {{"--number", &number, NULL}};
    int rc = args_command(options, 1, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK && number != NULL && !plain_number(number, digits)) {
        fprintf(stderr, "petrelctl: a safety number has %d digits\n", (int)NUMBER_DIGITS);
        rc = EXIT_USAGE;
    }
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    client_text(ctl->client, "contact", argv[0]);
    client_text(ctl->client, "number", number != NULL ? digits : NULL);
    if (call(ctl, "contact.verify", &result, &rc)) {
        print_number(result);
    }
    return rc;
}

/* One that was asked: what it said, and after what time. */
static void print_way(struct slice item)
{
    uint64_t took = 0;
    uint64_t items = 0;
    uint64_t wrong = 0;
    uint64_t period = 0;
    uint64_t created = 0;
    (void)control_get_uint(item, "took", &took);
    render_str(stdout, item, "way", "?");
    printf(", %llu ms: ", (unsigned long long)took);
    render_str(stdout, item, "result", "?");
    if (control_get_uint(item, "period", &period)) {
        printf(", day %llu", (unsigned long long)period);
    }
    if (control_get_uint(item, "wrong", &wrong) && wrong > 0 &&
        control_get_uint(item, "items", &items)) {
        printf(", %llu of %llu items were not theirs", (unsigned long long)wrong,
               (unsigned long long)items);
    }
    if (control_get_uint(item, "created", &created)) {
        printf(", made ");
        render_time(stdout, created);
        printf(", ");
        render_str(stdout, item, "relay", "?");
    }
    fputc('\n', stdout);
}

int cmd_resolve(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    struct slice item;
    bool found = false;
    int rc = args_command(NULL, 0, &argc, argv, 1, 1, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    client_text(ctl->client, "contact", argv[0]);
    rc = client_call(ctl->client, "contact.resolve", ctl->args->json, &result);
    if (rc != EXIT_OK) {
        return rc;
    }
    (void)control_get_bool(result, "found", &found);
    if (ctl->args->json) {
        rc = json_print(result);
        return rc != EXIT_OK ? rc : found ? EXIT_OK : EXIT_PEER;
    }
    struct render_list list = render_list_of(result, "ways");
    while (render_list_next(&list, &item)) {
        print_way(item);
    }
    if (found) {
        render_field(stdout, result, "id", "id");
        render_field(stdout, result, "relay", "relay");
        render_field(stdout, result, "list_version", "list");
    } else {
        puts("nobody knows where that is");
    }
    return found ? EXIT_OK : EXIT_PEER;
}
