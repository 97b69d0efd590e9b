/* SPDX-License-Identifier: Apache-2.0
 *
 * control_events: streams the event log to the clients that subscribed, at the pace at which each
 * of them reads. docs/protocol/09-control.md.
 *
 * Owns nothing of its own, a client has its cursor; I/O thread only, the log is read by workers.
 * It buffers no events for a client beyond LIMIT_CONTROL_INFLIGHT: the rest is read again.
 */
#ifndef PETREL_DAEMON_IO_CONTROL_EVENTS_H
#define PETREL_DAEMON_IO_CONTROL_EVENTS_H

#include "daemon/io/control_client.h"

/* The done of the worker job of event.subscribe: replies, and begins to stream. Frees job. */
void control_events_subscribed(struct worker_job *job);
/* The account's log has grown up to cursor. */
void control_events_heard(struct control_shared *control, uint32_t account, uint64_t cursor);
/* The account is gone: whoever listens to it is cut off. */
void control_events_over(struct control_shared *control, uint32_t account);
/* Reads on in the log when there is more and the client keeps up. */
void control_events_pull(struct control_client *client);

#endif
