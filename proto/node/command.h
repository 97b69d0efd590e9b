/* SPDX-License-Identifier: Apache-2.0
 *
 * command: what the methods of the control interface are handed, and each of them. The table is in
 * command.c, parameters and results are in control/methods.h.
 *
 * Private to proto/node/command*.c.
 */
#ifndef PETREL_NODE_COMMAND_H
#define PETREL_NODE_COMMAND_H

#include "node/core.h"
#include "node/params.h"

/* One call. */
struct call {
    struct node *node;
    struct account *me; /* whose call it is; NULL: the node has none. Open, when it must be */
    struct step *step;
    struct slice params;
    const struct node_root *root; /* account.create, account.unlock, account.passphrase */
    uint32_t opened;              /* the account that root has opened; 0: none */
    uint64_t client;              /* who waits for the answer, */
    uint32_t number;              /* to which of its calls */
    bool later;                   /* it comes with a later turn */
    struct writer out;            /* the result map */
};

enum {
    CALL_PAGE = 24, /* entries of a list in one result */
};

/* command_account.c */
/* Opens a locked account with the call's root. */
enum err call_account_open(struct call *c, struct account *me);
enum err call_account_create(struct call *c);
enum err call_account_unlock(struct call *c);
enum err call_account_lock(struct call *c);
enum err call_account_passphrase(struct call *c);
enum err call_account_rekey(struct call *c);
enum err call_account_dht(struct call *c);
enum err call_restore_put(struct call *c);
enum err call_restore_end(struct call *c);
enum err call_account_list(struct call *c);
enum err call_account_remove(struct call *c);
enum err call_daemon_status(struct call *c);

/* command_contact.c */
enum err call_invite_create(struct call *c);
enum err call_contact_add(struct call *c);
enum err call_contact_block(struct call *c);
enum err call_contact_verify(struct call *c);
enum err call_contact_resolve(struct call *c);
enum err call_request_accept(struct call *c);
enum err call_device_invite(struct call *c);
enum err call_device_link(struct call *c);
/* The contact that parameter "contact" names. ERR_UNKNOWN_CONTACT, ERR_AMBIGUOUS. */
enum err call_named_contact(struct call *c, struct contact_row *row);

/* command_message.c */
enum err call_message_send(struct call *c);
enum err call_message_delete(struct call *c);
enum err call_message_read(struct call *c);
enum err call_event_ack(struct call *c);

/* command_device.c */
enum err call_device_remove(struct call *c);

/* command_relay.c */
enum err call_relay_use(struct call *c);
enum err call_relay_leave(struct call *c);
enum err call_relay_status(struct call *c);
enum err call_relay_invite(struct call *c);
enum err call_relay_members(struct call *c);
enum err call_relay_waiting(struct call *c);
enum err call_relay_remove(struct call *c);
enum err call_relay_limits(struct call *c);
enum err call_relay_verify(struct call *c);

#endif
