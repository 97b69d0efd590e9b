/* SPDX-License-Identifier: Apache-2.0
 *
 * event: events, and programs that are run for them.
 */
#include <errno.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/hook.h"
#include "ctl/json.h"
#include "ctl/output.h"
#include "ctl/render.h"

struct events {
    const char *name;  /* --as */
    const char *since; /* --since */
    const char *count; /* --count */
    const char *tries; /* --tries */
    bool ack;
    bool no_follow;
    bool exec;
    uint64_t since_n;
    uint64_t count_n;
    uint64_t tries_n;
    struct hook hook; /* with exec */
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

/* Prints events, or runs the hook for them, until there were enough. newest: cursor at the time of
 * subscription; start: where the stream begins. */
static int stream(struct ctl *ctl, struct events *e, uint64_t newest, uint64_t start)
{
    uint64_t done = 0;
    uint64_t cursor = start;
    int rc = EXIT_OK;
    while (rc == EXIT_OK && (e->count == NULL || done < e->count_n) &&
           (!e->no_follow || cursor < newest)) {
        struct slice event;
        int fd = client_event_fd(ctl->client);
        if (e->exec && fd >= 0) {
            hook_wait(&e->hook, fd);
        }
        rc = e->exec && e->hook.stop != 0 ? EXIT_LOCAL : client_event(ctl->client, &event);
        if (rc != EXIT_OK) {
            break;
        }
        (void)control_get_uint(event, "cursor", &cursor);
        /* Before its acknowledgement: an event may come twice, never not at all. */
        rc = e->exec ? hook_run(&e->hook, event) : print_event(ctl, event);
        if (rc == EXIT_OK && e->ack) {
            rc = ack(ctl, e, cursor);
        }
        done++;
    }
    return rc;
}

static int subscribe(struct ctl *ctl, struct events *e)
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

/* The same with a hook: signals that end this process wait until an event is done. */
static int subscribe_hook(struct ctl *ctl, struct events *e, char **argv)
{
    int rc = EXIT_LOCAL;
    if (hook_init(&e->hook, argv, ctl->args->home, e->tries_n)) {
        rc = subscribe(ctl, e);
    } else {
        fprintf(stderr, "petrelctl: %s\n", strerror(errno));
    }
    hook_fini(&e->hook);
    return rc;
}

/* Which options go together. */
static int check(const struct events *e, int argc)
{
    const char *wrong = NULL;
    if (e->ack && e->name == NULL) {
        wrong = "--ack needs --as NAME";
    } else if (e->exec && argc == 0) {
        wrong = "--exec needs a program to run";
    } else if (!e->exec && (argc > 0 || e->tries != NULL)) {
        wrong = argc > 0 ? "a program to run needs --exec before it" : "--tries goes with --exec";
    }
    if (wrong != NULL) {
        fprintf(stderr, "petrelctl: %s\n", wrong);
    }
    return wrong == NULL ? EXIT_OK : EXIT_USAGE;
}

int cmd_events(struct ctl *ctl, int argc, char **argv)
{
    struct events e = {0};
    const struct args_option options[] = {{"--as", &e.name, NULL},
                                          {"--since", &e.since, NULL},
                                          {"--count", &e.count, NULL},
                                          {"--ack", NULL, &e.ack},
                                          {"--no-follow", NULL, &e.no_follow},
                                          {"--exec", NULL, &e.exec},
                                          {"--tries", &e.tries, NULL}};
    int rc = args_command(options, sizeof options / sizeof options[0], &argc, argv, 0, INT_MAX,
                          ctl->usage);
    rc = rc == EXIT_OK && e.since != NULL ? args_number("--since", e.since, &e.since_n) : rc;
    rc = rc == EXIT_OK && e.count != NULL ? args_number("--count", e.count, &e.count_n) : rc;
    rc = rc == EXIT_OK && e.tries != NULL ? args_number("--tries", e.tries, &e.tries_n) : rc;
    rc = rc == EXIT_OK ? check(&e, argc) : rc;
    if (rc != EXIT_OK || !e.exec) {
        return rc != EXIT_OK ? rc : subscribe(ctl, &e);
    }
    e.ack = e.name != NULL;
    argv[argc] = NULL; /* args_command moved the plain ones to the front */
    return subscribe_hook(ctl, &e, argv);
}
