/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <assert.h>
#include <string.h>

#include <ini.h>

#include "base/secret.h"

static const struct config_row ROWS[CONFIG_COUNT] = {
#define CONFIG_ROW(constant, key, kind, standard, words, reload, text)                             \
    [CONFIG_KEY_##constant] = {.name = (key),                                                      \
                               .type = CONFIG_##kind,                                              \
                               .fallback = (standard),                                             \
                               .range = (words),                                                   \
                               .reloadable = (reload),                                             \
                               .help = (text)},
    CONFIG_KEYS(CONFIG_ROW)
#undef CONFIG_ROW
};

const struct config_row *config_row(enum config_key key)
{
    return &ROWS[key];
}

void config_init(struct config *config)
{
    for (size_t i = 0; i < CONFIG_LISTS; i++) {
        config->lists[i].count = 0;
    }
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        snprintf(config->value[i], CONFIG_VALUE, "%s", ROWS[i].fallback);
    }
}

/* The place of value among the words "a|b|c"; -1 when it is none of them. */
static int word_index(const char *words, const char *value)
{
    size_t len = strlen(value);
    for (int i = 0; len > 0; i++) {
        size_t n = strcspn(words, "|");
        if (n == len && memcmp(words, value, n) == 0) {
            return i;
        }
        if (words[n] == '\0') {
            return -1;
        }
        words += n + 1;
    }
    return -1;
}

/* Names, addresses, zones of addresses; nothing that could begin a comment. */
static const char HOST_CHARACTERS[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:%";

/* HOST:PORT or [HOST]:PORT. */
static bool address_split(const char *value, char host[static LIMIT_HOST + 1], uint16_t *port)
{
    const char *begin = value;
    const char *colon = strrchr(value, ':');
    const char *end = colon;
    unsigned number = 0;
    if (colon == NULL || colon[1] == '\0' || strlen(colon + 1) > 5) {
        return false;
    }
    for (const char *p = colon + 1; *p != '\0'; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(*p - '0');
    }
    if (*begin == '[') {
        begin++;
        end--;
        if (end <= begin || *end != ']') {
            return false;
        }
    } else if (memchr(begin, ':', (size_t)(end - begin)) != NULL) {
        return false;
    }
    size_t len = (size_t)(end - begin);
    if (number > UINT16_MAX || len == 0 || len > LIMIT_HOST) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (strchr(HOST_CHARACTERS, begin[i]) == NULL) {
            return false;
        }
    }
    memcpy(host, begin, len);
    host[len] = '\0';
    *port = (uint16_t)number;
    return true;
}

/* A user's name or password: printable, and nothing that ends it. */
static bool proxy_word(const char *begin, const char *end, char out[static LIMIT_PROXY_WORD + 1])
{
    size_t len = (size_t)(end - begin);
    if (len == 0 || len > LIMIT_PROXY_WORD) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (begin[i] <= ' ' || begin[i] > '~' || strchr(":@", begin[i]) != NULL) {
            return false;
        }
    }
    memcpy(out, begin, len);
    out[len] = '\0';
    return true;
}

static bool proxy_split(const char *value, struct socks_proxy *proxy)
{
    static const char scheme[] = "socks5://";
    if (strncmp(value, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    value += sizeof scheme - 1;
    *proxy = (struct socks_proxy){.port = 0};
    const char *at = strrchr(value, '@');
    if (at != NULL) {
        const char *colon = memchr(value, ':', (size_t)(at - value));
        if (colon == NULL || !proxy_word(value, colon, proxy->user.name) ||
            !proxy_word(colon + 1, at, proxy->user.password)) {
            return false;
        }
        value = at + 1;
    }
    return address_split(value, proxy->host, &proxy->port) && proxy->port != 0;
}

static struct slice value_slice(const char *value)
{
    return slice_of(value, strlen(value));
}

/* Which list the values of a key are in that may come again; CONFIG_LISTS: it has one value. */
static enum config_list_name list_of(enum config_type type)
{
    return type == CONFIG_RULES   ? CONFIG_LIST_RULES
           : type == CONFIG_HOSTS ? CONFIG_LIST_HOSTS
                                  : CONFIG_LISTS;
}

static bool comes_again(enum config_type type)
{
    return list_of(type) != CONFIG_LISTS;
}

static bool value_fits(const struct config_row *row, const char *value)
{
    char host[LIMIT_HOST + 1];
    uint16_t port;
    struct forward_rule rule;
    if (strlen(value) >= (comes_again(row->type) ? CONFIG_ENTRY : CONFIG_VALUE)) {
        return false;
    }
    switch (row->type) {
    case CONFIG_BOOL:
    case CONFIG_CHOICE:
        return word_index(row->range, value) >= 0;
    case CONFIG_ADDRESS:
    case CONFIG_HOSTS:
        return value[0] == '\0' || address_split(value, host, &port);
    case CONFIG_PROXY: {
        struct socks_proxy proxy;
        bool fits = value[0] == '\0' || proxy_split(value, &proxy);
        secret_wipe(&proxy, sizeof proxy);
        return fits;
    }
    case CONFIG_RULES:
        return value[0] == '\0' || forward_rule_parse(value_slice(value), &rule) == ERR_OK;
    }
    return false;
}

static int key_find(const char *name)
{
    for (int i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(ROWS[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* An empty one stands for none. */
static enum err list_add(struct config_list *list, const char *value,
                         char reason[static CONFIG_REASON])
{
    if (value[0] == '\0') {
        return ERR_OK;
    }
    if (list->count == LIMIT_FORWARD_RULES) {
        snprintf(reason, CONFIG_REASON, "more than %d rules", (int)LIMIT_FORWARD_RULES);
        return ERR_CONFIG;
    }
    snprintf(list->value[list->count++], CONFIG_ENTRY, "%s", value);
    return ERR_OK;
}

enum err config_set(struct config *config, const char *name, const char *value,
                    char reason[static CONFIG_REASON])
{
    int key = key_find(name);
    if (key < 0) {
        snprintf(reason, CONFIG_REASON, "there is no key '%.40s'", name);
        return ERR_CONFIG;
    }
    if (!value_fits(&ROWS[key], value)) {
        /* There may be a password in it. */
        bool hush = ROWS[key].type == CONFIG_PROXY;
        snprintf(reason, CONFIG_REASON, "%s: %s%.80s%s is not %s", name, hush ? "" : "'",
                 hush ? "what is given" : value, hush ? "" : "'", ROWS[key].range);
        return ERR_CONFIG;
    }
    if (comes_again(ROWS[key].type)) {
        return list_add(&config->lists[list_of(ROWS[key].type)], value, reason);
    }
    snprintf(config->value[key], CONFIG_VALUE, "%s", value);
    return ERR_OK;
}

/* A file that is being read line by line. */
struct parse {
    struct slice text;
    size_t pos;
    int line;
    struct config config;
    bool seen[CONFIG_COUNT];
    int failed_line;            /* 0: none */
    char reason[CONFIG_REASON]; /* of failed_line */
};

static void parse_fail(struct parse *p, const char *reason)
{
    if (p->failed_line == 0) {
        p->failed_line = p->line;
        snprintf(p->reason, sizeof p->reason, "%s", reason);
    }
}

/* inih's reader, like fgets; refuses what inih would silently cut or misread. */
static char *parse_line(char *out, int size, void *stream)
{
    struct parse *p = stream;
    size_t left = p->text.len - p->pos;
    if (left == 0 || p->failed_line != 0) {
        return NULL;
    }
    const uint8_t *begin = p->text.p + p->pos;
    const uint8_t *newline = memchr(begin, '\n', left);
    size_t len = newline != NULL ? (size_t)(newline - begin) + 1 : left;
    p->line++;
    if (len >= (size_t)size) {
        parse_fail(p, "the line is too long");
        return NULL;
    }
    if (memchr(begin, '\0', len) != NULL) {
        parse_fail(p, "a zero byte");
        return NULL;
    }
    memcpy(out, begin, len);
    out[len] = '\0';
    p->pos += len;
    return out;
}

static int parse_pair(void *user, const char *section, const char *name, const char *value)
{
    struct parse *p = user;
    char key[2 * CONFIG_VALUE];
    char reason[CONFIG_REASON];
    snprintf(key, sizeof key, "%s%s%s", section, section[0] != '\0' ? "." : "", name);
    int index = key_find(key);
    if (index >= 0 && p->seen[index] && !comes_again(ROWS[index].type)) {
        snprintf(reason, sizeof reason, "%.100s: given twice", key);
        parse_fail(p, reason);
        return 0;
    }
    if (config_set(&p->config, key, value, reason) != ERR_OK) {
        parse_fail(p, reason);
        return 0;
    }
    p->seen[index] = true;
    return 1;
}

enum err config_parse(struct config *config, struct slice text, const char *name,
                      char reason[static CONFIG_REASON])
{
    struct parse p = {.text = text, .config = *config};
    if (text.len > CONFIG_FILE) {
        snprintf(reason, CONFIG_REASON, "%.120s:1: larger than %d bytes", name, (int)CONFIG_FILE);
        return ERR_CONFIG;
    }
    int line = ini_parse_stream(parse_line, &p, parse_pair, &p);
    if (line != 0 && (p.failed_line == 0 || line < p.failed_line)) {
        p.failed_line = line;
        snprintf(p.reason, sizeof p.reason, "%s", "neither 'key = value' nor a comment");
    }
    if (p.failed_line != 0) {
        snprintf(reason, CONFIG_REASON, "%.100s:%d: %.130s", name, p.failed_line, p.reason);
    } else {
        *config = p.config;
    }
    secret_wipe(&p.config, sizeof p.config);
    return p.failed_line != 0 ? ERR_CONFIG : ERR_OK;
}

enum err config_check(const struct config *config, char reason[static CONFIG_REASON])
{
    if (config_bool(config, CONFIG_KEY_RELAY) && config->value[CONFIG_KEY_LISTEN][0] == '\0') {
        snprintf(reason, CONFIG_REASON, "%s",
                 "a relay needs an address to listen on: listen = HOST:PORT");
        return ERR_CONFIG;
    }
    if (config->value[CONFIG_KEY_DHT][0] == '\0' &&
        (config->lists[CONFIG_LIST_HOSTS].count > 0 ||
         config_bool(config, CONFIG_KEY_DHT_READ_ONLY) ||
         config_bool(config, CONFIG_KEY_DHT_PUBLIC))) {
        snprintf(reason, CONFIG_REASON, "%s",
                 "this node is in no DHT: dht.listen = HOST:PORT, or no other key of it");
        return ERR_CONFIG;
    }
    if (config->value[CONFIG_KEY_DHT][0] != '\0' && config->value[CONFIG_KEY_PROXY][0] != '\0') {
        snprintf(reason, CONFIG_REASON, "%s",
                 "the DHT would go around the proxy: one of proxy and dht.listen, not both");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

void config_print(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        fprintf(out, "%s# %s\n# %s; default: %s%s\n", i > 0 ? "\n" : "", ROWS[i].help,
                ROWS[i].range, ROWS[i].fallback[0] != '\0' ? ROWS[i].fallback : "empty",
                ROWS[i].reloadable ? "; SIGHUP reads it again" : "");
        enum config_list_name list = list_of(ROWS[i].type);
        size_t count = list != CONFIG_LISTS ? config->lists[list].count : 0;
        for (size_t k = 0; k < count; k++) {
            fprintf(out, "%s = %s\n", ROWS[i].name, config->lists[list].value[k]);
        }
        if (count == 0) {
            fprintf(out, "%s = %s\n", ROWS[i].name, config->value[i]);
        }
    }
}

void config_forward_policy(const struct config *config, struct forward_policy *policy)
{
    static const enum forward_mode modes[] = {FORWARD_OPEN, FORWARD_ALLOW, FORWARD_DENY};
    size_t mode = (size_t)config_choice(config, CONFIG_KEY_FORWARD);
    assert(mode < sizeof modes / sizeof modes[0]); /* config_set has looked */
    policy->mode = modes[mode];
    policy->private_hosts = config_bool(config, CONFIG_KEY_FORWARD_PRIVATE);
    policy->count = 0;
    const struct config_list *rules = &config->lists[CONFIG_LIST_RULES];
    for (size_t i = 0; i < rules->count; i++) {
        struct slice text = value_slice(rules->value[i]);
        enum err err = forward_rule_parse(text, &policy->rules[policy->count++]);
        assert(err == ERR_OK); /* config_set has looked */
    }
}

void config_take(struct config *config, const struct config *from, enum config_key key)
{
    memcpy(config->value[key], from->value[key], CONFIG_VALUE);
    if (comes_again(ROWS[key].type)) {
        enum config_list_name list = list_of(ROWS[key].type);
        config->lists[list] = from->lists[list];
    }
}

bool config_bool(const struct config *config, enum config_key key)
{
    return strcmp(config->value[key], "yes") == 0;
}

unsigned config_choice(const struct config *config, enum config_key key)
{
    int index = word_index(ROWS[key].range, config->value[key]);
    return index < 0 ? 0 : (unsigned)index;
}

void config_host(const struct config *config, size_t i, char host[static LIMIT_HOST + 1],
                 uint16_t *port)
{
    bool good = address_split(config->lists[CONFIG_LIST_HOSTS].value[i], host, port);
    assert(good); /* config_set has looked */
    (void)good;
}

bool config_proxy(const struct config *config, struct socks_proxy *proxy)
{
    const char *value = config->value[CONFIG_KEY_PROXY];
    return value[0] != '\0' && proxy_split(value, proxy);
}

bool config_address(const struct config *config, enum config_key key,
                    char host[static LIMIT_HOST + 1], uint16_t *port)
{
    return config->value[key][0] != '\0' && address_split(config->value[key], host, port);
}
