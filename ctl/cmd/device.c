/* SPDX-License-Identifier: Apache-2.0
 *
 * device: link, devices, devices remove.
 */
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "ctl/clock.h"
#include "ctl/command.h"
#include "ctl/input.h"
#include "ctl/json.h"
#include "ctl/output.h"
#include "ctl/render.h"

enum {
    CODE_MAX = 4096, /* a link code on standard input */
    SPARE_MINUTES = 1,
};

static const struct client_hint HINTS[] = {
    {"no-account", "Make one first: petrelctl init"},
    {"no-relay", "First: petrelctl relay use ADDRESS --code CODE, and wait until 'petrelctl relay "
                 "status' says ready."},
    {"already-exists", "Only an account that has no contacts can become a device: "
                       "'petrelctl init --another' makes a fresh one, --account N links it."},
    {"quota-exceeded", "A person has eight devices at most: 'petrelctl devices remove NAME'."},
    {"expired", "A link code is good for 15 minutes: 'petrelctl link' on the other device makes a "
                "new one."},
    {"bad-invitation", "A link code begins with petrel-device: and is what 'petrelctl link' prints "
                       "on the other device."},
    {"own-id", "The code is for the new device: use it there."},
    {"no-identity", "'petrelctl devices' says which one that is."},
    {"unknown-device", "'petrelctl devices' lists them; the one that holds the identity stays."},
};

static int call(struct ctl *ctl, const char *method, struct slice *result)
{
    return client_call_hints(ctl->client, method, ctl->args->json, HINTS,
                             sizeof HINTS / sizeof HINTS[0], result);
}

/* --- waiting --- */

/* Events from now on: before the call whose outcome is awaited. */
static int listen(struct ctl *ctl)
{
    struct slice result;
    client_begin(ctl->client);
    return call(ctl, "event.subscribe", &result);
}

static uint64_t deadline_of(const struct ctl *ctl)
{
    uint64_t wait = (uint64_t)(LIMIT_LINK_MINUTES + SPARE_MINUTES) * LIMIT_MINUTE_MS;
    return clock_mono_ms() + (ctl->args->timeout_set ? ctl->args->timeout_ms : wait);
}

static bool is_type(struct slice event, const char *type)
{
    struct slice there;
    return control_get_str(event, "type", &there) &&
           slice_equal(there, slice_of(type, strlen(type)));
}

/* Waits for an event of type good; EXIT_STATE when there was none in time, EXIT_PEER after one of
 * type bad (or NULL). *event is valid until the next call. */
static int await(struct ctl *ctl, const char *good, const char *bad, struct slice *event)
{
    uint64_t deadline = deadline_of(ctl);
    bool late = false;
    for (;;) {
        int rc = client_event_until(ctl->client, deadline, event, &late);
        if (rc != EXIT_OK) {
            fputs("petrelctl: what was begun goes on when the daemon runs; 'petrelctl devices' "
                  "shows what became of it\n",
                  stderr);
            return rc;
        }
        if (late) {
            return EXIT_STATE;
        }
        if (is_type(*event, good)) {
            return ctl->args->json ? json_print(*event) : EXIT_OK;
        }
        if (bad != NULL && is_type(*event, bad)) {
            return EXIT_PEER;
        }
    }
}

static void print_data(FILE *out, struct slice event, const char *name)
{
    struct slice data = slice_of(NULL, 0);
    (void)control_get(event, "data", &data);
    render_str(out, data, name, "?");
}

/* --- on the device that holds the identity --- */

static void print_code(struct slice result)
{
    uint64_t expires = 0;
    render_str(stdout, result, "link", "?");
    fputc('\n', stdout);
    fputs("For a new device of yours, and nobody else: whoever uses it reads and writes as you.\n"
          "There, with a fresh account that has a relay: petrelctl link -\n",
          stderr);
    if (control_get_uint(result, "expires", &expires)) {
        fputs("Good once, until ", stderr);
        render_time(stderr, expires);
        fputs(".\n", stderr);
    }
}

static int offer_wait(struct ctl *ctl)
{
    struct slice event;
    if (!ctl->args->json) {
        fputs("Waiting for it; Ctrl-C ends the waiting, not the code ...\n", stderr);
    }
    int rc = await(ctl, "device.added", NULL, &event);
    if (rc == EXIT_STATE) {
        fputs("petrelctl: no device has joined\n", stderr);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc;
    }
    fputs("joined: ", stdout);
    print_data(stdout, event, "device");
    fputs("\n", stdout);
    fputs("If the new device shows another name: petrelctl devices remove ", stderr);
    print_data(stderr, event, "device");
    fputc('\n', stderr);
    return EXIT_OK;
}

static int offer(struct ctl *ctl, bool wait)
{
    struct slice result;
    int rc = wait ? listen(ctl) : EXIT_OK;
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = call(ctl, "device.invite", &result);
    }
    if (rc == EXIT_OK && ctl->args->json) {
        rc = json_print(result);
    } else if (rc == EXIT_OK) {
        print_code(result);
    }
    if (rc == EXIT_OK && wait) {
        rc = output_flush(); /* it is read while we wait */
    }
    return rc == EXIT_OK && wait ? offer_wait(ctl) : rc;
}

/* --- on the new device --- */

/* The name of this device, for comparison with what the other one shows. */
static int print_own_name(struct ctl *ctl)
{
    struct slice result;
    struct slice item;
    client_begin(ctl->client);
    int rc = call(ctl, "device.list", &result);
    struct render_list list = render_list_of(result, "devices");
    while (rc == EXIT_OK && render_list_next(&list, &item)) {
        bool own = false;
        if (control_get_bool(item, "this", &own) && own) {
            render_field(stdout, item, "device", "device");
        }
    }
    return rc;
}

static int take_wait(struct ctl *ctl)
{
    struct slice event;
    if (!ctl->args->json) {
        fputs("Waiting for the other device ...\n", stderr);
    }
    int rc = await(ctl, "device.linked", "contact.failed", &event);
    if (rc == EXIT_STATE) {
        fputs("petrelctl: not linked yet. It is tried as long as the code is good: is the other "
              "device there?\n'petrelctl devices' lists this one once it is linked.\n",
              stderr);
    } else if (rc == EXIT_PEER) {
        fputs("petrelctl: not linked: ", stderr);
        print_data(stderr, event, "error");
        fputc('\n', stderr);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc;
    }
    fputs("linked     ", stdout);
    print_data(stdout, event, "id");
    fputc('\n', stdout);
    return print_own_name(ctl);
}

static int take(struct ctl *ctl, struct slice code, bool wait)
{
    struct slice result;
    int rc = wait ? listen(ctl) : EXIT_OK;
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        client_str(ctl->client, "link", code);
        rc = call(ctl, "device.link", &result);
    }
    if (rc == EXIT_OK && ctl->args->json) {
        rc = json_print(result);
        rc = rc == EXIT_OK ? output_flush() : rc;
    }
    return rc == EXIT_OK && wait ? take_wait(ctl) : rc;
}

int cmd_link(struct ctl *ctl, int argc, char **argv)
{
    bool no_wait = false;
    bool yes = false;
    uint8_t code[CODE_MAX];
    size_t len = 0;
    const struct args_option options[] = {{"--no-wait", NULL, &no_wait}, {"--yes", NULL, &yes}};
    int rc = args_command(options, 2, &argc, argv, 0, 1, ctl->usage);
    if (rc != EXIT_OK || argc == 0) {
        return rc != EXIT_OK ? rc : offer(ctl, !no_wait);
    }
    struct slice given = slice_of(argv[0], strlen(argv[0]));
    if (strcmp(argv[0], "-") == 0) {
        rc = input_read(STDIN_FILENO, "standard input", code, sizeof code, &len);
        given = slice_of(code, len);
    }
    if (rc == EXIT_OK && !yes) {
        rc = input_confirm("This account becomes a device of the identity that made the code. Its "
                           "own ID and its recovery words end with that. Go on?");
    }
    if (rc == EXIT_OK) {
        rc = take(ctl, given, !no_wait);
    }
    secret_wipe(code, sizeof code);
    return rc;
}

/* --- the list --- */

static void print_device(struct slice item)
{
    uint64_t added = 0;
    bool own = false;
    bool identity = false;
    (void)control_get_uint(item, "added", &added);
    (void)control_get_bool(item, "this", &own);
    (void)control_get_bool(item, "identity", &identity);
    render_str(stdout, item, "device", "?");
    fputs("  ", stdout);
    render_time(stdout, added);
    fputs(own ? "  this one" : "", stdout);
    fputs(identity ? "  holds the identity" : "", stdout);
    fputc('\n', stdout);
}

int cmd_devices(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    struct slice item;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = call(ctl, "device.list", &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print_each(result, "devices");
    }
    struct render_list list = render_list_of(result, "devices");
    while (render_list_next(&list, &item)) {
        print_device(item);
    }
    return EXIT_OK;
}

int cmd_devices_remove(struct ctl *ctl, int argc, char **argv)
{
    bool yes = false;
    struct slice result;
    const struct args_option options[] = {{"--yes", NULL, &yes}};
    int rc = args_command(options, 1, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK && !yes) {
        rc = input_confirm("That device is shut out for good, and only a new account on it can be "
                           "linked again. Go on?");
    }
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        client_text(ctl->client, "device", argv[0]);
        rc = call(ctl, "device.remove", &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    fputs("removed: ", stdout);
    render_str(stdout, result, "device", "?");
    fputs("\nIt keeps what it has, and gets nothing new once contacts have heard of it.\n", stdout);
    return EXIT_OK;
}
