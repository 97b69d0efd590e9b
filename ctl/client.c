/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sodium.h>

#include "base/secret.h"
#include "ctl/args.h"
#include "ctl/clock.h"
#include "ctl/json.h"
#include "ctl/render.h"
#include "ctl/wire.h"

/* An event that came while a reply was awaited. */
struct event {
    struct event *next;
    size_t len;
    uint8_t bytes[];
};

struct client {
    const char *home;
    uint64_t timeout_ms;
    uint64_t account; /* 0: the first one */
    uint32_t next_id;
    struct wire wire;
    uint8_t *params; /* LIMIT_CONTROL_MESSAGE bytes: pairs, without the map's head */
    struct writer pairs;
    uint32_t count;
    uint8_t *out; /* LIMIT_CONTROL_MESSAGE bytes */
    struct event *first, *last;
    struct event *current; /* handed out */
};

/* Texts are in it. NULL is fine. */
static void event_free(struct event *e)
{
    if (e != NULL) {
        secret_wipe(e->bytes, e->len);
        free(e);
    }
}

struct client *client_new(const char *home, uint64_t timeout_ms)
{
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->home = home;
    c->timeout_ms = timeout_ms;
    c->next_id = 1;
    c->out = malloc(LIMIT_CONTROL_MESSAGE);
    c->params = malloc(LIMIT_CONTROL_MESSAGE);
    if (!wire_init(&c->wire) || c->out == NULL || c->params == NULL) {
        client_free(c);
        return NULL;
    }
    client_begin(c);
    return c;
}

void client_account(struct client *client, uint64_t account)
{
    client->account = account;
}

void client_free(struct client *c)
{
    if (c == NULL) {
        return;
    }
    uint8_t *blocks[] = {c->out, c->params};
    for (size_t i = 0; i < 2; i++) {
        if (blocks[i] != NULL) { /* passphrases, recovery words, texts */
            secret_wipe(blocks[i], LIMIT_CONTROL_MESSAGE);
            free(blocks[i]);
        }
    }
    while (c->first != NULL) {
        struct event *e = c->first;
        c->first = e->next;
        event_free(e);
    }
    event_free(c->current);
    wire_fini(&c->wire);
    free(c);
}

void client_begin(struct client *client)
{
    client->pairs = writer_of(client->params, LIMIT_CONTROL_MESSAGE);
    client->count = 0;
}

void client_str(struct client *client, const char *name, struct slice value)
{
    pack_str(&client->pairs, name);
    pack_str_slice(&client->pairs, value);
    client->count++;
}

void client_text(struct client *client, const char *name, const char *value)
{
    if (value != NULL) {
        client_str(client, name, slice_of(value, strlen(value)));
    }
}

void client_bin(struct client *client, const char *name, struct slice value)
{
    pack_str(&client->pairs, name);
    pack_bin_slice(&client->pairs, value);
    client->count++;
}

void client_uint(struct client *client, const char *name, uint64_t value)
{
    pack_str(&client->pairs, name);
    pack_uint(&client->pairs, value);
    client->count++;
}

void client_bool(struct client *client, const char *name, bool value)
{
    pack_str(&client->pairs, name);
    pack_bool(&client->pairs, value);
    client->count++;
}

void client_flag(struct client *client, const char *name, bool value)
{
    if (value) {
        client_bool(client, name, true);
    }
}

/* --- connection --- */

bool client_reaches(struct client *client)
{
    return wire_connect(&client->wire, client->home);
}

static int client_connect(struct client *c)
{
    if (wire_connect(&c->wire, c->home)) {
        return EXIT_OK;
    }
    if (errno == EACCES || errno == EPERM) {
        fprintf(stderr, "petrelctl: %s belongs to somebody else: %s\n", c->home, strerror(errno));
        return EXIT_LOCAL;
    }
    fprintf(stderr,
            "petrelctl: no petreld runs on %s\n"
            "Start one with: petreld --home %s\n",
            c->home, c->home);
    return EXIT_NO_DAEMON;
}

enum wait_result {
    WAIT_OK,
    WAIT_BROKEN,
    WAIT_TIMEOUT
};

/* deadline: monotonic ms, UINT64_MAX: never. */
static enum wait_result wait_fd(int fd, short events, uint64_t deadline)
{
    for (;;) {
        uint64_t now = clock_mono_ms();
        if (deadline != UINT64_MAX && now >= deadline) {
            return WAIT_TIMEOUT;
        }
        uint64_t left = deadline == UINT64_MAX ? 60000 : deadline - now;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, (int)(left < 60000 ? left : 60000));
        if (n > 0) {
            return WAIT_OK;
        }
        if (n < 0 && errno != EINTR) {
            return WAIT_BROKEN;
        }
    }
}

static enum wait_result send_all(struct client *c, struct slice bytes, uint64_t deadline)
{
    size_t sent = 0;
    for (;;) {
        if (wire_send(&c->wire, bytes, &sent) != ERR_OK) {
            return WAIT_BROKEN;
        }
        bytes = slice_of(bytes.p + sent, bytes.len - sent);
        enum wait_result w = bytes.len == 0 ? WAIT_OK : wait_fd(c->wire.fd, POLLOUT, deadline);
        if (bytes.len == 0 || w != WAIT_OK) {
            return w;
        }
    }
}

/* The next whole message; valid until the next call. */
static enum wait_result receive(struct client *c, struct control_message *m, uint64_t deadline)
{
    for (;;) {
        enum err err = wire_next(&c->wire, m);
        if (err != ERR_NOT_NOW) {
            return err == ERR_OK ? WAIT_OK : WAIT_BROKEN;
        }
        enum wait_result w = wait_fd(c->wire.fd, POLLIN, deadline);
        if (w != WAIT_OK || wire_fill(&c->wire) != ERR_OK) {
            return w != WAIT_OK ? w : WAIT_BROKEN;
        }
    }
}

/* --- events --- */

/* Keeps an event that came at the wrong moment; false: out of memory. */
static bool event_keep(struct client *c, struct slice bytes)
{
    struct event *e = malloc(sizeof *e + bytes.len);
    if (e == NULL) {
        return false;
    }
    e->next = NULL;
    e->len = bytes.len;
    memcpy(e->bytes, bytes.p, bytes.len);
    if (c->last != NULL) {
        c->last->next = e;
    } else {
        c->first = e;
    }
    c->last = e;
    return true;
}

int client_event(struct client *client, struct slice *event)
{
    bool late;
    return client_event_until(client, UINT64_MAX, event, &late);
}

int client_event_until(struct client *client, uint64_t deadline, struct slice *event, bool *late)
{
    struct control_message m;
    *late = false;
    event_free(client->current);
    client->current = client->first;
    if (client->current != NULL) {
        client->first = client->current->next;
        client->last = client->first == NULL ? NULL : client->last;
        *event = slice_of(client->current->bytes, client->current->len);
        return EXIT_OK;
    }
    do {
        enum wait_result w = client->wire.fd < 0 ? WAIT_BROKEN : receive(client, &m, deadline);
        if (w == WAIT_TIMEOUT) {
            *late = true;
            return EXIT_OK;
        }
        if (w != WAIT_OK) {
            fprintf(stderr, "petrelctl: the daemon has closed the connection\n");
            wire_close(&client->wire);
            return EXIT_NO_DAEMON;
        }
    } while (m.kind != CONTROL_NOTIFY);
    *event = m.params;
    return EXIT_OK;
}

int client_event_fd(const struct client *client)
{
    bool there = client->first != NULL || client->wire.in_len > client->wire.taken;
    return there ? -1 : client->wire.fd;
}

/* A descriptor that becomes readable when the daemon's process ends; -1: there is none. */
static int daemon_pidfd(const struct client *c)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    if (c->wire.fd < 0 || getsockopt(c->wire.fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
        return -1;
    }
    return (int)syscall(SYS_pidfd_open, cred.pid, 0);
}

int client_wait_gone(struct client *client)
{
    struct control_message m;
    uint64_t deadline = clock_mono_ms() + client->timeout_ms;
    enum wait_result w = WAIT_OK;
    int pidfd = daemon_pidfd(client);
    while (client->wire.fd >= 0 && w == WAIT_OK) {
        w = receive(client, &m, deadline);
    }
    wire_close(&client->wire);
    if (pidfd >= 0) {
        w = w == WAIT_TIMEOUT ? w : wait_fd(pidfd, POLLIN, deadline);
        close(pidfd);
    }
    if (w == WAIT_TIMEOUT) {
        fprintf(stderr, "petrelctl: the daemon takes long to stop\n");
        return EXIT_NO_DAEMON;
    }
    return EXIT_OK;
}

/* --- calls --- */

static int exit_of_class(struct slice class_name)
{
    static const struct {
        const char *name;
        int code;
    } codes[] = {
        {"local", EXIT_LOCAL}, {"caller", EXIT_USAGE}, {"peer", EXIT_PEER}, {"state", EXIT_STATE}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (slice_equal(class_name, slice_of(codes[i].name, strlen(codes[i].name)))) {
            return codes[i].code;
        }
    }
    return EXIT_LOCAL;
}

/* What the caller knows to do about errors. */
struct hints {
    const struct client_hint *list;
    size_t count;
};

static void show_hint(const struct hints *hints, struct slice name)
{
    for (size_t i = 0; i < hints->count; i++) {
        const struct client_hint *hint = &hints->list[i];
        if (slice_equal(name, slice_of(hint->error, strlen(hint->error)))) {
            fprintf(stderr, "%s\n", hint->todo);
        }
    }
}

/* An error of the daemon: a sentence for people, or the object itself. */
static int show_error(struct slice error, bool json, const struct hints *hints)
{
    struct control_error e;
    if (control_error_read(error, &e) != ERR_OK) {
        fprintf(stderr, "petrelctl: the daemon's answer makes no sense\n");
        return EXIT_LOCAL;
    }
    if (json) {
        json_print_error(error);
    } else {
        fputs("petrelctl: ", stderr);
        render_text(stderr, e.message);
        fputs(" (", stderr);
        render_text(stderr, e.name);
        fputs(")\n", stderr);
        show_hint(hints, e.name);
    }
    return exit_of_class(e.class_name);
}

/* Sends the request and waits for its reply. */
static enum wait_result exchange(struct client *c, struct slice request, uint32_t id,
                                 struct control_message *m)
{
    uint64_t deadline = clock_mono_ms() + c->timeout_ms;
    enum wait_result w = send_all(c, request, deadline);
    /* Even when sending broke off, an error under id 0 may say why. */
    while (w != WAIT_TIMEOUT) {
        enum wait_result got = receive(c, m, deadline);
        if (got != WAIT_OK) {
            return got;
        }
        if (m->kind == CONTROL_REPLY && (m->id == id || (m->id == 0 && m->error.len > 0))) {
            return WAIT_OK;
        }
        if (m->kind == CONTROL_NOTIFY && !event_keep(c, m->params)) {
            return WAIT_BROKEN;
        }
    }
    return w;
}

/* The whole request; empty when it is too large. */
static struct slice build(struct client *c, const struct control_method *row, const char *method,
                          uint32_t id)
{
    if (row != NULL && row->whose == CONTROL_ACCOUNT && c->account > 0) {
        client_uint(c, "account", c->account);
    }
    if (row != NULL && row->mutates) {
        uint8_t client_id[CONTROL_CLIENT_ID];
        randombytes_buf(client_id, sizeof client_id);
        pack_str(&c->pairs, "client_id");
        pack_bin(&c->pairs, client_id, sizeof client_id);
        c->count++;
    }
    struct writer w = writer_of(c->out, LIMIT_CONTROL_MESSAGE);
    pack_array(&w, 4);
    pack_uint(&w, CONTROL_REQUEST);
    pack_uint(&w, id);
    pack_str(&w, method);
    pack_array(&w, 1);
    pack_map(&w, c->count);
    writer_slice(&w, writer_done(&c->pairs));
    return c->pairs.err != ERR_OK ? slice_of(NULL, 0) : writer_done(&w);
}

static bool error_named(struct slice error, const char *name)
{
    struct control_error e;
    return name != NULL && control_error_read(error, &e) == ERR_OK &&
           slice_equal(e.name, slice_of(name, strlen(name)));
}

/* name: of an error that is not shown, or NULL. */
static int call(struct client *client, const char *method, bool json, const char *name, bool *is_so,
                const struct hints *hints, struct slice *result)
{
    const struct control_method *row = control_method_find(slice_of(method, strlen(method)));
    bool mutates = row != NULL && row->mutates;
    uint32_t id = client->next_id++;
    struct control_message m;
    struct slice request = build(client, row, method, id);
    if (request.len == 0) {
        fprintf(stderr, "petrelctl: the call is larger than %d bytes\n",
                (int)LIMIT_CONTROL_MESSAGE);
        return EXIT_USAGE;
    }
    enum wait_result w = WAIT_BROKEN;
    /* A repeat is harmless only because the daemon knows the client_id again. */
    for (int tries = mutates ? 2 : 1; tries > 0 && w == WAIT_BROKEN; tries--) {
        int rc = client_connect(client);
        if (rc != EXIT_OK) {
            return rc;
        }
        w = exchange(client, request, id, &m);
        if (w != WAIT_OK) {
            wire_close(&client->wire);
        }
    }
    if (w != WAIT_OK) {
        fprintf(stderr, "petrelctl: the daemon %s\n",
                w == WAIT_TIMEOUT ? "does not answer in time" : "has closed the connection");
        return EXIT_NO_DAEMON;
    }
    *is_so = m.error.len > 0 && error_named(m.error, name);
    if (*is_so) {
        return EXIT_OK;
    }
    if (m.error.len > 0) {
        int rc = show_error(m.error, json, hints);
        if (m.id == 0) { /* the daemon closes then: the next call is for another connection */
            wire_close(&client->wire);
        }
        return rc;
    }
    *result = m.result;
    return EXIT_OK;
}

int client_call(struct client *client, const char *method, bool json, struct slice *result)
{
    return client_call_hints(client, method, json, NULL, 0, result);
}

int client_call_hints(struct client *client, const char *method, bool json,
                      const struct client_hint *hints, size_t count, struct slice *result)
{
    const struct hints all = {hints, count};
    bool is_so;
    return call(client, method, json, NULL, &is_so, &all, result);
}

int client_try(struct client *client, const char *method, bool json, const char *name, bool *is_so,
               struct slice *result)
{
    const struct hints none = {NULL, 0};
    return call(client, method, json, name, is_so, &none, result);
}
