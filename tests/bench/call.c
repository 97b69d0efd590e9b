/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "bench/rig.h"

enum {
    CALL_PAUSE_US = 200, /* between two attempts to connect */
};

struct call {
    int fd;
    uint32_t id;
    uint8_t in[LIMIT_CONTROL_MESSAGE];
    size_t in_len;
    size_t taken; /* bytes of in that the last message had */
    uint8_t params[LIMIT_CONTROL_MESSAGE / 2];
    struct writer pairs;
    uint32_t count;
};

static int try_connect(const char *home)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s/control.sock", home);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

struct call *call_open(const char *home, pid_t pid)
{
    struct call *c = calloc(1, sizeof *c);
    if (c == NULL) {
        rig_die("no memory");
    }
    uint64_t end = rig_ns() + RIG_REPLY_S * UINT64_C(1000000000);
    while ((c->fd = try_connect(home)) < 0) {
        if (waitpid(pid, NULL, WNOHANG) == pid || rig_ns() > end) {
            rig_die("%s does not start: see its log", home);
        }
        usleep(CALL_PAUSE_US);
    }
    (void)call_plain(c, "hello");
    return c;
}

void call_close(struct call *c)
{
    close(c->fd);
    free(c);
}

void call_begin(struct call *c)
{
    c->pairs = writer_of(c->params, sizeof c->params);
    c->count = 0;
}

void call_text(struct call *c, const char *name, const char *value)
{
    pack_str(&c->pairs, name);
    pack_str(&c->pairs, value);
    c->count++;
}

void call_uint(struct call *c, const char *name, uint64_t value)
{
    pack_str(&c->pairs, name);
    pack_uint(&c->pairs, value);
    c->count++;
}

void call_true(struct call *c, const char *name)
{
    pack_str(&c->pairs, name);
    pack_bool(&c->pairs, true);
    c->count++;
}

void call_bin(struct call *c, const char *name, struct slice value)
{
    pack_str(&c->pairs, name);
    pack_bin_slice(&c->pairs, value);
    c->count++;
}

static void send_all(struct call *c, struct slice bytes)
{
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t n = send(c->fd, bytes.p + done, bytes.len - done, 0);
        if (n < 0) {
            rig_die("control socket: %s", strerror(errno));
        }
        done += (size_t)n;
    }
}

/* The next whole message; false: none within the time. */
static bool receive(struct call *c, unsigned timeout_ms, struct control_message *m)
{
    struct control_scan scan = control_scan_new();
    size_t len = 0;
    memmove(c->in, c->in + c->taken, c->in_len - c->taken);
    c->in_len -= c->taken;
    c->taken = 0;
    for (;;) {
        enum err err = control_scan(&scan, slice_of(c->in, c->in_len), &len);
        if (err == ERR_OK) {
            break;
        }
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (err == ERR_NOT_NOW && poll(&p, 1, (int)timeout_ms) == 0) {
            return false;
        }
        ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
        if (err != ERR_NOT_NOW || n <= 0) {
            rig_die("control socket: the daemon is gone");
        }
        c->in_len += (size_t)n;
    }
    if (control_read(slice_of(c->in, len), m) != ERR_OK) {
        rig_die("control socket: a message cannot be read");
    }
    c->taken = len;
    return true;
}

struct slice call_run(struct call *c, const char *method)
{
    if (c->pairs.err != ERR_OK) {
        rig_die("%s: more parameters than fit", method);
    }
    uint8_t map[sizeof c->params + 64];
    uint8_t out[sizeof map + 128];
    const struct control_method *row = control_method_find(slice_of(method, strlen(method)));
    bool mutates = row != NULL && row->mutates;
    struct writer w = writer_of(map, sizeof map);
    pack_map(&w, c->count + (mutates ? 1 : 0));
    writer_slice(&w, writer_done(&c->pairs));
    if (mutates) {
        uint8_t id[CONTROL_CLIENT_ID];
        randombytes_buf(id, sizeof id);
        pack_str(&w, "client_id");
        pack_bin(&w, id, sizeof id);
    }
    struct writer o = writer_of(out, sizeof out);
    control_write_request(&o, ++c->id, method, writer_done(&w));
    send_all(c, writer_done(&o));
    struct control_message m;
    do {
        if (!receive(c, RIG_REPLY_S * 1000, &m)) {
            rig_die("%s: no reply", method);
        }
    } while (m.kind != CONTROL_REPLY || m.id != c->id);
    if (m.error.len > 0) {
        struct control_error e;
        bool told = control_error_read(m.error, &e) == ERR_OK;
        rig_die("%s: %.*s", method, told ? (int)e.name.len : 0, told ? (const char *)e.name.p : "");
    }
    return m.result;
}

struct slice call_plain(struct call *c, const char *method)
{
    call_begin(c);
    return call_run(c, method);
}

void call_take(struct slice map, const char *name, char *out, size_t cap)
{
    struct slice text;
    if (!control_get_str(map, name, &text) || text.len >= cap) {
        rig_die("no %s in a reply", name);
    }
    memcpy(out, text.p, text.len);
    out[text.len] = '\0';
}

struct slice call_event(struct call *c, unsigned timeout_ms)
{
    struct control_message m;
    if (!receive(c, timeout_ms, &m)) {
        return slice_of(NULL, 0);
    }
    if (m.kind != CONTROL_NOTIFY) {
        rig_die("control socket: no event");
    }
    return m.params;
}
