/* SPDX-License-Identifier: Apache-2.0
 *
 * stranger: somebody who knows the key bundle of a hostile's node, and what they make it read.
 */
#ifndef PETREL_TESTS_LIB_STRANGER_H
#define PETREL_TESTS_LIB_STRANGER_H

#include "lib/hostile.h"
#include "node/content.h"
#include "node/device.h"
#include "pair/prekey.h"
#include "pair/session.h"

/* A person who is not the node. */
struct stranger {
    struct sign_pk id;
    struct sign_sk identity;
    struct sign_sk sign; /* the device's */
    struct dh_sk dh;
    struct device_certificate device;
    uint8_t certificate[LIMIT_CERTIFICATE];
    size_t certificate_len;
    uint8_t list[LIMIT_DEVICE_LIST];
    size_t list_len;
    struct device_entry entry; /* of that list */
    struct sign_sk relay;      /* of the relay that it names */
    uint32_t list_version;
    struct session *session;
};

void stranger_init(struct hostile *h, struct stranger *s);
void stranger_fini(struct stranger *s);
/* A fresh device key; keeps the identity. */
void stranger_device(struct hostile *h, struct stranger *s);
/* Signs a list with one device, whose queue is at this host. */
void stranger_list(struct hostile *h, struct stranger *s, uint32_t version, uint64_t created_ms,
                   const char *host);
/* A new session from the node's bundle, with its last-resort key. invite: secret or NULL. */
void stranger_begin(struct hostile *h, struct stranger *s, const uint8_t *invite);
/* Adds the stranger by ID. */
void stranger_add_again(struct hostile *h, const struct stranger *s);
/* The same, and opens the link on which the descriptor is asked for. */
void stranger_add(struct hostile *h, const struct stranger *s);
/* The same, and reads the descriptor; the key bundle is asked for then. */
void stranger_look_up(struct hostile *h, struct stranger *s);
/* The stranger's relay answers a pop or get: the key bundle with this signed prekey and the list
 * that was signed last. */
void stranger_popped(struct hostile *h, struct stranger *s, const struct prekey_secret *prekey);
/* The node's relay answers with the stranger's descriptor of today, which names the same list. */
void stranger_described(struct hostile *h, struct stranger *s);
/* The same for another period. */
void stranger_described_for(struct hostile *h, struct stranger *s, uint64_t period);
/* The same record and queue at the same relay, but a list of this version. */
void stranger_relist(struct hostile *h, struct stranger *s, uint32_t version);
/* Seals content of this type; the envelope lies in h->scratch. */
struct slice stranger_seal(struct hostile *h, struct stranger *s, uint32_t type, const char *text);
/* The same for any content. */
struct slice stranger_seal_content(struct hostile *h, struct stranger *s, struct content *content);
/* Begins a session, asks to become a contact in it, and the request is pushed. */
void stranger_request(struct hostile *h, struct stranger *s);
/* The node's user accepts that. */
void stranger_accepted(struct hostile *h, const struct stranger *s);

#endif
