/* SPDX-License-Identifier: Apache-2.0
 *
 * account: init, accounts, remove-account, id, words, unlock, passphrase, lock.
 */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "ctl/command.h"
#include "ctl/input.h"
#include "ctl/json.h"
#include "ctl/render.h"

enum {
    WORDS_A_LINE = 6,
};

/* The words, numbered, six a line: so they are copied by hand without losing the place. */
static void print_words(struct slice result)
{
    struct slice words;
    unsigned number = 1;
    if (!control_get_str(result, "words", &words)) {
        return;
    }
    for (size_t i = 0; i < words.len; number++) {
        const uint8_t *space = memchr(words.p + i, ' ', words.len - i);
        size_t end = space != NULL ? (size_t)(space - words.p) : words.len;
        printf("%2u ", number);
        render_text(stdout, slice_of(words.p + i, end - i));
        bool last = end == words.len || number % WORDS_A_LINE == 0;
        printf("%*s", last ? 1 : (int)(9 - (end - i < 9 ? end - i : 8)), last ? "\n" : "");
        i = end + 1;
    }
}

/* passphrase and words into the call, from where the options say. */
static int init_params(struct ctl *ctl, const char *passphrase_fd, bool ask, const char *words_fd)
{
    uint8_t secret[INPUT_SECRET];
    size_t len = 0;
    int rc = EXIT_OK;
    client_begin(ctl->client);
    if (passphrase_fd != NULL) {
        rc = input_secret_fd("--passphrase-fd", passphrase_fd, secret, &len);
    } else if (ask) {
        rc = input_secret_ask("Passphrase: ", 1, secret, &len);
    }
    if (rc == EXIT_OK && len > 0) {
        client_str(ctl->client, "passphrase", slice_of(secret, len));
    }
    if (rc == EXIT_OK && words_fd != NULL) {
        rc = input_secret_fd("--words-fd", words_fd, secret, &len);
        if (rc == EXIT_OK) {
            client_str(ctl->client, "words", slice_of(secret, len));
        }
    }
    secret_wipe(secret, sizeof secret);
    return rc;
}

int cmd_init(struct ctl *ctl, int argc, char **argv)
{
    const char *passphrase_fd = NULL;
    const char *words_fd = NULL;
    bool ask = false;
    bool another = false;
    struct slice result;
    const struct args_option options[] = {{"--passphrase-fd", &passphrase_fd, NULL},
                                          {"--words-fd", &words_fd, NULL},
                                          {"--passphrase", NULL, &ask},
                                          {"--another", NULL, &another}};
    int rc = args_command(options, 4, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK && ask && passphrase_fd != NULL) {
        fprintf(stderr, "petrelctl: --passphrase or --passphrase-fd, not both\n");
        rc = EXIT_USAGE;
    }
    if (rc == EXIT_OK) {
        rc = init_params(ctl, passphrase_fd, ask, words_fd);
    }
    if (rc == EXIT_OK) {
        client_flag(ctl->client, "another", another);
        rc = client_call(ctl->client, "account.create", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    fputs("Your ID, for others to find you:\n\n", stdout);
    render_str(stdout, result, "id", "?");
    fputs("\n\n", stdout);
    render_field(stdout, result, "account", "account");
    fputs("\nYour recovery words. Whoever has them is you: write them on paper.\n\n", stdout);
    print_words(result);
    return EXIT_OK;
}

/* One line a relay of it would be too much here: 'relay status' has them. */
static void print_account(struct slice item)
{
    uint64_t number = 0;
    (void)control_get_uint(item, "account", &number);
    printf("%2u  ", (unsigned)number);
    render_str(stdout, item, "state", "?");
    fputs("  ", stdout);
    render_str(stdout, item, "id", "-");
    fputc('\n', stdout);
}

int cmd_accounts(struct ctl *ctl, int argc, char **argv)
{
    struct slice result = slice_of(NULL, 0);
    struct slice item;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = client_call(ctl->client, "account.list", ctl->args->json, &result);
    }
    struct render_list list = render_list_of(result, "accounts");
    while (rc == EXIT_OK && render_list_next(&list, &item)) {
        if (ctl->args->json) {
            rc = json_print(item);
        } else {
            print_account(item);
        }
    }
    return rc;
}

/* The account that text names: by its whole ID, or by its number. 0: none. */
static uint64_t find_account(struct slice result, const char *text)
{
    struct slice item;
    struct slice wanted = slice_of(text, strlen(text));
    struct render_list list = render_list_of(result, "accounts");
    while (render_list_next(&list, &item)) {
        struct slice id = slice_of(NULL, 0);
        char digits[24];
        uint64_t number = 0;
        (void)control_get_uint(item, "account", &number);
        (void)control_get_str(item, "id", &id);
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
        if (slice_equal(id, wanted) || strcmp(digits, text) == 0) {
            return number;
        }
    }
    return 0;
}

int cmd_remove_account(struct ctl *ctl, int argc, char **argv)
{
    bool now = false;
    struct slice result;
    const struct args_option options[] = {{"--now", NULL, &now}};
    int rc = args_command(options, 1, &argc, argv, 1, 1, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = client_call(ctl->client, "account.list", ctl->args->json, &result);
    }
    uint64_t number = rc == EXIT_OK ? find_account(result, argv[0]) : 0;
    if (rc == EXIT_OK && number == 0) {
        fprintf(stderr, "petrelctl: there is no account '%s' on this node\n", argv[0]);
        rc = EXIT_STATE;
    }
    if (rc == EXIT_OK) {
        client_account(ctl->client, number);
        client_begin(ctl->client);
        client_flag(ctl->client, "now", now);
        rc = client_call(ctl->client, "account.remove", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    puts(now ? "Its keys are destroyed; the rest follows."
             : "It leaves its relays first; 'petrelctl accounts' says when it is gone.");
    return EXIT_OK;
}

int cmd_id(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = client_call(ctl->client, "account.show", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    render_str(stdout, result, "id", "?");
    fputc('\n', stdout);
    return EXIT_OK;
}

int cmd_words(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        rc = client_call(ctl->client, "account.words", ctl->args->json, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    print_words(result);
    return EXIT_OK;
}

/* A call that may need the account's present passphrase: out of fd, else asked for when the daemon
 * wants it. The caller puts what else belongs to the call. */
struct opening {
    const char *method;
    const char *fd; /* number; NULL: none was given */
    const char *prompt;
    void (*put)(struct client *client, const void *what);
    const void *what;
};

static int opening_call(struct ctl *ctl, const struct opening *o, struct slice *result)
{
    uint8_t secret[INPUT_SECRET];
    size_t len = 0;
    bool wanted = false;
    int rc = EXIT_OK;
    if (o->fd != NULL) {
        rc = input_secret_fd("--passphrase-fd", o->fd, secret, &len);
    } else {
        client_begin(ctl->client);
        o->put(ctl->client, o->what);
        rc = client_try(ctl->client, o->method, ctl->args->json, "missing-parameter", &wanted,
                        result);
        if (rc != EXIT_OK || !wanted) {
            return rc;
        }
        rc = input_secret_ask(o->prompt, 0, secret, &len);
    }
    if (rc == EXIT_OK) {
        client_begin(ctl->client);
        o->put(ctl->client, o->what);
        client_str(ctl->client, "passphrase", slice_of(secret, len));
        rc = client_call(ctl->client, o->method, ctl->args->json, result);
    }
    secret_wipe(secret, sizeof secret);
    return rc;
}

static void put_nothing(struct client *client, const void *what)
{
    (void)client;
    (void)what;
}

int cmd_unlock(struct ctl *ctl, int argc, char **argv)
{
    struct opening o = {.method = "account.unlock", .prompt = "Passphrase: ", .put = put_nothing};
    struct slice result;
    const struct args_option options[] = {{"--passphrase-fd", &o.fd, NULL}};
    int rc = args_command(options, 1, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        rc = opening_call(ctl, &o, &result);
    }
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    fputs("open: ", stdout);
    render_str(stdout, result, "id", "?");
    fputc('\n', stdout);
    return EXIT_OK;
}

/* What the account is to open with. */
struct wanted {
    bool remove;
    bool credential;
    uint8_t fresh[INPUT_SECRET];
    size_t len;
};

static void put_wanted(struct client *client, const void *what)
{
    const struct wanted *w = what;
    client_flag(client, "remove", w->remove);
    client_flag(client, "credential", w->credential);
    if (!w->remove && !w->credential) {
        client_str(client, "new", slice_of(w->fresh, w->len));
    }
}

static int wanted_read(struct wanted *w, const char *fd)
{
    if ((w->remove ? 1 : 0) + (w->credential ? 1 : 0) + (fd != NULL ? 1 : 0) > 1) {
        fprintf(stderr, "petrelctl: --new-fd, --remove or --credential, one of them\n");
        return EXIT_USAGE;
    }
    if (w->remove || w->credential) {
        return EXIT_OK;
    }
    return fd != NULL ? input_secret_fd("--new-fd", fd, w->fresh, &w->len)
                      : input_secret_ask("New passphrase: ", 1, w->fresh, &w->len);
}

int cmd_passphrase(struct ctl *ctl, int argc, char **argv)
{
    const char *fd = NULL;
    struct wanted w = {.remove = false};
    struct opening o = {.method = "account.passphrase",
                        .prompt = "Present passphrase: ",
                        .put = put_wanted,
                        .what = &w};
    struct slice result;
    const struct args_option options[] = {{"--passphrase-fd", &o.fd, NULL},
                                          {"--new-fd", &fd, NULL},
                                          {"--remove", NULL, &w.remove},
                                          {"--credential", NULL, &w.credential}};
    int rc = args_command(options, 4, &argc, argv, 0, 0, ctl->usage);
    if (rc == EXIT_OK) {
        rc = wanted_read(&w, fd);
    }
    if (rc == EXIT_OK) {
        rc = opening_call(ctl, &o, &result);
    }
    secret_wipe(&w, sizeof w);
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    fputs("opens with: ", stdout);
    render_str(stdout, result, "opens", "?");
    fputc('\n', stdout);
    return EXIT_OK;
}

/* A call about the account that takes nothing and says nothing but that it was done. */
static int plain_call(struct ctl *ctl, int argc, char **argv, const char *method)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    rc = client_call(ctl->client, method, ctl->args->json, &result);
    return rc == EXIT_OK && ctl->args->json ? json_print(result) : rc;
}

int cmd_lock(struct ctl *ctl, int argc, char **argv)
{
    return plain_call(ctl, argc, argv, "account.lock");
}

/* Shows it, or sets it. */
int cmd_dht(struct ctl *ctl, int argc, char **argv)
{
    struct slice result;
    int rc = args_command(NULL, 0, &argc, argv, 0, 1, ctl->usage);
    bool on = argc > 0 && strcmp(argv[0], "on") == 0;
    if (rc == EXIT_OK && argc > 0 && !on && strcmp(argv[0], "off") != 0) {
        fprintf(stderr, "usage: petrelctl %s\n", ctl->usage);
        return EXIT_USAGE;
    }
    if (rc != EXIT_OK) {
        return rc;
    }
    client_begin(ctl->client);
    if (argc > 0) {
        client_bool(ctl->client, "on", on);
    }
    rc = client_call(ctl->client, argc > 0 ? "account.dht" : "account.show", ctl->args->json,
                     &result);
    if (rc != EXIT_OK || ctl->args->json) {
        return rc != EXIT_OK ? rc : json_print(result);
    }
    if (argc == 0) {
        (void)control_get_bool(result, "dht", &on);
    }
    puts(on ? "found through the DHT" : "not in the DHT");
    return EXIT_OK;
}

int cmd_rekey(struct ctl *ctl, int argc, char **argv)
{
    return plain_call(ctl, argc, argv, "account.rekey");
}
