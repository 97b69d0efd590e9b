/* SPDX-License-Identifier: Apache-2.0
 *
 * policy: which relays our relay passes requests on to: all, those of a list, or all but those, and
 * whether hosts that are not public are among them. docs/protocol/04-relay.md, section 4.9.4.
 *
 * The host reads it from its configuration and hands it in; nothing here is stored.
 */
#ifndef PETREL_NODE_POLICY_H
#define PETREL_NODE_POLICY_H

#include "node/address.h"

enum forward_mode {
    FORWARD_OPEN,  /* to every relay */
    FORWARD_ALLOW, /* to those that a rule names */
    FORWARD_DENY,  /* to all but those that a rule names */
};

enum forward_rule_kind {
    FORWARD_RULE_NODE,   /* the relay with this node ID, wherever it is */
    FORWARD_RULE_HOST,   /* this host */
    FORWARD_RULE_SUFFIX, /* every name that ends with this text, which begins with a dot */
};

struct forward_rule {
    enum forward_rule_kind kind;
    union {
        struct sign_pk node;
        char host[LIMIT_HOST + 1]; /* canonical (node/hostname.h) */
    } u;
};

/* All zero: open, but not to private hosts. */
struct forward_policy {
    enum forward_mode mode;
    bool private_hosts; /* also to hosts that hostname_is_private says are */
    size_t count;
    struct forward_rule rules[LIMIT_FORWARD_RULES];
};

/* A rule from text: petrelnode1..., a host, or .suffix. ERR_BAD_ADDRESS, ERR_BAD_CHECKSUM or
 * ERR_BAD_KEY of a node ID. */
enum err forward_rule_parse(struct slice text, struct forward_rule *rule) PETREL_MUST_USE;
/* Copies what is used of it. */
void forward_policy_copy(struct forward_policy *to, const struct forward_policy *from);
/* Whether a request may go there. A name that resolves to a private address is the host's to
 * refuse: NODE_OUT_CONNECT says public_only. */
bool forward_policy_allows(const struct forward_policy *policy, const struct address *to);

#endif
