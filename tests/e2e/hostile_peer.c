/* SPDX-License-Identifier: Apache-2.0
 *
 * e2e_hostile ADDRESS ATTACK [COUNT]: a node that can do the handshake and then does not keep to
 * the rules. Prints "closed CODE" when the other side said bye, "gone" when it just closed,
 * "open" when a good request is still answered after the attack, and numbers of what it saw.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/pack.h"
#include "link/frame.h"
#include "link/hello.h"
#include "link/noise.h"
#include "link/sealer.h"
#include "node/address.h"
#include "relay/descriptor_record.h"
#include "relay/queue.h"

enum {
    HOSTILE_WIRE = 1 << 20,
    HOSTILE_WAIT_S = 30,
    HOSTILE_MARK = 0xffffff, /* ID of the request that is answered last */
    HOSTILE_BYE_NONE = -1,   /* still open */
    HOSTILE_BYE_GONE = -2,   /* closed without a word */
};

struct hostile {
    struct address address;
    int fd;
    struct noise noise;
    struct sealer sealer[2]; /* out, in */
    uint8_t *in;             /* received and not opened, HOSTILE_WIRE */
    size_t in_len;
    uint8_t *out; /* HOSTILE_WIRE */
    struct writer w;
    uint8_t *sent; /* copy of all that was sent, for a replay; HOSTILE_WIRE */
    size_t sent_len;
    uint64_t pongs;
    uint64_t replies;
};

static void die(const char *what)
{
    fprintf(stderr, "e2e_hostile: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void fill(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

static const struct env *environment(void)
{
    static const struct env env = {.now_ms = 0, .random = fill};
    return &env;
}

/* --- bytes --- */

static void dial(struct hostile *h)
{
    const struct timeval wait = {.tv_sec = HOSTILE_WAIT_S};
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *res = NULL;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)h->address.port);
    if (getaddrinfo(h->address.host, port, &hints, &res) != 0) {
        die("getaddrinfo");
    }
    h->fd = socket(res->ai_family, SOCK_STREAM, 0);
    if (h->fd < 0 || connect(h->fd, res->ai_addr, res->ai_addrlen) != 0) {
        die("connect");
    }
    freeaddrinfo(res);
    (void)setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(h->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    h->in_len = 0;
    h->w = writer_of(h->out, HOSTILE_WIRE);
}

/* Sends bytes; false when the other side has closed. */
static bool send_all(struct hostile *h, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(h->fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            die("the other side neither reads nor closes");
        }
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Sends what was written, and remembers it as far as there is room. */
static bool flush(struct hostile *h)
{
    bool ok = send_all(h, h->out, h->w.len);
    if (h->sent_len + h->w.len <= HOSTILE_WIRE) {
        memcpy(h->sent + h->sent_len, h->out, h->w.len);
        h->sent_len += h->w.len;
    }
    h->w = writer_of(h->out, HOSTILE_WIRE);
    return ok;
}

/* Receives more; 0 at the end. */
static size_t receive(struct hostile *h)
{
    for (;;) {
        ssize_t n = recv(h->fd, h->in + h->in_len, HOSTILE_WIRE - h->in_len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            die("no answer");
        }
        h->in_len += n > 0 ? (size_t)n : 0;
        return n > 0 ? (size_t)n : 0;
    }
}

static void consume(struct hostile *h, size_t n)
{
    memmove(h->in, h->in + n, h->in_len - n);
    h->in_len -= n;
}

/* Whether a whole length-prefixed message is there; receives until it is. */
static bool whole(struct hostile *h)
{
    while (h->in_len < 2 || h->in_len < 2U + ((size_t)h->in[0] << 8 | h->in[1])) {
        if (receive(h) == 0) {
            return false;
        }
    }
    return true;
}

/* --- links --- */

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        fprintf(stderr, "e2e_hostile: %s: %s\n", what, err_name(err));
        exit(EXIT_FAILURE);
    }
}

static void add_noise(struct hostile *h)
{
    writer_u16(&h->w, (uint16_t)noise_message_size(&h->noise));
    must(noise_write(&h->noise, slice_of(NULL, 0), &h->w), "handshake message");
}

/* Connects, and writes the first message. */
static void handshake_begin(struct hostile *h)
{
    static const char prologue[] = "petrel/1 link";
    struct noise_ephemeral ephemeral;
    struct dh_sk key;
    struct dh_pk relay;
    env_random(environment(), &ephemeral, sizeof ephemeral);
    env_random(environment(), key.b, sizeof key.b);
    must(prim_sign_pk_to_dh(&relay, &h->address.node_id), "node ID");
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .initiator = true,
                                  .prologue = slice_of(prologue, sizeof prologue - 1),
                                  .s = &key,
                                  .rs = &relay,
                                  .ephemeral = &ephemeral};
    dial(h);
    must(noise_init(&h->noise, &config), "handshake");
    add_noise(h);
}

/* The second message, which is there, is read, the third written: records may follow. */
static void handshake_end(struct hostile *h)
{
    uint8_t none[1];
    uint8_t hash[NOISE_HASH];
    struct dh_pk remote;
    struct cipher ciphers[2];
    struct writer payload = writer_of(none, sizeof none);
    struct reader r = reader_of(slice_of(h->in, h->in_len));
    must(noise_read(&h->noise, reader_bytes(&r, reader_u16(&r)), &payload), "handshake answer");
    consume(h, r.pos);
    add_noise(h);
    must(noise_split(&h->noise, &ciphers[0], &ciphers[1], hash, &remote), "split");
    sealer_init(&h->sealer[0], &ciphers[0], LIMIT_REKEY_RECORDS);
    sealer_init(&h->sealer[1], &ciphers[1], LIMIT_REKEY_RECORDS);
}

static void handshake(struct hostile *h)
{
    handshake_begin(h);
    if (!flush(h) || !whole(h)) {
        die("handshake");
    }
    handshake_end(h);
}

/* A record that carries these bytes. */
static void add_record(struct hostile *h, struct slice bytes)
{
    uint8_t *at = writer_reserve(&h->w, sealer_size(bytes.len));
    must(at == NULL ? ERR_NO_SPACE : sealer_seal(&h->sealer[0], bytes, at), "record");
}

static void add_frame(struct hostile *h, uint8_t kind, uint32_t id, struct slice body)
{
    static uint8_t bytes[LIMIT_FRAME];
    struct writer f = writer_of(bytes, sizeof bytes);
    struct frame frame = {.kind = kind, .id = id, .body = body};
    frame_write(&f, &frame);
    must(f.err, "frame");
    add_record(h, writer_done(&f));
}

static void add_hello(struct hostile *h, uint16_t version, uint16_t min)
{
    uint8_t bytes[HELLO_BODY_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct hello hello = hello_own();
    hello.version = version;
    hello.min = min;
    hello_write(&w, &hello);
    add_frame(h, FRAME_HELLO, 0, writer_done(&w));
}

static void add_ping(struct hostile *h)
{
    add_frame(h, FRAME_PING, 0, slice_of("\xc0", 1));
}

/* An open link. */
static void open_link(struct hostile *h)
{
    handshake(h);
    add_hello(h, HELLO_VERSION, HELLO_VERSION_MIN);
    if (!flush(h)) {
        die("hello");
    }
}

/* A good request: the descriptor of nobody. */
static void add_request(struct hostile *h, uint32_t id)
{
    struct descriptor_get get = {.blinded = h->address.node_id};
    uint8_t body[128];
    struct writer w = writer_of(body, sizeof body);
    descriptor_get_write(&w, &get);
    add_frame(h, FRAME_DESCRIPTOR_GET, id, writer_done(&w));
}

/* Reads frames until the end, or until the answer to HOSTILE_MARK. The code of a bye, or
 * HOSTILE_BYE_*. */
static int read_frames(struct hostile *h)
{
    static uint8_t plain[LIMIT_RECORD];
    while (whole(h)) {
        struct frame frame;
        struct slice bytes;
        struct reader r = reader_of(slice_of(h->in, h->in_len));
        must(sealer_open(&h->sealer[1], reader_bytes(&r, reader_u16(&r)), plain, &bytes), "record");
        must(frame_read(bytes, &frame), "frame");
        h->replies += frame.kind >= FRAME_REPLY ? 1 : 0;
        h->pongs += frame.kind == FRAME_PONG ? 1 : 0;
        if (frame.kind == FRAME_BYE) {
            struct reader body = reader_of(frame.body);
            return (int)pack_read_uint(&body, UINT16_MAX);
        }
        consume(h, r.pos);
        if (frame.kind >= FRAME_REPLY && frame.id == HOSTILE_MARK) {
            return HOSTILE_BYE_NONE;
        }
    }
    return HOSTILE_BYE_GONE;
}

static void print_end(int bye)
{
    if (bye >= 0) {
        printf("closed %d\n", bye);
    } else {
        puts(bye == HOSTILE_BYE_GONE ? "gone" : "open");
    }
}

/* Sends what was written, then a good request; how the link took it. */
static int outcome(struct hostile *h)
{
    add_request(h, HOSTILE_MARK);
    (void)flush(h);
    int bye = read_frames(h);
    (void)close(h->fd);
    return bye;
}

/* --- attacks --- */

static void attack_version(struct hostile *h, unsigned long count)
{
    handshake(h);
    add_hello(h, (uint16_t)count, (uint16_t)count);
    (void)flush(h);
    print_end(read_frames(h));
}

static void attack_no_hello(struct hostile *h, unsigned long count)
{
    (void)count;
    handshake(h);
    print_end(outcome(h)); /* a request is the first frame */
}

static void attack_two_hellos(struct hostile *h, unsigned long count)
{
    (void)count;
    open_link(h);
    add_hello(h, HELLO_VERSION, HELLO_VERSION_MIN);
    print_end(outcome(h));
}

/* The same record a second time. */
static void attack_record_twice(struct hostile *h, unsigned long count)
{
    (void)count;
    open_link(h);
    add_ping(h);
    size_t len = h->w.len;
    memcpy(h->out + len, h->out, len);
    h->w.len = 2 * len;
    (void)flush(h);
    print_end(read_frames(h));
}

/* All bytes of a good link, sent again over new connections. */
static void attack_replay(struct hostile *h, unsigned long count)
{
    unsigned long gone = 0;
    h->sent_len = 0;
    open_link(h);
    print_end(outcome(h));
    for (unsigned long i = 0; i < count; i++) {
        dial(h);
        (void)send_all(h, h->sent, h->sent_len);
        /* The answer to the first message comes, then nothing. */
        if (whole(h)) {
            consume(h, 2U + ((size_t)h->in[0] << 8 | h->in[1]));
        }
        gone += receive(h) == 0 ? 1 : 0;
        (void)close(h->fd);
    }
    printf("replayed %lu refused %lu\n", count, gone);
}

/* Record lengths that may not be, and a record of random bytes. */
static void attack_lengths(struct hostile *h, unsigned long count)
{
    static const uint16_t lengths[] = {0, 1, 271, 273, 528 + 1, 65297, 65535};
    (void)count;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        open_link(h);
        writer_u16(&h->w, lengths[i]);
        writer_u64(&h->w, 0);
        (void)flush(h);
        print_end(read_frames(h));
        (void)close(h->fd);
    }
    open_link(h);
    writer_u16(&h->w, RECORD_MIN);
    uint8_t *p = writer_reserve(&h->w, RECORD_MIN);
    randombytes_buf(p, RECORD_MIN);
    (void)flush(h);
    print_end(read_frames(h));
}

/* Frames that promise more than they hold. */
static void attack_frames(struct hostile *h, unsigned long count)
{
    static const struct {
        const char *bytes;
        size_t len;
    } frames[] = {
        {"", 0},                                          /* nothing */
        {"\x93\x10\x01", 3},                              /* no body */
        {"\xdd\xff\xff\xff\xff", 5},                      /* an array of 4 billion */
        {"\x93\x10\x01\xc6\xff\xff\xff\xff", 8},          /* a binary of 4 GiB */
        {"\x93\x10\x01\xdf\xff\xff\xff\xff", 8},          /* a map of 4 billion */
        {"\x93\x10\x01\x91\x91\x91\x91\x91\x91\xc0", 10}, /* too deep */
        {"\x93\xcd\x01\x00\x01\x80", 6},                  /* kind 256 */
        {"\x93\x03\x00\x01", 4},                          /* credit that is above the limit */
        {"\x93\x14\x00\x80", 4},                          /* a push to a relay */
        {"\x93\x93\x01\x80", 4},                          /* a reply to nothing */
    };
    (void)count;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        open_link(h);
        add_record(h, slice_of(frames[i].bytes, frames[i].len));
        print_end(outcome(h));
    }
}

/* Every kind of request with bodies that are not its own; open links may go on. */
static void attack_kinds(struct hostile *h, unsigned long count)
{
    unsigned long closed = 0;
    unsigned long open = 0;
    for (unsigned kind = 5; kind < 256; kind++) {
        uint8_t body[256];
        uint8_t random[64];
        struct writer w = writer_of(body, sizeof body);
        randombytes_buf(random, sizeof random);
        pack_map(&w, 2);
        pack_uint(&w, 0);
        pack_bin(&w, h->address.node_id.b, sizeof h->address.node_id.b);
        pack_uint(&w, 1);
        pack_bin(&w, random, sizeof random);
        open_link(h);
        for (unsigned long i = 0; i <= count; i++) {
            add_frame(h, (uint8_t)kind, (uint32_t)i + 1, writer_done(&w));
        }
        int bye = outcome(h);
        closed += bye >= 0 ? 1 : 0;
        open += bye == HOSTILE_BYE_NONE ? 1 : 0;
    }
    printf("kinds 251 closed %lu open %lu replies %llu\n", closed, open,
           (unsigned long long)h->replies);
}

enum {
    FLOOD_WRITE = 200, /* requests of one write: three times the credit */
};

/* Good requests, more than there is credit for, many in one write; nothing is read before all are
 * sent. */
static void attack_flood(struct hostile *h, unsigned long count)
{
    open_link(h);
    bool ok = true;
    for (unsigned long i = 0; ok && i < count; i++) {
        add_request(h, (uint32_t)i + 1);
        if (i % FLOOD_WRITE == FLOOD_WRITE - 1 || i + 1 == count) {
            ok = flush(h);
        }
    }
    int bye = ok ? outcome(h) : read_frames(h);
    print_end(bye);
    printf("requests %lu replies %llu\n", count, (unsigned long long)h->replies);
}

/* Pings, and nothing is read before all are sent. */
static void attack_pings(struct hostile *h, unsigned long count)
{
    open_link(h);
    bool ok = true;
    for (unsigned long i = 0; ok && i < count; i++) {
        add_ping(h);
        ok = flush(h);
    }
    (void)shutdown(h->fd, SHUT_WR);
    (void)read_frames(h);
    printf("pings %lu pongs %llu\n", count, (unsigned long long)h->pongs);
}

/* First messages of handshakes that do not go on. They are held until standard input ends. */
static void attack_half_open(struct hostile *h, unsigned long count)
{
    unsigned long answered = 0;
    char byte;
    for (unsigned long i = 0; i < count; i++) {
        handshake_begin(h); /* the descriptor stays open */
        answered += flush(h) && whole(h) ? 1 : 0;
    }
    printf("half open %lu answered %lu\n", count, answered);
    (void)fflush(stdout);
    (void)!read(STDIN_FILENO, &byte, 1);
}

/* Links in order, as many as are let in. They are held until standard input ends. */
static void attack_links(struct hostile *h, unsigned long count)
{
    unsigned long open = 0;
    char byte;
    for (unsigned long i = 0; i < count; i++) {
        handshake_begin(h); /* the descriptor stays open */
        if (flush(h) && whole(h)) {
            handshake_end(h);
            add_hello(h, HELLO_VERSION, HELLO_VERSION_MIN);
            open += flush(h) && whole(h) ? 1 : 0;
        }
    }
    printf("open %lu refused %lu\n", open, count - open);
    (void)fflush(stdout);
    (void)!read(STDIN_FILENO, &byte, 1);
}

/* Deposits into queues that are not there, and into none with a token made up. */
static void attack_deposits(struct hostile *h, unsigned long count)
{
    static uint8_t envelope[LIMIT_ENVELOPE];
    static uint8_t body[LIMIT_FRAME];
    struct queue_deposit d = {.lifetime = 3, .envelope = slice_of(envelope, sizeof envelope)};
    open_link(h);
    for (unsigned long i = 0; i < count; i++) {
        struct writer w = writer_of(body, sizeof body);
        randombytes_buf(&d.queue, sizeof d.queue);
        randombytes_buf(&d.admission.token, sizeof d.admission.token);
        queue_deposit_write(&w, &d);
        add_frame(h, FRAME_QUEUE_DEPOSIT, i + 1 < count ? (uint32_t)i + 1 : HOSTILE_MARK,
                  writer_done(&w));
        (void)flush(h);
    }
    print_end(read_frames(h));
    printf("deposits %lu replies %llu\n", count, (unsigned long long)h->replies);
}

static const struct {
    const char *name;
    void (*run)(struct hostile *h, unsigned long count);
} ATTACKS[] = {
    {"version", attack_version},       {"no-hello", attack_no_hello},
    {"two-hellos", attack_two_hellos}, {"record-twice", attack_record_twice},
    {"replay", attack_replay},         {"lengths", attack_lengths},
    {"frames", attack_frames},         {"kinds", attack_kinds},
    {"flood", attack_flood},           {"pings", attack_pings},
    {"half-open", attack_half_open},   {"deposits", attack_deposits},
    {"links", attack_links},
};

int main(int argc, char **argv)
{
    static struct hostile h;
    if (argc < 3 || sodium_init() < 0 ||
        address_parse(slice_of(argv[1], strlen(argv[1])), &h.address) != ERR_OK) {
        fprintf(stderr, "usage: e2e_hostile ADDRESS ATTACK [COUNT]\n");
        return 2;
    }
    h.in = malloc(HOSTILE_WIRE);
    h.out = malloc(HOSTILE_WIRE);
    h.sent = malloc(HOSTILE_WIRE);
    if (h.in == NULL || h.out == NULL || h.sent == NULL) {
        die("memory");
    }
    int status = 2;
    for (size_t i = 0; i < sizeof ATTACKS / sizeof ATTACKS[0]; i++) {
        if (strcmp(ATTACKS[i].name, argv[2]) == 0) {
            ATTACKS[i].run(&h, argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
            status = EXIT_SUCCESS;
        }
    }
    free(h.in);
    free(h.out);
    free(h.sent);
    return status;
}
