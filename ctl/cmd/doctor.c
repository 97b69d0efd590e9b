/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor: what may be wrong with a node, and what to do. The home from outside (ctl/doctor), then
 * what the daemon says of itself, its accounts, their relays and clocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/doctor.h"
#include "ctl/output.h"
#include "ctl/render.h"

enum {
    DIAL_MS = 5000,
    CLOCK_WARN_S = 120,                     /* more than any answer takes */
    CLOCK_BAD_S = LIMIT_STAMP_MINUTES * 60, /* stamps are refused from here on */
    WORD = 128,                             /* a name or an address, with its NUL */
    NAMED_ACCOUNTS = LIMIT_ACCOUNTS,
};

/* A text field as a C string, "" when it is missing; what does not fit is cut. */
static const char *text_of(struct slice map, const char *name, char out[static WORD])
{
    struct slice s = {0};
    (void)control_get_str(map, name, &s);
    size_t n = s.len < WORD - 1 ? s.len : WORD - 1;
    if (n > 0) {
        memcpy(out, s.p, n);
    }
    out[n] = '\0';
    return out;
}

/* --- reachability --- */

/* Waits until a connection that was begun is there; 0, or an errno. */
static int dialled(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;
    if (poll(&p, 1, DIAL_MS) != 1) {
        return ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

/* Connects to host:port and hangs up. NULL: it went well, else the reason. */
static const char *dial(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0) {
        return gai_strerror(rc);
    }
    int error = EHOSTUNREACH;
    for (struct addrinfo *a = list; a != NULL && error != 0; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            error = errno;
            continue;
        }
        error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
        error = error == EINPROGRESS ? dialled(fd) : error;
        close(fd);
    }
    freeaddrinfo(list);
    return error == 0 ? NULL : strerror(error);
}

/* The same with an address as relays have them: ID@host:port, ID@[host]:port. */
static const char *dial_address(const char *address)
{
    char host[WORD];
    const char *at = strchr(address, '@');
    const char *colon = strrchr(address, ':');
    if (at == NULL || colon == NULL || colon < at) {
        return "it is no address";
    }
    bool brackets = at[1] == '[' && colon[-1] == ']';
    const char *begin = at + (brackets ? 2 : 1);
    size_t len = (size_t)(colon - begin) - (brackets ? 1 : 0);
    if (len >= sizeof host) {
        return "it is no address";
    }
    memcpy(host, begin, len);
    host[len] = '\0';
    return dial(host, colon + 1);
}

/* Then nothing is dialled and no name looked up from here either. */
static bool goes_through_proxy(struct slice status)
{
    bool proxy = false;
    (void)control_get_bool(status, "proxy", &proxy);
    return proxy;
}

static void check_listening(struct doctor *d, struct slice status)
{
    char address[WORD];
    bool relay = false;
    (void)control_get_bool(status, "relay", &relay);
    if (text_of(status, "node", address)[0] == '\0') {
        if (relay) {
            doctor_say(d, FINDING_BAD, "listening",
                       "set relay.address in petreld.conf to what others can dial",
                       "this relay does not know its own address");
        }
        return;
    }
    if (goes_through_proxy(status)) {
        doctor_say(d, FINDING_OK, "listening", NULL,
                   "whether %s can be reached was not tried: it would go around the proxy",
                   strchr(address, '@') + 1);
        return;
    }
    const char *wrong = dial_address(address);
    if (wrong != NULL) {
        doctor_say(d, relay ? FINDING_BAD : FINDING_WARN, "listening",
                   "look at listen and relay.address in petreld.conf, and at firewall and router",
                   "%s cannot be reached from here: %s", strchr(address, '@') + 1, wrong);
    } else {
        doctor_say(d, FINDING_OK, "listening", NULL,
                   "%s can be reached from this machine; from elsewhere was not tried",
                   strchr(address, '@') + 1);
    }
}

/* --- the daemon --- */

static void check_version(struct doctor *d, struct slice status)
{
    char version[WORD];
    if (strcmp(text_of(status, "version", version), PETREL_VERSION) != 0) {
        doctor_say(d, FINDING_WARN, "daemon", "restart petreld after an update",
                   "petreld is version %s, petrelctl %s", version, PETREL_VERSION);
    } else {
        doctor_say(d, FINDING_OK, "daemon", NULL, "petreld %s runs", version);
    }
}

static void check_outbox(struct doctor *d, struct slice status)
{
    uint64_t count = 0;
    uint64_t oldest = 0;
    uint64_t now = (uint64_t)time(NULL) * 1000;
    (void)control_get_uint(status, "outbox", &count);
    if (control_get_uint(status, "outbox_oldest", &oldest) && now > oldest + LIMIT_DAY_MS) {
        doctor_say(d, FINDING_WARN, "outbox",
                   "petrelctl contacts names the relays that stand in the way; else the contact's "
                   "device was not there since",
                   "%llu messages wait, the oldest for %llu days", (unsigned long long)count,
                   (unsigned long long)((now - oldest) / LIMIT_DAY_MS));
    } else {
        doctor_say(d, FINDING_OK, "outbox", NULL, "%llu messages wait, none for a day",
                   (unsigned long long)count);
    }
}

static void say_traffic(struct doctor *d, struct slice status)
{
    uint64_t links = 0;
    uint64_t members = 0;
    bool relay = false;
    (void)control_get_uint(status, "links", &links);
    (void)control_get_uint(status, "members", &members);
    (void)control_get_bool(status, "relay", &relay);
    if (relay) {
        doctor_say(d, FINDING_OK, "links", NULL, "%llu links, %llu members of this relay",
                   (unsigned long long)links, (unsigned long long)members);
    } else {
        doctor_say(d, FINDING_OK, "links", NULL, "%llu links", (unsigned long long)links);
    }
}

/* --- relays and clocks --- */

/* Whose relays these are. */
struct asked {
    uint64_t account;
    bool proxy; /* its node's links go through one */
};

static const char *trouble_todo(const char *trouble)
{
    static const struct {
        const char *name;
        const char *todo;
    } rows[] = {
        {"refused", "ask its operator for a code: petrelctl relay use ADDRESS --code CODE"},
        {"bad-invite-code", "ask its operator for another code"},
        {"quota-exceeded", "ask its operator, or use another relay"},
        {"bad-handshake", "its address names another node: ask its operator for the new one"},
        {"proxy-failed",
         "see whether the proxy of petreld.conf runs, and takes who it is asked by"},
        {"wrong-version", "update petreld here, or ask its operator to"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(trouble, rows[i].name) == 0) {
            return rows[i].todo;
        }
    }
    return "see whether the relay runs, and firewall and network between; or use another: "
           "petrelctl "
           "relay use";
}

/* relay: one map of relay.status, the main one's or of "others". */
static void check_clock(struct doctor *d, uint64_t account, struct slice relay)
{
    uint64_t ours = 0;
    uint64_t theirs = 0;
    if (!control_get_uint(relay, "attached", &ours) || !control_get_uint(relay, "clock", &theirs)) {
        return;
    }
    uint64_t off = (ours > theirs ? ours - theirs : theirs - ours) / 1000;
    if (off < CLOCK_WARN_S) {
        doctor_say(d, FINDING_OK, "clock", NULL,
                   "account %llu: the relay's clock and this one are %llu s apart",
                   (unsigned long long)account, (unsigned long long)off);
        return;
    }
    doctor_say(d, off < CLOCK_BAD_S ? FINDING_WARN : FINDING_BAD, "clock",
               "set this machine's clock (timedatectl), and restart petreld; if it is right, tell "
               "the relay's operator",
               "account %llu: this machine's clock was %llu s %s that of the relay",
               (unsigned long long)account, (unsigned long long)off,
               ours > theirs ? "ahead of" : "behind");
}

static void check_relay(struct doctor *d, const struct asked *a, const char *role,
                        struct slice relay)
{
    uint64_t account = a->account;
    char state[WORD];
    char trouble[WORD];
    char address[WORD];
    text_of(relay, "state", state);
    text_of(relay, "trouble", trouble);
    if (text_of(relay, "address", address)[0] == '\0') {
        doctor_say(d, FINDING_WARN, "relay", "petrelctl relay use ADDRESS --code CODE",
                   "account %llu uses no relay: nobody can write to it",
                   (unsigned long long)account);
        return;
    }
    const char *where = strchr(address, '@') != NULL ? strchr(address, '@') + 1 : address;
    const char *wrong = strcmp(state, "ready") == 0 || a->proxy ? NULL : dial_address(address);
    if (strcmp(state, "ready") == 0) {
        doctor_say(d, FINDING_OK, "relay", NULL, "account %llu: %s relay %s is ready",
                   (unsigned long long)account, role, where);
    } else if (trouble[0] != '\0' || wrong != NULL) {
        doctor_say(d, FINDING_BAD, "relay", trouble_todo(trouble),
                   "account %llu: %s relay %s is %s: %s%s%s", (unsigned long long)account, role,
                   where, state, trouble, wrong != NULL ? "; a connection to it: " : "",
                   wrong != NULL ? wrong : "");
    } else {
        doctor_say(d, FINDING_WARN, "relay", "wait, and ask again",
                   "account %llu: %s relay %s is %s", (unsigned long long)account, role, where,
                   state);
    }
    check_clock(d, account, relay);
}

static int check_relays(struct ctl *ctl, struct doctor *d, const struct asked *a)
{
    struct slice result;
    struct slice item;
    client_begin(ctl->client);
    client_account(ctl->client, a->account);
    int rc = client_call(ctl->client, "relay.status", false, &result);
    if (rc != EXIT_OK) {
        return rc;
    }
    check_relay(d, a, "main", result);
    struct render_list list = render_list_of(result, "others");
    while (render_list_next(&list, &item)) {
        char role[WORD];
        check_relay(d, a, text_of(item, "role", role), item);
    }
    return EXIT_OK;
}

/* --- accounts --- */

static void say_account(struct doctor *d, uint64_t account, const char *state)
{
    if (strcmp(state, "locked") == 0) {
        doctor_say(
            d, FINDING_WARN, "account",
            "petrelctl unlock; if it has no passphrase, stop petreld and see petreld --check",
            "account %llu is locked", (unsigned long long)account);
    } else {
        doctor_say(d, FINDING_OK, "account", NULL, "account %llu is %s",
                   (unsigned long long)account, state);
    }
}

/* The accounts, and then the relays of those that are open. */
static int check_accounts(struct ctl *ctl, struct doctor *d, bool relay, bool proxy)
{
    uint64_t open[NAMED_ACCOUNTS];
    size_t nopen = 0;
    size_t seen = 0;
    struct slice result;
    struct slice item;
    client_begin(ctl->client);
    int rc = client_call(ctl->client, "account.list", false, &result);
    if (rc != EXIT_OK) {
        return rc;
    }
    struct render_list list = render_list_of(result, "accounts");
    while (render_list_next(&list, &item)) {
        char state[WORD];
        uint64_t number = 0;
        (void)control_get_uint(item, "account", &number);
        say_account(d, number, text_of(item, "state", state));
        if (strcmp(state, "open") == 0 && nopen < NAMED_ACCOUNTS) {
            open[nopen++] = number;
        }
        seen++;
    }
    if (seen == 0 && !relay) {
        doctor_say(d, FINDING_WARN, "account", "petrelctl init", "there is no account yet");
    }
    for (size_t i = 0; i < nopen && rc == EXIT_OK; i++) {
        const struct asked a = {.account = open[i], .proxy = proxy};
        rc = check_relays(ctl, d, &a);
    }
    return rc;
}

static int check_daemon(struct ctl *ctl, struct doctor *d)
{
    struct slice status;
    bool relay = false;
    client_begin(ctl->client);
    int rc = client_call(ctl->client, "daemon.status", false, &status);
    if (rc != EXIT_OK) {
        return rc;
    }
    (void)control_get_bool(status, "relay", &relay);
    bool proxy = goes_through_proxy(status);
    check_version(d, status);
    say_traffic(d, status);
    check_outbox(d, status);
    check_listening(d, status);
    return check_accounts(ctl, d, relay, proxy);
}

static void say_silence(struct doctor *d, const char *home)
{
    int64_t holder = doctor_lock(home);
    if (holder == 0) {
        doctor_say(d, FINDING_WARN, "daemon",
                   "start petreld; petreld --check looks into database and keys before",
                   "no petreld runs on this home");
    } else {
        doctor_say(d, FINDING_BAD, "daemon",
                   "wait if it is just starting; else see its log, and stop it with SIGTERM",
                   "process %lld has the home locked and does not answer", (long long)holder);
    }
}

int cmd_doctor(struct ctl *ctl, int argc, char **argv)
{
    struct doctor d = {.json = ctl->args->json, .rc = EXIT_OK};
    int rc = args_command(NULL, 0, &argc, argv, 0, 0, ctl->usage);
    if (rc != EXIT_OK) {
        return rc;
    }
    if (doctor_home(&d, ctl->args->home)) {
        if (client_reaches(ctl->client)) {
            rc = check_daemon(ctl, &d);
        } else {
            say_silence(&d, ctl->args->home);
        }
    }
    rc = rc != EXIT_OK ? rc : d.rc;
    return rc != EXIT_OK ? rc : d.bad > 0 ? EXIT_LOCAL : EXIT_OK;
}
