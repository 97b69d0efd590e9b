/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/secret.h"

bool wire_init(struct wire *w)
{
    *w = (struct wire){.fd = -1, .in = malloc(LIMIT_CONTROL_MESSAGE), .scan = control_scan_new()};
    return w->in != NULL;
}

void wire_fini(struct wire *w)
{
    wire_close(w);
    if (w->in != NULL) { /* recovery words, texts */
        secret_wipe(w->in, LIMIT_CONTROL_MESSAGE);
        free(w->in);
        w->in = NULL;
    }
}

/* The socket of a home may lie deeper than sun_path is long: it is reached through the folder. */
bool wire_connect(struct wire *w, const char *home)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (w->fd >= 0) {
        return true;
    }
    int dir = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return false;
    }
    w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof addr.sun_path, "/proc/self/fd/%d/control.sock", dir);
    if (w->fd >= 0 && connect(w->fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
        int saved = errno;
        wire_close(w);
        errno = saved;
    }
    close(dir);
    return w->fd >= 0;
}

void wire_close(struct wire *w)
{
    if (w->fd >= 0) {
        close(w->fd);
    }
    w->fd = -1;
    w->in_len = w->taken = 0;
    w->scan = control_scan_new();
}

enum err wire_send(struct wire *w, struct slice bytes, size_t *sent)
{
    *sent = 0;
    while (*sent < bytes.len) {
        ssize_t n = send(w->fd, bytes.p + *sent, bytes.len - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            *sent += (size_t)n;
        } else if (errno != EINTR) {
            return errno == EAGAIN ? ERR_OK : ERR_IO;
        }
    }
    return ERR_OK;
}

/* Moves what follows the message that was handed out to the front. */
static void drop_taken(struct wire *w)
{
    if (w->taken > 0) {
        memmove(w->in, w->in + w->taken, w->in_len - w->taken);
        w->in_len -= w->taken;
        w->taken = 0;
        w->scan = control_scan_new();
    }
}

enum err wire_fill(struct wire *w)
{
    drop_taken(w);
    if (w->in_len == LIMIT_CONTROL_MESSAGE) {
        return ERR_OK; /* wire_next first */
    }
    ssize_t n = recv(w->fd, w->in + w->in_len, LIMIT_CONTROL_MESSAGE - w->in_len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        return ERR_IO;
    }
    w->in_len += n > 0 ? (size_t)n : 0;
    return ERR_OK;
}

enum err wire_next(struct wire *w, struct control_message *m)
{
    size_t len = 0;
    drop_taken(w);
    enum err err = control_scan(&w->scan, slice_of(w->in, w->in_len), &len);
    if (err == ERR_NOT_NOW && w->in_len == LIMIT_CONTROL_MESSAGE) {
        return ERR_TOO_LARGE;
    }
    if (err == ERR_OK) {
        w->taken = len;
        err = control_read(slice_of(w->in, len), m);
    }
    return err == ERR_NOT_NOW || err == ERR_OK ? err : ERR_MALFORMED;
}
