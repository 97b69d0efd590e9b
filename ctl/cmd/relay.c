/* SPDX-License-Identifier: Apache-2.0
 *
 * relay: relay use, leave, status; for operators: relay invite, members, remove, limits.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/render.h"

int cmd_relay_use(struct ctl *ctl, int argc, char **argv)
{
    const char *code = NULL;
    bool second = false;
    struct slice result;
    const struct args_option options[] = {{"--code", &code, NULL}, {"--second", NULL, &second}};
    int rc = args_command(options, 2, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        client_text(ctl->client, "address", argv[0]);
        client_text(ctl->client, "code", code);
        client_flag(ctl->client, "second", second);
        rc = client_call(ctl->client, "relay.use", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    render_str(stdout, result, "relay", "?");
    fputs("\n'petrelctl relay status' says when it is ready.\n", stdout);
    return EXIT_OK;
}

int cmd_relay_leave(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        client_text(ctl->client, "relay", argv[0]);
        rc = client_call(ctl->client, "relay.leave", ctl->args->json, &result);
    }
    return rc == EXIT_OK && ctl->args->json ? json_print(result) : rc;
}

static void print_relay(struct slice relay)
{
    render_field(stdout, relay, "role", "role");
    render_field(stdout, relay, "state", "state");
    render_field(stdout, relay, "address", "address");
    render_field(stdout, relay, "parts", "parts");
    render_field(stdout, relay, "trouble", "trouble");
    render_field(stdout, relay, "envelopes", "envelopes");
    render_field(stdout, relay, "bytes", "bytes");
    render_field(stdout, relay, "days", "days");
    render_described(stdout, relay);
}

int cmd_relay_status(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = client_call(ctl->client, "relay.status", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    print_relay(result);
    struct slice other;
    struct render_list list = render_list_of(result, "others");
    while (render_list_next(&list, &other)) {
        fputc('\n', stdout);
        print_relay(other);
    }
    return EXIT_OK;
}

/* A number that may be given as an option. */
struct number {
    const char *option;
    const char *param;
    const char *text; /* NULL: not given */
};

/* Adds those that were given to the call. */
static int add_numbers(struct ctl *ctl, const struct number *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        if (numbers[i].text == NULL) {
            continue;
        }
        int rc = args_number(numbers[i].option, numbers[i].text, &value);
        if (rc != EXIT_OK) {
            return rc;
        }
        client_uint(ctl->client, numbers[i].param, value);
    }
    return EXIT_OK;
}

int cmd_relay_invite(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    struct number days = {"--days", "days", NULL};
    const struct args_option options[] = {{days.option, &days.text, NULL}};
    int rc = args_command(options, 1, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = add_numbers(ctl, &days, 1);
    }
    if (rc == EXIT_OK) {
        rc = client_call(ctl->client, "relay.invite", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    render_str(stdout, result, "code", "?");
    fputc('\n', stdout);
    return EXIT_OK;
}

/* --- members --- */

enum {
    MEMBER_NAME = 16, /* hex digits */
    MEMBER_MAP = 512, /* encoded, for --json */
    CURSOR = 256,
};

struct member {
    char name[MEMBER_NAME + 1];
    uint64_t joined;
    uint64_t queues;
    uint64_t records;
    uint64_t descriptors;
    uint64_t envelopes;
    uint64_t bytes;
    bool removing;
};

struct members {
    struct member *list; /* in the order of their names */
    size_t count;
    size_t cap;
};

static bool text_of(struct slice map, const char *name, char *out, size_t cap)
{
    struct slice text;
    if (!control_get_str(map, name, &text) || text.len >= cap) {
        return false;
    }
    memcpy(out, text.p, text.len);
    out[text.len] = '\0';
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int member_add(struct members *all, struct slice item)
{
    if (all->count == all->cap) {
        size_t cap = all->cap == 0 ? 64 : 2 * all->cap;
        struct member *list = realloc(all->list, cap * sizeof *list);
        if (list == NULL) {
            fputs("petrelctl: out of memory\n", stderr);
            return EXIT_LOCAL;
        }
        all->list = list;
        all->cap = cap;
    }
    struct member m = {.joined = 0};
    if (text_of(item, "member", m.name, sizeof m.name)) {
        (void)control_get_uint(item, "joined", &m.joined);
        (void)control_get_uint(item, "queues", &m.queues);
        (void)control_get_uint(item, "records", &m.records);
        (void)control_get_uint(item, "descriptors", &m.descriptors);
        (void)control_get_bool(item, "removing", &m.removing);
        all->list[all->count++] = m;
    }
    return EXIT_OK;
}

/* Adds a part of what waits to its member. One that joined or left meanwhile is not there. */
static int waiting_add(struct members *all, struct slice item)
{
    struct member key = {.joined = 0};
    uint64_t envelopes = 0;
    uint64_t bytes = 0;
    struct member *m = NULL;
    if (all->count > 0 && text_of(item, "member", key.name, sizeof key.name)) {
        m = bsearch(&key, all->list, all->count, sizeof key, by_name);
    }
    if (m != NULL && control_get_uint(item, "envelopes", &envelopes) &&
        control_get_uint(item, "bytes", &bytes)) {
        m->envelopes += envelopes;
        m->bytes += bytes;
    }
    return EXIT_OK;
}

/* Every entry of a list that comes in pages. */
static int each(struct ctl *ctl, const char *method, const char *name, struct members *all,
                int (*add)(struct members *all, struct slice item))
{
    char next[CURSOR] = "";
    int rc = EXIT_OK;
    do {
        struct slice result;
        struct slice item;
        client_begin(ctl->client);
        client_text(ctl->client, "after", next[0] != '\0' ? next : NULL);
        rc = client_call(ctl->client, method, ctl->args->json, &result);
        if (rc != EXIT_OK) {
            return rc;
        }
        struct render_list list = render_list_of(result, name);
        while (rc == EXIT_OK && render_list_next(&list, &item)) {
            rc = add(all, item);
        }
        if (!text_of(result, "next", next, sizeof next)) {
            next[0] = '\0';
        }
    } while (rc == EXIT_OK && next[0] != '\0');
    return rc;
}

static int print_member_json(const struct member *m)
{
    uint8_t bytes[MEMBER_MAP];
    struct writer w = writer_of(bytes, sizeof bytes);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"joined", m->joined},       {"queues", m->queues},
                   {"records", m->records},     {"descriptors", m->descriptors},
                   {"envelopes", m->envelopes}, {"bytes", m->bytes}};
    const size_t n = sizeof numbers / sizeof numbers[0];
    pack_map(&w, (uint32_t)n + 2);
    pack_str(&w, "member");
    pack_str(&w, m->name);
    for (size_t i = 0; i < n; i++) {
        pack_str(&w, numbers[i].name);
        pack_uint(&w, numbers[i].value);
    }
    pack_str(&w, "removing");
    pack_bool(&w, m->removing);
    return json_print(writer_done(&w));
}

static void print_member(const struct member *m)
{
    printf("%s  ", m->name);
    render_time(stdout, m->joined);
    printf("  queues %llu, records %llu, descriptors %llu; waiting: %llu envelopes, %llu bytes%s\n",
           (unsigned long long)m->queues, (unsigned long long)m->records,
           (unsigned long long)m->descriptors, (unsigned long long)m->envelopes,
           (unsigned long long)m->bytes, m->removing ? "  [being removed]" : "");
}

int cmd_relay_members(struct ctl *ctl, int argc, char **argv)
{
    struct members all = {.count = 0};
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        rc = each(ctl, "relay.members", "members", &all, member_add);
    }
    if (rc == EXIT_OK) {
        rc = each(ctl, "relay.waiting", "waiting", &all, waiting_add);
    }
    for (size_t i = 0; rc == EXIT_OK && i < all.count; i++) {
        if (ctl->args->json) {
            rc = print_member_json(&all.list[i]);
        } else {
            print_member(&all.list[i]);
        }
    }
    if (rc == EXIT_OK && !ctl->args->json) {
        printf("%zu %s\n", all.count, all.count == 1 ? "member" : "members");
    }
    free(all.list);
    return rc;
}

int cmd_relay_remove(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        client_text(ctl->client, "member", argv[0]);
        rc = client_call(ctl->client, "relay.remove", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    fputs("removed; what it had is being deleted\n", stdout);
    return EXIT_OK;
}

int cmd_relay_limits(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    struct number numbers[] = {
        {"--envelopes", "envelopes", NULL}, {"--mib", "mib", NULL}, {"--days", "days", NULL}};
    const struct args_option options[] = {{numbers[0].option, &numbers[0].text, NULL},
                                          {numbers[1].option, &numbers[1].text, NULL},
                                          {numbers[2].option, &numbers[2].text, NULL}};
    int rc = args_command(options, 3, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = add_numbers(ctl, numbers, 3);
    }
    if (rc == EXIT_OK) {
        rc = client_call(ctl->client, "relay.limits", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    render_field(stdout, result, "envelopes", "envelopes");
    render_field(stdout, result, "mib", "MiB");
    render_field(stdout, result, "days", "days");
    return EXIT_OK;
}
