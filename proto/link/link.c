/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "base/secret.h"
#include "link/fifo.h"
#include "link/hello.h"
#include "link/machine.h"
#include "link/noise.h"
#include "link/sealer.h"

static const char prologue[] = "petrel/1 link"; /* never changes: a refusal must be readable */

enum {
    CONTROL_MAX = 128, /* longest frame that a link makes itself */
    NIL = 0xc0,        /* the body of ping and pong */
};

struct link {
    enum machine_state state;
    enum err error; /* why it is closed */
    bool initiator;
    bool tell_opened;    /* LINK_OPENED is due */
    bool tell_closed;    /* LINK_CLOSED is due */
    bool pinged;         /* a ping is out, and nothing was heard since */
    uint64_t deadline;   /* ms; UINT64_MAX when closed */
    struct dh_sk s;      /* our static, until the handshake begins */
    struct noise *noise; /* owned; only while the handshake is under way */
    struct sealer send;  /* from the split on */
    struct sealer receive;
    uint8_t hash[LINK_HASH];
    struct dh_pk remote;
    struct fifo partial; /* a message that came in part, with its header */
    struct fifo frames;  /* for the core: length u16 | frame, one after the other */
    size_t lent;         /* bytes of frames that the caller looks at */
    struct fifo output;  /* for the socket */
};

static_assert((int)LINK_HASH == (int)NOISE_HASH, "the handshake hash");
static_assert(sizeof(struct link) <= 512, "thousands of idle links stay small");

/* ------------------------------------------------------------------------------- life and end */

static void free_noise(struct link *link)
{
    if (link->noise != NULL) {
        noise_fini(link->noise);
        free(link->noise);
        link->noise = NULL;
    }
}

/* Nothing can be sent or received any more: the keys go now, not with the link. */
static void shut(struct link *link, enum err error)
{
    link->state = MACHINE_CLOSED;
    link->error = error;
    link->tell_closed = true;
    link->deadline = UINT64_MAX;
    free_noise(link);
    secret_wipe(&link->s, sizeof link->s);
    sealer_fini(&link->send);
    sealer_fini(&link->receive);
    fifo_fini(&link->partial);
}

/* Draws the ephemerals and starts Noise. rs: the responder's static, NULL on its own side. */
static enum err start_noise(struct link *link, const struct env *env, const struct dh_pk *rs)
{
    link->noise = malloc(sizeof *link->noise);
    if (link->noise == NULL) {
        return ERR_NO_MEMORY;
    }
    struct noise_ephemeral ephemeral = {.kem = {0}};
    env_random(env, ephemeral.dh.b, sizeof ephemeral.dh.b);
    env_random(env, ephemeral.kem, sizeof ephemeral.kem);
    struct noise_config config = {.pattern = NOISE_XKHFS,
                                  .hash = SYMMETRIC_BLAKE2B,
                                  .initiator = link->initiator,
                                  .prologue = slice_of(prologue, sizeof prologue - 1),
                                  .s = &link->s,
                                  .rs = rs,
                                  .ephemeral = &ephemeral};
    enum err err = noise_init(link->noise, &config);
    assert(err == ERR_OK);
    secret_wipe(&ephemeral, sizeof ephemeral);
    secret_wipe(&link->s, sizeof link->s);
    return err;
}

/* Writes our next handshake message behind its length. */
static enum err write_handshake(struct link *link)
{
    size_t size = noise_message_size(link->noise);
    uint8_t *at = fifo_reserve(&link->output, RECORD_HEADER + size, SIZE_MAX);
    if (at == NULL) {
        return ERR_NO_MEMORY;
    }
    struct writer w = writer_of(at, RECORD_HEADER + size);
    writer_u16(&w, (uint16_t)size);
    enum err err = noise_write(link->noise, slice_of(NULL, 0), &w);
    if (err == ERR_OK) {
        fifo_commit(&link->output, w.len);
    }
    return err;
}

enum err link_new(struct link **out, const struct link_config *config, const struct env *env)
{
    struct dh_pk rs;
    if (config->initiator) {
        enum err err = prim_sign_pk_to_dh(&rs, &config->node_id);
        if (err != ERR_OK) {
            return ERR_BAD_KEY;
        }
    }
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return ERR_NO_MEMORY;
    }
    link->state = MACHINE_HANDSHAKE;
    link->initiator = config->initiator;
    link->deadline = env->now_ms + LIMIT_HANDSHAKE_MS;
    link->s = config->static_key;
    /* A responder does nothing before a first message came: connecting must cost us little. */
    if (config->initiator) {
        enum err err = start_noise(link, env, &rs);
        if (err == ERR_OK) {
            err = write_handshake(link);
        }
        if (err != ERR_OK) {
            link_free(link);
            return err == ERR_NO_MEMORY ? err : ERR_BAD_KEY;
        }
    }
    *out = link;
    return ERR_OK;
}

void link_free(struct link *link)
{
    if (link == NULL) {
        return;
    }
    free_noise(link);
    fifo_fini(&link->partial);
    fifo_fini(&link->frames);
    fifo_fini(&link->output);
    secret_wipe(link, sizeof *link);
    free(link);
}

/* ------------------------------------------------------------------------------------- effects */

/* Seals frame straight into the output. */
static enum err seal(struct link *link, struct slice frame)
{
    if (frame.len > LIMIT_FRAME) {
        return ERR_TOO_LARGE;
    }
    size_t size = sealer_size(frame.len);
    uint8_t *at = fifo_reserve(&link->output, size, SIZE_MAX);
    if (at == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = sealer_seal(&link->send, frame, at);
    if (err == ERR_OK) {
        fifo_commit(&link->output, size);
    }
    return err;
}

static enum err seal_control(struct link *link, enum frame_kind kind, struct slice body)
{
    uint8_t bytes[CONTROL_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct frame frame = {.kind = (uint8_t)kind, .body = body};
    frame_write(&w, &frame);
    assert(w.err == ERR_OK);
    return seal(link, writer_done(&w));
}

static enum err seal_nil(struct link *link, enum frame_kind kind)
{
    static const uint8_t nil = NIL;
    return seal_control(link, kind, slice_of(&nil, 1));
}

static enum err seal_hello(struct link *link)
{
    uint8_t body[HELLO_BODY_MAX];
    struct writer w = writer_of(body, sizeof body);
    struct hello own = hello_own();
    hello_write(&w, &own);
    assert(w.err == ERR_OK);
    return seal_control(link, FRAME_HELLO, writer_done(&w));
}

/* Only what concerns the other side is told; the rest is nobody's business. */
static void say_bye(struct link *link, enum err reason)
{
    bool told = reason == ERR_OK || err_class(reason) == ERR_CLASS_PEER;
    uint8_t body[8];
    struct writer w = writer_of(body, sizeof body);
    pack_uint(&w, (uint64_t)(told ? reason : ERR_LINK_CLOSED));
    /* When even this fails the link just closes. */
    enum err err = seal_control(link, FRAME_BYE, writer_done(&w));
    (void)err;
}

static void opened(struct link *link, uint64_t now_ms)
{
    link->tell_opened = true;
    link->deadline = now_ms + LIMIT_LINK_IDLE_MS;
}

static enum err ping(struct link *link, uint64_t now_ms)
{
    link->pinged = true;
    link->deadline = now_ms + LIMIT_LINK_DEAD_MS;
    return seal_nil(link, FRAME_PING);
}

/* Whatever waits for the socket already is as good a sign of life, and so a peer that pings but
 * does not read cannot make the output grow. */
static enum err pong(struct link *link)
{
    return link->output.len > 0 ? ERR_OK : seal_nil(link, FRAME_PONG);
}

static enum err answer(struct link *link)
{
    return noise_action(link->noise) == NOISE_WRITE ? write_handshake(link) : ERR_OK;
}

static enum err greet(struct link *link)
{
    struct cipher send;
    struct cipher receive;
    enum err err = noise_split(link->noise, &send, &receive, link->hash, &link->remote);
    free_noise(link);
    if (err == ERR_OK) {
        sealer_init(&link->send, &send, LIMIT_REKEY_RECORDS);
        sealer_init(&link->receive, &receive, LIMIT_REKEY_RECORDS);
        err = seal_hello(link);
    }
    cipher_fini(&send);
    cipher_fini(&receive);
    return err;
}

/* One step of the machine. error: why, for inputs that may close the link. */
static void step(struct link *link, uint64_t now_ms, enum machine_input input, enum err error)
{
    struct machine_step s = machine_step(link->state, input);
    enum err err = ERR_OK;
    link->state = s.next;
    switch (s.effect) {
    case MACHINE_ANSWER:
        err = answer(link);
        break;
    case MACHINE_GREET:
        err = greet(link);
        break;
    case MACHINE_OPENED:
        opened(link, now_ms);
        break;
    case MACHINE_PONG:
        err = pong(link);
        break;
    case MACHINE_PING:
        err = ping(link, now_ms);
        break;
    case MACHINE_REFUSE:
        say_bye(link, ERR_PROTOCOL);
        shut(link, ERR_PROTOCOL);
        break;
    case MACHINE_BYE:
        say_bye(link, error);
        shut(link, error);
        break;
    case MACHINE_DROP:
        shut(link, error);
        break;
    case MACHINE_DELIVER: /* by the caller, who has the bytes */
    case MACHINE_SEAL:    /* likewise */
    case MACHINE_NOT_NOW: /* likewise */
    case MACHINE_NOTHING:
        break;
    }
    if (err != ERR_OK) {
        shut(link, err);
    }
}

/* ----------------------------------------------------------------------------------- receiving */

static enum machine_input classify_hello(struct slice body, enum err *error)
{
    struct hello theirs;
    struct hello own = hello_own();
    *error = hello_read(body, &theirs);
    if (*error != ERR_OK) {
        return MACHINE_IN_BAD;
    }
    if (hello_agree(&own, &theirs) == 0) {
        *error = ERR_VERSION;
        return MACHINE_IN_HELLO_OTHER;
    }
    return MACHINE_IN_HELLO;
}

/* The reason in a BYE is a peer's word: it may blame us or itself, but not our disk. */
static enum machine_input classify_bye(struct slice body, enum err *error)
{
    struct reader r = reader_of(body);
    unsigned code = (unsigned)pack_read_uint(&r, UINT16_MAX);
    enum err err = reader_end(&r);
    if (err != ERR_OK) {
        *error = err;
        return MACHINE_IN_BAD;
    }
    err = err_from_code(code);
    *error = err_class(err) == ERR_CLASS_PEER ? err : ERR_LINK_CLOSED;
    return MACHINE_IN_BYE;
}

/* What an opened record is to the machine. */
static enum machine_input classify(struct slice bytes, enum err *error)
{
    struct frame frame;
    *error = frame_read(bytes, &frame);
    if (*error != ERR_OK) {
        return MACHINE_IN_BAD;
    }
    if (frame.kind > FRAME_BYE || frame.kind == FRAME_CREDIT) {
        return MACHINE_IN_FRAME;
    }
    if (frame.id != 0) {
        *error = ERR_MALFORMED;
        return MACHINE_IN_BAD;
    }
    if (frame.kind == FRAME_HELLO) {
        return classify_hello(frame.body, error);
    }
    if (frame.kind == FRAME_BYE) {
        return classify_bye(frame.body, error);
    }
    if (frame.body.len != 1 || frame.body.p[0] != NIL) {
        *error = ERR_MALFORMED;
        return MACHINE_IN_BAD;
    }
    return frame.kind == FRAME_PING ? MACHINE_IN_PING : MACHINE_IN_PONG;
}

static void receive_handshake(struct link *link, const struct env *env, struct slice message)
{
    uint8_t none[1];
    struct writer payload = writer_of(none, sizeof none); /* exact sizes leave it empty */
    enum err err = link->noise == NULL ? start_noise(link, env, NULL) : ERR_OK;
    if (err == ERR_OK) {
        err = noise_read(link->noise, message, &payload);
    }
    if (err != ERR_OK) {
        step(link, env->now_ms, MACHINE_IN_BAD, err);
        return;
    }
    if (noise_action(link->noise) == NOISE_WRITE) {
        step(link, env->now_ms, MACHINE_IN_MESSAGE, ERR_OK);
    }
    if (link->noise != NULL && noise_action(link->noise) == NOISE_SPLIT) {
        step(link, env->now_ms, MACHINE_IN_SPLIT, ERR_OK);
    }
}

/* Opens a record behind the frames that wait already: from the socket's bytes to where the core
 * reads them in one pass. more: bytes that came with it, for a good guess of the room needed. */
static void receive_record(struct link *link, const struct env *env, struct slice sealed,
                           size_t more)
{
    struct slice frame = slice_of(NULL, 0);
    enum err err = ERR_NO_MEMORY;
    enum machine_input input = MACHINE_IN_BAD;
    uint8_t *at =
        fifo_reserve(&link->frames, sealed.len + (link->frames.cap == 0 ? more : 0), SIZE_MAX);
    if (at != NULL) {
        err = sealer_open(&link->receive, sealed, at, &frame);
    }
    if (err == ERR_OK) {
        input = classify(frame, &err);
        if (link->state == MACHINE_OPEN) {
            link->pinged = false;
            link->deadline = env->now_ms + LIMIT_LINK_IDLE_MS;
        }
    }
    if (machine_step(link->state, input).effect == MACHINE_DELIVER) {
        fifo_commit(&link->frames, RECORD_PREFIX + frame.len);
    }
    step(link, env->now_ms, input, err);
}

/* Whether a message of len bytes may come now; closes the link otherwise. */
static bool length_ok(struct link *link, const struct env *env, size_t len)
{
    enum err err;
    if (link->state == MACHINE_HANDSHAKE) {
        size_t wanted = link->noise == NULL ? NOISE_XKHFS_1 : noise_message_size(link->noise);
        err = len == wanted ? ERR_OK : ERR_HANDSHAKE;
    } else {
        err = sealer_check_length(len);
    }
    if (err != ERR_OK) {
        step(link, env->now_ms, MACHINE_IN_BAD, err);
    }
    return err == ERR_OK;
}

static size_t header_of(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

/* Keeps bytes of in until want are kept; memory grows with what came, not with what was announced.
 * false: not yet. */
static bool keep(struct link *link, const struct env *env, struct reader *in, size_t want)
{
    size_t have = link->partial.len;
    size_t n = want - have < reader_left(in) ? want - have : reader_left(in);
    if (n > 0) {
        uint8_t *at = fifo_reserve(&link->partial, n, want);
        if (at == NULL) {
            step(link, env->now_ms, MACHINE_IN_BAD, ERR_NO_MEMORY);
            return false;
        }
        reader_copy(in, at, n);
        fifo_commit(&link->partial, n);
    }
    return have + n == want;
}

/* The next whole message: out of the socket's bytes, or put together in partial. false: none. */
static bool next_message(struct link *link, const struct env *env, struct reader *in,
                         struct slice *message)
{
    if (link->partial.len == 0 && reader_left(in) >= RECORD_HEADER) {
        size_t len = header_of(in->p + in->pos);
        if (!length_ok(link, env, len)) {
            return false;
        }
        if (reader_left(in) >= RECORD_HEADER + len) {
            (void)reader_bytes(in, RECORD_HEADER);
            *message = reader_bytes(in, len);
            return true;
        }
    }
    if (link->partial.len < RECORD_HEADER && !keep(link, env, in, RECORD_HEADER)) {
        return false;
    }
    size_t len = header_of(fifo_bytes(&link->partial).p);
    if (!length_ok(link, env, len) || !keep(link, env, in, RECORD_HEADER + len)) {
        return false;
    }
    *message = slice_of(fifo_bytes(&link->partial).p + RECORD_HEADER, len);
    return true;
}

void link_receive(struct link *link, const struct env *env, struct slice bytes)
{
    struct reader in = reader_of(bytes);
    struct slice message;
    fifo_take(&link->frames, link->lent);
    link->lent = 0;
    while (link->state != MACHINE_CLOSED && next_message(link, env, &in, &message)) {
        if (link->state == MACHINE_HANDSHAKE) {
            receive_handshake(link, env, message);
        } else {
            receive_record(link, env, message, reader_left(&in));
        }
        fifo_take(&link->partial, link->partial.len);
    }
    fifo_take(&link->frames, 0); /* frees what no frame needed */
}

enum link_event link_next(struct link *link, const struct env *env, struct slice *frame)
{
    (void)env;
    fifo_take(&link->frames, link->lent);
    link->lent = 0;
    if (link->tell_opened) {
        link->tell_opened = false;
        return LINK_OPENED;
    }
    struct slice waiting = fifo_bytes(&link->frames);
    if (waiting.len > 0) {
        size_t len = header_of(waiting.p);
        *frame = slice_of(waiting.p + RECORD_PREFIX, len);
        link->lent = RECORD_PREFIX + len;
        return LINK_FRAME;
    }
    if (link->tell_closed) {
        link->tell_closed = false;
        return LINK_CLOSED;
    }
    return LINK_NOTHING;
}

/* ------------------------------------------------------------------------------------- sending */

enum err link_send(struct link *link, struct slice frame)
{
    struct machine_step s = machine_step(link->state, MACHINE_IN_SEND);
    return s.effect == MACHINE_SEAL ? seal(link, frame) : ERR_NOT_NOW;
}

void link_close(struct link *link, enum err reason)
{
    if (link->state == MACHINE_CLOSED) {
        return;
    }
    step(link, 0, MACHINE_IN_CLOSE, reason);
    /* The caller wants no more of it: what came and was not fetched goes. */
    fifo_fini(&link->frames);
    link->lent = 0;
    link->tell_opened = false;
}

struct slice link_output(const struct link *link)
{
    return fifo_bytes(&link->output);
}

void link_output_done(struct link *link, size_t n)
{
    fifo_take(&link->output, n);
}

/* ---------------------------------------------------------------------------------------- time */

uint64_t link_deadline(const struct link *link)
{
    return link->deadline;
}

void link_tick(struct link *link, const struct env *env)
{
    if (env->now_ms < link->deadline) {
        return;
    }
    bool idle = link->state == MACHINE_OPEN && !link->pinged;
    step(link, env->now_ms, idle ? MACHINE_IN_IDLE : MACHINE_IN_LATE, ERR_TIMEOUT);
}

/* ------------------------------------------------------------------------------------- queries */

bool link_is_open(const struct link *link)
{
    return link->state == MACHINE_OPEN;
}

enum err link_error(const struct link *link)
{
    return link->error;
}

const uint8_t *link_hash(const struct link *link)
{
    return link->hash;
}

struct dh_pk link_remote_static(const struct link *link)
{
    return link->remote;
}
