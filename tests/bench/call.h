/* SPDX-License-Identifier: Apache-2.0
 *
 * call: a client of a daemon's control socket for benches: blocking, one call at a time; whatever
 * goes wrong ends the bench.
 */
#ifndef PETREL_TESTS_BENCH_CALL_H
#define PETREL_TESTS_BENCH_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/codec.h"

struct call;

/* Connects as soon as the daemon of pid answers; the reply to hello has come when it returns. */
struct call *call_open(const char *home, pid_t pid);
void call_close(struct call *call);

/* Parameters, then the call; result: one map, valid until the next call_ function. */
void call_begin(struct call *call);
void call_text(struct call *call, const char *name, const char *value);
void call_uint(struct call *call, const char *name, uint64_t value);
void call_true(struct call *call, const char *name);
void call_bin(struct call *call, const char *name, struct slice value);
struct slice call_run(struct call *call, const char *method);
/* A call without parameters but client_id. */
struct slice call_plain(struct call *call, const char *method);

/* The text of a field of the result, copied. */
void call_take(struct slice map, const char *name, char *out, size_t cap);
/* The next event; an empty slice when none came within timeout_ms. */
struct slice call_event(struct call *call, unsigned timeout_ms);

#endif
