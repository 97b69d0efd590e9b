/* SPDX-License-Identifier: Apache-2.0
 *
 * petreld: the daemon. Reads options and configuration, opens home, keys and store, starts the
 * engine and the loop, and closes all of it in reverse. docs/man/petreld.8.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "crypto/prim.h"
#include "daemon/accounts.h"
#include "daemon/check.h"
#include "daemon/config.h"
#include "daemon/credential.h"
#include "daemon/engine.h"
#include "daemon/home.h"
#include "daemon/hostenv.h"
#include "daemon/io/loop.h"
#include "daemon/io/sd.h"
#include "daemon/keyring.h"
#include "daemon/logger.h"
#include "daemon/migrate.h"
#include "daemon/options.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/store/store_lmdb.h"

enum {
    EXIT_USAGE = 2,
    MAIN_PASSPHRASE = 1024, /* longest passphrase */
    MAIN_BOOTSTRAP = 16,    /* values of dht.bootstrap that are used */
};

struct daemon {
    struct options options;
    struct config config;
    struct logger log;
    char home_path[HOME_PATH];
    char config_path[HOME_PATH];
    bool config_given; /* --config: the file must exist */
    struct home *home;
    char socket[HOME_SOCKET]; /* where clients come */
    struct sandbox sandbox;
    struct keyring keyring;
    uint8_t *credentials; /* secret_new: those of the keyring */
    struct seal_keys *node_keys;
    struct store_lmdb *db;
    struct node_root *roots; /* secret_new; only until the engine has them */
    size_t nroots;
    struct loop *loop;
    struct engine *engine;
    char host[LIMIT_HOST + 1]; /* what others dial */
    uint16_t port;
    uint16_t dht_port;             /* where others may begin with us; 0: nowhere */
    struct forward_policy forward; /* for the engine to copy */
};

/* Nodes of the public DHT that programs for BitTorrent begin with. */
static const struct {
    const char *host;
    uint16_t port;
} ROUTERS[] = {{"router.bittorrent.com", 6881},
               {"router.utorrent.com", 6881},
               {"dht.transmissionbt.com", 6881},
               {"dht.libtorrent.org", 25401},
               {"dht.aelitis.com", 6881}};

/* --- configuration --- */

/* Reads the file into a new block. ERR_NOT_FOUND, ERR_CONFIG with a reason. */
static enum err read_file(const char *path, char **text, size_t *len,
                          char reason[static CONFIG_REASON])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) {
        return ERR_NOT_FOUND;
    }
    char *buf = fd < 0 ? NULL : malloc(CONFIG_FILE + 1);
    size_t n = 0;
    ssize_t got = buf == NULL ? -1 : 1;
    while (got > 0 && n <= CONFIG_FILE) {
        got = read(fd, buf + n, CONFIG_FILE + 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        snprintf(reason, CONFIG_REASON, "%.150s: %.80s", path, strerror(errno));
        free(buf);
        buf = NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    *text = buf;
    *len = n;
    return buf == NULL ? ERR_CONFIG : ERR_OK;
}

static enum err config_from_file(const struct daemon *d, struct config *config,
                                 char reason[static CONFIG_REASON])
{
    char *text = NULL;
    size_t len = 0;
    enum err err = read_file(d->config_path, &text, &len, reason);
    if (err == ERR_NOT_FOUND) {
        if (!d->config_given) {
            return ERR_OK;
        }
        snprintf(reason, CONFIG_REASON, "%.150s: no such file", d->config_path);
        return ERR_CONFIG;
    }
    if (err == ERR_OK) {
        err = config_parse(config, slice_of(text, len), d->config_path, reason);
        secret_wipe(text, len);
    }
    free(text);
    return err;
}

/* Flags come last and win. */
static enum err config_from_flags(const struct options *o, struct config *config,
                                  char reason[static CONFIG_REASON])
{
    enum err err = ERR_OK;
    if (o->listen != NULL) {
        err = config_set(config, "listen", o->listen, reason);
    }
    if (err == ERR_OK && o->relay) {
        err = config_set(config, "relay", "yes", reason);
    }
    if (err == ERR_OK && o->relay_open) {
        err = config_set(config, "relay.registration", "open", reason);
    }
    if (err == ERR_OK && o->log_level != NULL) {
        err = config_set(config, "log.level", o->log_level, reason);
    }
    if (err == ERR_OK && o->sandbox != NULL) {
        err = config_set(config, "sandbox", o->sandbox, reason);
    }
    return err;
}

static enum err config_load(const struct daemon *d, struct config *config,
                            char reason[static CONFIG_REASON])
{
    config_init(config);
    enum err err = config_from_file(d, config, reason);
    if (err == ERR_OK) {
        err = config_from_flags(&d->options, config, reason);
    }
    if (err == ERR_OK) {
        err = config_check(config, reason);
    }
    return err;
}

static void apply_log_level(struct daemon *d)
{
    logger_set_level(&d->log, (enum logger_level)config_choice(&d->config, CONFIG_KEY_LOG_LEVEL));
}

/* Hands the policy to the core, which has it from its next turn on. */
static void apply_forward_policy(struct daemon *d)
{
    config_forward_policy(&d->config, &d->forward);
    struct engine_input *input = engine_input_policy(&d->forward);
    if (input == NULL) {
        logger_log(&d->log, LOGGER_ERROR, "the policy for forwards is as it was", "err=%s",
                   err_name(ERR_NO_MEMORY));
        return;
    }
    engine_put(d->engine, input);
}

/* SIGHUP: takes over what may change while running, and says what may not. */
static void on_reload(void *ctx)
{
    struct daemon *d = ctx;
    struct config fresh;
    char reason[CONFIG_REASON];
    if (config_load(d, &fresh, reason) != ERR_OK) {
        logger_log(&d->log, LOGGER_ERROR, "configuration not read again", "reason=\"%s\"", reason);
        return;
    }
    for (int key = 0; key < CONFIG_COUNT; key++) {
        const struct config_row *row = config_row((enum config_key)key);
        if (row->reloadable) {
            config_take(&d->config, &fresh, (enum config_key)key);
        } else if (strcmp(fresh.value[key], d->config.value[key]) != 0) {
            logger_log(&d->log, LOGGER_WARN, "needs a restart", "key=%s", row->name);
        }
    }
    apply_log_level(d);
    apply_forward_policy(d);
    logger_log(&d->log, LOGGER_INFO, "configuration read again",
               "log_level=%s forward=%s forward_rules=%zu", d->config.value[CONFIG_KEY_LOG_LEVEL],
               d->config.value[CONFIG_KEY_FORWARD], d->config.lists[CONFIG_LIST_RULES].count);
    secret_wipe(&fresh, sizeof fresh);
}

/* --- the process --- */

/* No core dumps, no peeking by others, as many descriptors as we may have. */
static void process_harden(void)
{
    const struct rlimit none = {0, 0};
    struct rlimit files;
    umask(077);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* One line from the descriptor, without its newline. */
static enum err read_passphrase(int fd, uint8_t *out, size_t *len)
{
    size_t n = 0;
    while (n < MAIN_PASSPHRASE) {
        ssize_t got = read(fd, out + n, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ERR_IO;
        }
        if (got == 0 || out[n] == '\n') {
            *len = n;
            return n == 0 ? ERR_ARGUMENT : ERR_OK;
        }
        n++;
    }
    return ERR_TOO_LARGE;
}

/* --- start --- */

/* Logs what stood in the way. */
static enum err failed(struct daemon *d, const char *message, enum err err)
{
    logger_log(&d->log, LOGGER_ERROR, message, "err=%s reason=\"%s\"", err_name(err),
               err_message(err));
    return err;
}

static enum err open_store(struct daemon *d)
{
    char path[HOME_PATH + 8];
    char writer[64] = "";
    snprintf(path, sizeof path, "%s/db", d->home_path);
    enum err err = store_lmdb_open(&d->db, path, store_lmdb_map_bytes(), writer);
    if (err == ERR_SCHEMA_NEWER) {
        logger_log(&d->log, LOGGER_ERROR, "the database is newer", "written_by=\"%.64s\"", writer);
    }
    if (err == ERR_OK && store_lmdb_replayed(d->db) > 0) {
        logger_log(&d->log, LOGGER_INFO, "turns taken from the log", "count=%" PRIu64,
                   store_lmdb_replayed(d->db));
    }
    if (err == ERR_OK) {
        err = migrate_store(d->db);
    }
    return err == ERR_OK ? ERR_OK : failed(d, "cannot open the database", err);
}

static enum err read_credentials(struct daemon *d)
{
    char reason[CREDENTIAL_REASON];
    d->keyring.home = d->home_path;
    d->credentials = secret_new(2 * (size_t)SEAL_KEY);
    if (d->credentials == NULL) {
        return failed(d, "cannot read credentials", ERR_NO_MEMORY);
    }
    enum err err = credentials_read(d->credentials, &d->keyring.node, &d->keyring.account, reason);
    if (err != ERR_OK) {
        logger_log(&d->log, LOGGER_ERROR, "cannot use a credential", "err=%s reason=\"%s\"",
                   err_name(err), reason);
    }
    return err;
}

/* Whether there is no database yet, which the node's key would have to open. */
static bool new_home(const struct daemon *d)
{
    char path[HOME_PATH + 16];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/db/data.mdb", d->home_path);
    return stat(path, &st) != 0 && errno == ENOENT;
}

static enum err open_node_keys(struct daemon *d)
{
    uint8_t *key = secret_new(SEAL_KEY);
    enum err err = key == NULL ? ERR_NO_MEMORY : keyring_node_key(&d->keyring, new_home(d), key);
    if (err == ERR_NO_CREDENTIAL) {
        logger_log(&d->log, LOGGER_ERROR, "the node's key is missing",
                   "file=node.key credential=%s", CREDENTIAL_NODE);
    } else if (err == ERR_WRONG_KEY) {
        logger_log(&d->log, LOGGER_ERROR, "the node has two keys, and they differ",
                   "file=node.key credential=%s", CREDENTIAL_NODE);
    }
    if (err == ERR_OK) {
        d->node_keys = seal_keys_new_node(key);
        err = d->node_keys == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    secret_free(key);
    return err == ERR_OK ? ERR_OK : failed(d, "cannot open the node's key", err);
}

/* Opens one account when that needs nobody: with its key file, or the passphrase given. One whose
 * key does not open it stays locked, and takes no other with it; a passphrase that was given must
 * be right. */
static enum err open_account(struct daemon *d, uint32_t account, uint8_t *passphrase)
{
    size_t len = 0;
    bool stays = false;
    uint32_t generation = 0;
    enum err err = accounts_wanted(d->db, account, &stays, &generation);
    enum keyring_kind kind = stays ? keyring_account_kind(&d->keyring, account) : KEYRING_NONE;
    bool alone = kind == KEYRING_KEY_FILE || kind == KEYRING_CREDENTIAL;
    if (err == ERR_OK && stays && keyring_account_tidy(&d->keyring, account) != ERR_OK) {
        logger_log(&d->log, LOGGER_ERROR, "what opened an account before is not destroyed yet",
                   "account=%u", (unsigned)account);
    }
    if (err == ERR_OK && kind == KEYRING_PASSPHRASE && d->options.passphrase_fd >= 0) {
        err = read_passphrase(d->options.passphrase_fd, passphrase, &len);
        d->options.passphrase_fd = -1; /* it was for this one */
    }
    if (err == ERR_OK && (alone || len > 0)) {
        err = keyring_account_open(&d->keyring, account, slice_of(passphrase, len), generation,
                                   &d->roots[d->nroots]);
        d->nroots += err == ERR_OK ? 1 : 0;
        if (err == ERR_ROLLBACK ||
            (alone && (err == ERR_CORRUPT || err == ERR_WRONG_KEY || err == ERR_NO_CREDENTIAL))) {
            logger_log(&d->log, LOGGER_ERROR, "an account stays locked",
                       "account=%u err=%s reason=\"%s\"%s%s", (unsigned)account, err_name(err),
                       err_message(err), kind == KEYRING_CREDENTIAL ? " credential=" : "",
                       kind == KEYRING_CREDENTIAL ? CREDENTIAL_ACCOUNT : "");
            err = ERR_OK;
        }
    }
    return err;
}

static enum err open_accounts(struct daemon *d)
{
    enum err err = ERR_OK;
    uint8_t *passphrase = secret_new(MAIN_PASSPHRASE);
    d->roots = secret_new(LIMIT_ACCOUNTS * sizeof d->roots[0]);
    if (d->roots == NULL || passphrase == NULL) {
        err = ERR_NO_MEMORY;
    }
    for (uint32_t account = 1; err == ERR_OK && account <= LIMIT_ACCOUNTS; account++) {
        err = open_account(d, account, passphrase);
    }
    secret_free(passphrase);
    return err == ERR_OK ? ERR_OK : failed(d, "cannot open an account", err);
}

/* What others are told to dial; nothing when it would be an address that means "any". */
static const char *public_host(struct daemon *d)
{
    char host[LIMIT_HOST + 1];
    uint16_t port = 0;
    if (config_address(&d->config, CONFIG_KEY_ADDRESS, host, &port)) {
        d->port = port != 0 ? port : d->port;
    } else if (!config_address(&d->config, CONFIG_KEY_LISTEN, host, &port)) {
        return NULL;
    } else if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0) {
        if (config_bool(&d->config, CONFIG_KEY_RELAY)) {
            logger_log(&d->log, LOGGER_WARN, "relay.address is not set", "listen=%s", "any");
        }
        return NULL;
    }
    memcpy(d->host, host, sizeof d->host);
    return d->host;
}

static enum err open_dht(struct daemon *d)
{
    char host[LIMIT_HOST + 1];
    uint16_t port = 0;
    uint16_t bound;
    if (!config_address(&d->config, CONFIG_KEY_DHT, host, &port)) {
        return ERR_OK;
    }
    bool read_only = config_bool(&d->config, CONFIG_KEY_DHT_READ_ONLY);
    enum err err = loop_listen_dht(d->loop, host, port, read_only, &bound);
    if (err != ERR_OK) {
        return err;
    }
    d->dht_port = read_only ? 0 : bound;
    for (size_t i = 0; i < d->config.lists[CONFIG_LIST_HOSTS].count && i < MAIN_BOOTSTRAP; i++) {
        config_host(&d->config, i, host, &port);
        loop_dht_host(d->loop, host, port);
    }
    bool is_public = config_bool(&d->config, CONFIG_KEY_DHT_PUBLIC);
    for (size_t i = 0; is_public && i < sizeof ROUTERS / sizeof ROUTERS[0]; i++) {
        loop_dht_host(d->loop, ROUTERS[i].host, ROUTERS[i].port);
    }
    logger_log(&d->log, LOGGER_INFO, "in the DHT", "port=%u", (unsigned)bound);
    return ERR_OK;
}

static void set_proxy(struct daemon *d)
{
    struct socks_proxy proxy = {.port = 0};
    if (config_proxy(&d->config, &proxy)) {
        loop_set_proxy(d->loop, &proxy);
        logger_log(&d->log, LOGGER_INFO, "links go out through a proxy", "port=%u",
                   (unsigned)proxy.port);
    }
    secret_wipe(&proxy, sizeof proxy);
}

static enum err open_loop(struct daemon *d)
{
    const struct loop_config config = {.log = &d->log, .reload = on_reload, .reload_ctx = d};
    char host[LIMIT_HOST + 1];
    uint16_t port = 0;
    enum err err = loop_new(&d->loop, &config);
    if (err != ERR_OK) {
        return failed(d, "cannot start the loop", err);
    }
    set_proxy(d);
    err = open_dht(d);
    if (err != ERR_OK) {
        return err; /* likewise */
    }
    if (!config_address(&d->config, CONFIG_KEY_LISTEN, host, &port)) {
        return ERR_OK;
    }
    err = loop_listen(d->loop, host, port, &d->port);
    if (err != ERR_OK) {
        return err; /* and that was said */
    }
    /* The operator's own setting, not somebody's address. */
    logger_log(&d->log, LOGGER_INFO, "listening", "port=%u", (unsigned)d->port);
    return ERR_OK;
}

static enum err start_engine(struct daemon *d)
{
    config_forward_policy(&d->config, &d->forward);
    const struct engine_config config = {
        .node = {.node_keys = d->node_keys,
                 .relay = config_bool(&d->config, CONFIG_KEY_RELAY),
                 .relay_open = config_choice(&d->config, CONFIG_KEY_REGISTRATION) == 1,
                 .listen_host = public_host(d),
                 .listen_port = d->port,
                 .dht = d->config.value[CONFIG_KEY_DHT][0] != '\0',
                 .dht_port = d->dht_port,
                 .proxy = d->config.value[CONFIG_KEY_PROXY][0] != '\0',
                 .forward = &d->forward},
        .db = d->db,
        .home = d->home,
        .log = &d->log,
        .roots = d->roots,
        .nroots = d->nroots,
        .wake = loop_wake,
        .wake_ctx = d->loop};
    enum err err = engine_start(&d->engine, &config);
    secret_free(d->roots);
    d->roots = NULL;
    return err == ERR_OK ? ERR_OK : failed(d, "cannot load the node", err);
}

static enum err start_loop(struct daemon *d)
{
    enum err err = loop_start(d->loop, d->engine, d->db, &d->keyring, d->socket,
                              config_bool(&d->config, CONFIG_KEY_RELAY));
    return err == ERR_OK ? ERR_OK : failed(d, "cannot open the control socket", err);
}

/* Before the first thread: this holds for those to come. The socket's folder must be there. */
static enum err confine(struct daemon *d)
{
    char sockets[HOME_SOCKET];
    char database[HOME_PATH + 8];
    enum err err = home_socket_path(d->home, d->socket);
    if (err != ERR_OK) {
        return failed(d, "cannot open the control socket", err);
    }
    snprintf(database, sizeof database, "%s/db", d->home_path);
    snprintf(sockets, sizeof sockets, "%s", d->socket);
    *strrchr(sockets, '/') = '\0';
    const struct sandbox_paths paths = {.home = d->home_path,
                                        .database = database,
                                        .sockets = sockets,
                                        .config = d->config_path,
                                        .notify = getenv("NOTIFY_SOCKET")};
    d->sandbox.mode = (enum sandbox_mode)config_choice(&d->config, CONFIG_KEY_SANDBOX);
    d->sandbox.log = &d->log;
    return sandbox_confine(&d->sandbox, &paths);
}

static enum err daemon_start(struct daemon *d)
{
    char reason[HOME_REASON];
    enum err err = home_open(&d->home, d->home_path, reason);
    if (err != ERR_OK) {
        logger_log(&d->log, LOGGER_ERROR, "cannot use this home", "err=%s reason=\"%s\"",
                   err_name(err), reason);
        return err;
    }
    err = read_credentials(d);
    if (err == ERR_OK) {
        err = open_node_keys(d);
    }
    if (err == ERR_OK) {
        err = open_store(d);
    }
    if (err == ERR_OK) {
        err = open_accounts(d);
    }
    if (err == ERR_OK) {
        err = open_loop(d);
    }
    if (err == ERR_OK) {
        err = confine(d);
    }
    if (err == ERR_OK) {
        err = start_engine(d);
    }
    if (err == ERR_OK) {
        err = start_loop(d);
    }
    /* All threads run, and the loop does not: nobody was heard yet. */
    return err == ERR_OK ? sandbox_filter(&d->sandbox) : err;
}

static void daemon_close(struct daemon *d)
{
    if (d->engine != NULL) {
        engine_stop(
            d->engine); /* its thread wakes the loop: it ends first, also after a failed start */
    }
    loop_free(d->loop);
    engine_free(d->engine);
    store_lmdb_close(d->db);
    seal_keys_free(d->node_keys);
    secret_free(d->roots);
    secret_free(d->credentials);
    secret_wipe(&d->config, sizeof d->config);
    if (d->home != NULL) {
        home_socket_remove(d->home);
        home_close(d->home);
    }
}

static int daemon_run(struct daemon *d)
{
    process_harden();
    enum err err = daemon_start(d);
    if (err == ERR_OK) {
        logger_log(&d->log, LOGGER_INFO, "ready", "version=%s", PETREL_VERSION);
        sd_notify_state("READY=1");
        err = loop_run(d->loop);
        sd_notify_state("STOPPING=1");
    }
    daemon_close(d);
    if (err == ERR_OK) {
        logger_log(&d->log, LOGGER_INFO, "stopped", "version=%s", PETREL_VERSION);
    }
    return err == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- main --- */

/* Resolves the paths and reads the configuration; a sentence on stderr when that fails. */
static enum err prepare(struct daemon *d)
{
    char reason[CONFIG_REASON];
    enum err err = home_resolve(d->options.home, d->home_path);
    if (err != ERR_OK) {
        fprintf(stderr, "petreld: no home folder: use --home DIR or set PETREL_HOME\n");
        return err;
    }
    d->config_given = d->options.config != NULL;
    int n = d->config_given
                ? snprintf(d->config_path, sizeof d->config_path, "%s", d->options.config)
                : snprintf(d->config_path, sizeof d->config_path, "%s/petreld.conf", d->home_path);
    if (n < 0 || (size_t)n >= sizeof d->config_path) {
        fprintf(stderr, "petreld: the path of the configuration file is too long\n");
        return ERR_CONFIG;
    }
    err = config_load(d, &d->config, reason);
    if (err != ERR_OK) {
        fprintf(stderr, "petreld: %s\n", reason);
    }
    return err;
}

/* The exit code after printing; a sentence on stderr when stdout did not take all of it. */
static int printed(void)
{
    if (ferror(stdout) == 0 && fflush(stdout) == 0 && fclose(stdout) == 0) {
        return EXIT_SUCCESS;
    }
    fprintf(stderr, "petreld: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

static int daemon_main(struct daemon *d)
{
    logger_init(&d->log, STDERR_FILENO, LOGGER_INFO);
    if (d->options.action == OPTIONS_HELP || d->options.action == OPTIONS_VERSION) {
        fputs(d->options.action == OPTIONS_HELP ? options_help() : "petreld " PETREL_VERSION "\n",
              stdout);
        return printed();
    }
    if (prim_init() != ERR_OK || prepare(d) != ERR_OK) {
        return EXIT_FAILURE;
    }
    if (d->options.action == OPTIONS_PRINT_CONFIG) {
        config_print(&d->config, stdout);
        return printed();
    }
    if (d->options.action == OPTIONS_CHECK_CONFIG) {
        return EXIT_SUCCESS;
    }
    if (d->options.action == OPTIONS_CHECK) {
        process_harden(); /* keys are opened */
        bool well = check_home(d->home_path, stdout);
        int rc = printed();
        return well ? rc : EXIT_FAILURE;
    }
    apply_log_level(d);
    return daemon_run(d);
}

int main(int argc, char **argv)
{
    static struct daemon daemon; /* too large for a small stack; main's alone */
    if (options_parse(&daemon.options, argc, argv) != ERR_OK) {
        fputs(options_help(), stderr);
        return EXIT_USAGE;
    }
    int status = daemon_main(&daemon);
    logger_fini(&daemon.log);
    return status;
}
