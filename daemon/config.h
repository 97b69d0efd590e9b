/* SPDX-License-Identifier: Apache-2.0
 *
 * config: petreld.conf and the flags that override it. One table makes the parser, --print-config
 * and the keys of petreld.conf(5).
 *
 * Holds text that was checked; opens no file itself.
 */
#ifndef PETREL_DAEMON_CONFIG_H
#define PETREL_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/limits.h"
#include "daemon/io/socks.h"
#include "node/policy.h"

enum {
    CONFIG_VALUE = 160,   /* longest value, with its NUL */
    CONFIG_ENTRY = 80,    /* the same of a list */
    CONFIG_REASON = 256,  /* longest reason, with its NUL */
    CONFIG_FILE = 65536,  /* largest configuration file */
    CONFIG_KEY_NAME = 32, /* longest key, with its NUL */
};

enum config_type {
    CONFIG_BOOL,    /* yes or no */
    CONFIG_CHOICE,  /* one of the words of the range */
    CONFIG_ADDRESS, /* HOST:PORT, [IPv6]:PORT, or nothing */
    CONFIG_RULES,   /* relays and hosts, one a line; may come again */
    CONFIG_HOSTS,   /* HOST:PORT, one a line; may come again */
    CONFIG_PROXY,   /* socks5://[USER:PASSWORD@]HOST:PORT, or nothing */
};

/* KEY(constant, "name", type, "default", "range", reloadable, "what it is") */
#define CONFIG_KEYS(KEY)                                                                           \
    KEY(LISTEN, "listen", ADDRESS, "", "HOST:PORT", false,                                         \
        "Where links from other nodes are accepted. Empty: nowhere. Port 0: any free port.")       \
    KEY(PROXY, "proxy", PROXY, "", "socks5://[USER:PASSWORD@]HOST:PORT", false,                    \
        "A SOCKS 5 proxy that every link goes out through, and no name is looked up here.")        \
    KEY(RELAY, "relay", BOOL, "no", "yes|no", false,                                               \
        "Whether this node keeps messages for others. A relay needs listen.")                      \
    KEY(REGISTRATION, "relay.registration", CHOICE, "invite", "invite|open", false,                \
        "Who may become a member of this relay: holders of an invite code, or anybody.")           \
    KEY(ADDRESS, "relay.address", ADDRESS, "", "HOST:PORT", false,                                 \
        "What others dial to reach this relay. Empty: the value of listen. Port 0: its port.")     \
    KEY(FORWARD, "relay.forward", CHOICE, "open", "open|allow|deny", true,                         \
        "Where members' requests are passed on to: everywhere, to relay.forward_rule, or not.")    \
    KEY(FORWARD_RULE, "relay.forward_rule", RULES, "", "NODE-ID|HOST|.SUFFIX", true,               \
        "A relay, a host, or all hosts with this ending. May come again, a line each.")            \
    KEY(FORWARD_PRIVATE, "relay.forward_private", BOOL, "no", "yes|no", true,                      \
        "Whether requests are passed on to private, loopback and link-local addresses, too.")      \
    KEY(DHT, "dht.listen", ADDRESS, "", "HOST:PORT", false,                                        \
        "Where this node takes part in the DHT, over UDP. Empty: it does not. Port 0: any.")       \
    KEY(DHT_BOOTSTRAP, "dht.bootstrap", HOSTS, "", "HOST:PORT", false,                             \
        "A node of the DHT to begin with. May come again, a line each.")                           \
    KEY(DHT_PUBLIC, "dht.public", BOOL, "no", "yes|no", false,                                     \
        "Whether this node begins with the well-known nodes of the public DHT, too.")              \
    KEY(DHT_READ_ONLY, "dht.read_only", BOOL, "no", "yes|no", false,                               \
        "Whether this node only asks others, for machines that come and go.")                      \
    KEY(SANDBOX, "sandbox", CHOICE, "on", "on|strict|off", false,                                  \
        "What petreld gives up after its start: on, or strict for tests, or off to look for "      \
        "trouble.")                                                                                \
    KEY(LOG_LEVEL, "log.level", CHOICE, "info", "error|warn|info|debug", true,                     \
        "What is logged. Addresses and keys appear at debug only.")

enum config_key {
#define CONFIG_ENUM(constant, name, type, fallback, range, reload, help) CONFIG_KEY_##constant,
    CONFIG_KEYS(CONFIG_ENUM)
#undef CONFIG_ENUM
    CONFIG_COUNT
};

struct config_row {
    const char *name;
    enum config_type type;
    const char *fallback;
    const char *range;
    bool reloadable;
    const char *help;
};

/* The table's row for key. */
const struct config_row *config_row(enum config_key key);

/* The values of a key that may come again. */
struct config_list {
    char value[LIMIT_FORWARD_RULES][CONFIG_ENTRY];
    size_t count;
};

enum config_list_name {
    CONFIG_LIST_RULES, /* of CONFIG_KEY_FORWARD_RULE */
    CONFIG_LIST_HOSTS, /* of CONFIG_KEY_DHT_BOOTSTRAP */
    CONFIG_LISTS,
};

/* Secret: a proxy may have a password. */
struct config {
    char value[CONFIG_COUNT][CONFIG_VALUE];
    struct config_list lists[CONFIG_LISTS];
};

/* All defaults. */
void config_init(struct config *config);
/* Sets one key. ERR_CONFIG with a sentence in reason: unknown key, or a value that does not fit. */
enum err config_set(struct config *config, const char *name, const char *value,
                    char reason[static CONFIG_REASON]) PETREL_MUST_USE;
/* Reads a whole file's text: "key = value" lines, comments after # or ;, sections that put their
 * name and a dot before the keys. A key may come once, but lists (CONFIG_RULES, CONFIG_HOSTS). On
 * error config is as it was, and reason is "name:line: sentence". */
enum err config_parse(struct config *config, struct slice text, const char *name,
                      char reason[static CONFIG_REASON]) PETREL_MUST_USE;
/* What no single key shows: a relay needs listen, what is said of the DHT needs dht.listen, and
 * with a proxy there is none, since its datagrams would go around it. */
enum err config_check(const struct config *config,
                      char reason[static CONFIG_REASON]) PETREL_MUST_USE;
/* Writes a file that config_parse reads back to the same values, the proxy's password included. */
void config_print(const struct config *config, FILE *out);

/* What the keys relay.forward* say. */
void config_forward_policy(const struct config *config, struct forward_policy *policy);
/* Takes the value of a key over. */
void config_take(struct config *config, const struct config *from, enum config_key key);
bool config_bool(const struct config *config, enum config_key key);
/* Which word of the range, from 0. */
unsigned config_choice(const struct config *config, enum config_key key);
/* Splits value i of CONFIG_KEY_DHT_BOOTSTRAP. */
void config_host(const struct config *config, size_t i, char host[static LIMIT_HOST + 1],
                 uint16_t *port);
/* Splits CONFIG_KEY_PROXY, secret as it is; false when it is empty, and proxy is as it was. */
bool config_proxy(const struct config *config, struct socks_proxy *proxy);
/* Splits an address; false when it is empty. */
bool config_address(const struct config *config, enum config_key key,
                    char host[static LIMIT_HOST + 1], uint16_t *port);

#endif
