/* SPDX-License-Identifier: Apache-2.0
 *
 * event: events.
 */
#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/output.h"
#include "ctl/render.h"

struct events {
    const char *name;  /* --as */
    const char *since; /* --since */
    const char *count; /* --count */
    bool ack;
    bool no_follow;
    uint64_t since_n;
    uint64_t count_n;
};

/* key=value for every field of data. */
static void print_data(struct slice data)
{
    struct reader r = reader_of(data);
    struct control_fields f = control_fields_begin(&r);
    while (control_fields_next(&f)) {
        struct slice text;
        struct slice key = f.key;
        struct slice value = control_value(&f);
        struct reader v = reader_of(value);
        fputs("  ", stdout);
        render_text(stdout, key);
        fputc('=', stdout);
        if (pack_peek(&v) == PACK_STR) {
            text = pack_read_str(&v, LIMIT_CONTROL_MESSAGE);
            render_text(stdout, text);
        } else if (pack_peek(&v) == PACK_UINT) {
            printf("%llu", (unsigned long long)pack_read_uint(&v, UINT64_MAX));
        } else {
            fputs("...", stdout);
        }
    }
}

static int print_event(const struct ctl *ctl, struct slice event)
{
    uint64_t cursor = 0;
    uint64_t time = 0;
    struct slice data;
    if (ctl->args->json) {
        return json_print(event);
    }
    (void)control_get_uint(event, "cursor", &cursor);
    (void)control_get_uint(event, "time", &time);
    printf("%8llu  ", (unsigned long long)cursor);
    render_time(stdout, time);
    fputs("  ", stdout);
    render_str(stdout, event, "type", "?");
    if (control_get(event, "data", &data)) {
        print_data(data);
    }
    fputc('\n', stdout);
    return output_flush();
}

static int ack(struct ctl *ctl, const struct events *e, uint64_t cursor)
{
    struct slice result;
    client_begin(ctl->client);
    client_text(ctl->client, "name", e->name);
    client_uint(ctl->client, "cursor", cursor);
    return client_call(ctl->client, "event.ack", ctl->args->json, &result);
}

/* Prints events until there were enough. newest: cursor at the time of subscription; start: where
 * the stream begins. */
static int stream(struct ctl *ctl, const struct events *e, uint64_t newest, uint64_t start)
{
    uint64_t done = 0;
    uint64_t cursor = start;
    int rc = EXIT_OK;
    while (rc == EXIT_OK && (e->count == NULL || done < e->count_n) &&
           (!e->no_follow || cursor < newest)) {
        struct slice event;
        rc = client_event(ctl->client, &event);
        if (rc != EXIT_OK) {
            break;
        }
        (void)control_get_uint(event, "cursor", &cursor);
        rc = print_event(ctl, event); /* printed first: an event may come twice, never not at all */
        if (rc == EXIT_OK && e->ack) {
            rc = ack(ctl, e, cursor);
        }
        done++;
    }
    return rc;
}

static int subscribe(struct ctl *ctl, const struct events *e)
{
    struct slice result;
    uint64_t newest = 0;
    uint64_t start = 0;
    client_begin(ctl->client);
    client_text(ctl->client, "name", e->name);
    if (e->since != NULL) {
        client_uint(ctl->client, "since", e->since_n);
    }
    int rc = client_call(ctl->client, "event.subscribe", ctl->args->json, &result);
    if (rc != EXIT_OK) {
        return rc;
    }
    if (!control_get_uint(result, "cursor", &newest)) {
        return EXIT_LOCAL;
    }
    if (!control_get_uint(result, "start", &start)) {
        start = newest;
    }
    return stream(ctl, e, newest, start);
}

int cmd_events(struct ctl *ctl, int argc, char **argv)
{
    struct events e = {0};
    const struct args_option options[] = {{"--as", &e.name, NULL},
                                          {"--since", &e.since, NULL},
                                          {"--count", &e.count, NULL},
                                          {"--ack", NULL, &e.ack},
                                          {"--no-follow", NULL, &e.no_follow}};
    int rc =
        args_command(options, sizeof options / sizeof options[0], &argc, argv, 0, 0, ctl->usage);
    rc = rc == EXIT_OK && e.since != NULL ? args_number("--since", e.since, &e.since_n) : rc;
    rc = rc == EXIT_OK && e.count != NULL ? args_number("--count", e.count, &e.count_n) : rc;
    if (rc == EXIT_OK && e.ack && e.name == NULL) {
        fprintf(stderr, "petrelctl: --ack needs --as NAME\n");
        rc = EXIT_USAGE;
    }
    return rc == EXIT_OK ? subscribe(ctl, &e) : rc;
}
