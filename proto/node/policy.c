/* SPDX-License-Identifier: Apache-2.0 */
#include "node/policy.h"

#include <string.h>

#include "node/hostname.h"

/* Text that begins like a node ID is one, or is mistyped. */
static bool looks_like_node(struct slice text)
{
    static const char hrp[] = NODE_ID_HRP "1";
    size_t n = sizeof hrp - 1;
    if (text.len < n || memchr(text.p, '.', text.len) != NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t c = text.p[i];
        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != hrp[i]) {
            return false;
        }
    }
    return true;
}

static enum err parse_node(struct slice text, struct sign_pk *node)
{
    enum err err = node_id_decode(text, node->b);
    if (err == ERR_OK && !prim_sign_pk_valid(node)) {
        err = ERR_BAD_KEY;
    }
    return err == ERR_BAD_ID ? ERR_BAD_ADDRESS : err;
}

enum err forward_rule_parse(struct slice text, struct forward_rule *rule)
{
    struct forward_rule got = {.kind = FORWARD_RULE_HOST};
    char host[LIMIT_HOST + 1];
    if (looks_like_node(text)) {
        got.kind = FORWARD_RULE_NODE;
        enum err err = parse_node(text, &got.u.node);
        if (err != ERR_OK) {
            return err;
        }
    } else if (text.len > 1 && text.p[0] == '.') {
        got.kind = FORWARD_RULE_SUFFIX;
        struct slice name = slice_of(text.p + 1, text.len - 1);
        if (text.len > LIMIT_HOST || hostname_canonical(name, host) != HOSTNAME_NAME) {
            return ERR_BAD_ADDRESS;
        }
        got.u.host[0] = '.';
        memcpy(got.u.host + 1, host, name.len + 1);
    } else if (hostname_canonical(text, got.u.host) == HOSTNAME_BAD) {
        return ERR_BAD_ADDRESS;
    }
    *rule = got;
    return ERR_OK;
}

void forward_policy_copy(struct forward_policy *to, const struct forward_policy *from)
{
    to->mode = from->mode;
    to->private_hosts = from->private_hosts;
    to->count = from->count;
    memcpy(to->rules, from->rules, from->count * sizeof from->rules[0]);
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t n = strlen(suffix);
    return len > n && memcmp(text + len - n, suffix, n) == 0;
}

static bool rule_fits(const struct forward_rule *rule, const struct address *to)
{
    switch (rule->kind) {
    case FORWARD_RULE_NODE:
        return memcmp(rule->u.node.b, to->node_id.b, sizeof to->node_id.b) == 0;
    case FORWARD_RULE_HOST:
        return strcmp(rule->u.host, to->host) == 0;
    case FORWARD_RULE_SUFFIX:
        return ends_with(to->host, rule->u.host);
    }
    return false;
}

bool forward_policy_allows(const struct forward_policy *policy, const struct address *to)
{
    bool named = false;
    if (!policy->private_hosts && hostname_is_private(slice_of(to->host, strlen(to->host)))) {
        return false;
    }
    for (size_t i = 0; !named && i < policy->count; i++) {
        named = rule_fits(&policy->rules[i], to);
    }
    switch (policy->mode) {
    case FORWARD_OPEN:
        return true;
    case FORWARD_ALLOW:
        return named;
    case FORWARD_DENY:
        return !named;
    }
    return false;
}
