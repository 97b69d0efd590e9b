/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: status, stop.
 */
#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/render.h"

int cmd_status(struct ctl *ctl, int argc, char **argv)
{
    static const struct {
        const char *name;
        const char *label;
    } fields[] = {{"version", "version"},  {"account", "account"}, {"id", "id"},
                  {"node", "node"},        {"relay", "relay"},     {"members", "members"},
                  {"queues", "queues"},    {"links", "links"},     {"outbox", "outbox"},
                  {"requests", "requests"}};
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
    return EXIT_OK;
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
