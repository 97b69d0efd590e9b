/* SPDX-License-Identifier: Apache-2.0
 *
 * client: petrelctl's end of the control socket: blocking calls with a time limit, and the events
 * that come in between. docs/protocol/09-control.md.
 */
#ifndef PETREL_CTL_CLIENT_H
#define PETREL_CTL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "control/codec.h"

struct client;

/* home is borrowed. NULL when out of memory. Connects with the first call. */
struct client *client_new(const char *home, uint64_t timeout_ms);
/* Calls about an account are about this one; 0: about the first. */
void client_account(struct client *client, uint64_t account);
/* Wipes and frees; NULL is fine. */
void client_free(struct client *client);

/* Parameters of a call under construction. */
void client_begin(struct client *client);
void client_str(struct client *client, const char *name, struct slice value);
void client_text(struct client *client, const char *name, const char *value); /* NULL: left out */
void client_bin(struct client *client, const char *name, struct slice value);
void client_uint(struct client *client, const char *name, uint64_t value);
void client_bool(struct client *client, const char *name, bool value);
void client_flag(struct client *client, const char *name, bool value); /* false: left out */

/* Makes the call with the parameters since client_begin; a method that changes something gets a
 * random client_id, and one more try with the same when the connection broke before the reply.
 * Gives an exit code; on failure a sentence is on stderr (with json, the error object on stdout).
 * result is valid until the next call. */
int client_call(struct client *client, const char *method, bool json, struct slice *result);

/* As client_call, but an error of this name is not shown: EXIT_OK, and *is_so. The call may be made
 * again, from client_begin on. */
int client_try(struct client *client, const char *method, bool json, const char *name, bool *is_so,
               struct slice *result);

/* What to do about an error of the daemon, for people. */
struct client_hint {
    const char *error; /* its name */
    const char *todo;  /* a sentence */
};

/* As client_call, and an error that one of the hints is for is followed by that one. */
int client_call_hints(struct client *client, const char *method, bool json,
                      const struct client_hint *hints, size_t count, struct slice *result);

/* Connects without a word when nobody answers: errno says why. */
bool client_reaches(struct client *client);
/* The next event, one map; valid until the next call. EXIT_NO_DAEMON when the daemon is gone. */
int client_event(struct client *client, struct slice *event);
/* The same until deadline (clock_mono_ms); then EXIT_OK, and *late: there was none. */
int client_event_until(struct client *client, uint64_t deadline, struct slice *event, bool *late);
/* A descriptor that is readable when client_event need not wait long; -1: there is an event
 * already, or no connection. */
int client_event_fd(const struct client *client);
/* After daemon.stop: waits until the daemon's process has ended. */
int client_wait_gone(struct client *client);

#endif
