/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: status, stop.
 */
#include <string.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/render.h"

enum {
    WAYS = 5,
};

/* Counts which way messages to each contact go, and says what one operator may see. */
static int print_ways(struct ctl *ctl)
{
    static const char *const ways[WAYS] = {"forwarded", "same-relay", "no-relay", "own-machine",
                                           "unknown"};
    size_t counts[WAYS] = {0};
    size_t suspect = 0;
    size_t troubled = 0;
    uint64_t next = 0;
    bool more = true;
    while (more) {
        struct slice result;
        struct slice item;
        more = false;
        client_begin(ctl->client);
        client_uint(ctl->client, "after", next);
        int rc = client_call(ctl->client, "contact.list", false, &result);
        if (rc != EXIT_OK) {
            return rc;
        }
        struct render_list list = render_list_of(result, "contacts");
        while (render_list_next(&list, &item)) {
            struct slice text;
            bool same = false;
            for (size_t i = 0; i < WAYS; i++) {
                counts[i] += control_get_str(item, "way", &text) &&
                             slice_equal(text, slice_of(ways[i], strlen(ways[i])));
            }
            suspect += control_get_bool(item, "same_operator", &same) && same;
            troubled += control_get_str(item, "trouble", &text) && text.len > 0;
        }
        (void)control_get_bool(result, "more", &more);
        more = more && control_get_uint(result, "next", &next);
    }
    for (size_t i = 0; i < WAYS; i++) {
        if (counts[i] > 0) {
            printf("%-10s %zu contacts\n", ways[i], counts[i]);
        }
    }
    if (suspect > 0) {
        printf("warning    for %zu contacts one operator may see both ends: 'petrelctl contacts'\n",
               suspect);
    }
    if (troubled > 0) {
        printf("warning    a relay stands in the way to %zu contacts: 'petrelctl contacts'\n",
               troubled);
    }
    return EXIT_OK;
}

/* What this node does in the DHT, if anything. */
static int print_dht(struct ctl *ctl)
{
    static const struct {
        const char *name;
        const char *label;
    } fields[] = {
        {"nodes4", "dht, IPv4"},     {"good4", "  good"},         {"nodes6", "dht, IPv6"},
        {"good6", "  good"},         {"address4", "  seen at"},   {"address6", "  seen at"},
        {"items", "  items"},        {"lookups", "  lookups"},    {"put", "  put"},
        {"put_failed", "  in vain"}, {"put_waiting", "  waiting"}};
    struct slice result;
    bool on = false;
    uint64_t last;
    client_begin(ctl->client);
    int rc = client_call(ctl->client, "dht.status", false, &result);
    if (rc != EXIT_OK || !control_get_bool(result, "on", &on) || !on) {
        return rc;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        render_field(stdout, result, fields[i].name, fields[i].label);
    }
    if (control_get_uint(result, "put_last", &last)) {
        printf("%-10s ", "  put last");
        render_time(stdout, last);
        printf("\n");
    }
    return EXIT_OK;
}

/* What the main relay has of our own, and puts into the DHT if it takes part. */
static int print_described(struct ctl *ctl)
{
    struct slice result;
    client_begin(ctl->client);
    int rc = client_call(ctl->client, "relay.status", false, &result);
    if (rc == EXIT_OK) {
        render_described(stdout, result);
    }
    return rc;
}

int cmd_status(struct ctl *ctl, int argc, char **argv)
{
    static const struct {
        const char *name;
        const char *label;
    } fields[] = {{"version", "version"}, {"account", "account"},  {"id", "id"},
                  {"node", "node"},       {"relay", "relay"},      {"proxy", "proxy"},
                  {"members", "members"}, {"queues", "queues"},    {"links", "links"},
                  {"outbox", "outbox"},   {"requests", "requests"}};
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = client_call(ctl->client, "daemon.status", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        render_field(stdout, result, fields[i].name, fields[i].label);
    }
    struct slice account;
    bool open =
        control_get_str(result, "account", &account) && slice_equal(account, slice_of("open", 4));
    rc = print_dht(ctl);
    if (rc == EXIT_OK && open) {
        rc = print_described(ctl);
    }
    return rc == EXIT_OK && open ? print_ways(ctl) : rc;
}

int cmd_stop(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    rc = client_call(ctl->client, "daemon.stop", ctl->args->json, &result);
    if (rc != EXIT_OK) {
        return rc;
    }
    if (ctl->args->json) {
        rc = json_print(result);
    }
    /* Whoever stops it may start it again at once: wait until it lets go. */
    int gone = client_wait_gone(ctl->client);
    return rc != EXIT_OK ? rc : gone;
}
