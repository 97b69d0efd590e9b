/* SPDX-License-Identifier: Apache-2.0
 *
 * relay: relay use, relay status, relay invite.
 */
#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/render.h"

int cmd_relay_use(struct ctl *ctl, int argc, char **argv)
{
    const char *code = NULL;
    struct slice result;
    const struct args_option options[] = {{"--code", &code, NULL}};
    int rc = args_command(options, 1, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        client_text(ctl->client, "address", argv[0]);
        client_text(ctl->client, "code", code);
        rc = client_call(ctl->client, "relay.use", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    render_str(stdout, result, "relay", "?");
    fputs("\n'petrelctl relay status' says when it is ready.\n", stdout);
    return EXIT_OK;
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
    render_field(stdout, result, "state", "state");
    render_field(stdout, result, "address", "address");
    render_field(stdout, result, "parts", "parts");
    render_field(stdout, result, "trouble", "trouble");
    return EXIT_OK;
}

int cmd_relay_invite(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = client_call(ctl->client, "relay.invite", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    render_str(stdout, result, "code", "?");
    fputc('\n', stdout);
    return EXIT_OK;
}
