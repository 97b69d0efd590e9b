/* SPDX-License-Identifier: Apache-2.0
 *
 * link_states: every state of a link with every event, against a table.
 */
#include "link/link.h"

#include <stdlib.h>

#include "lib/link_bench.h"
#include "link/hello.h"

enum start {
    S_INITIATOR, /* message 1 is out */
    S_WAIT1,     /* a responder that has heard nothing */
    S_WAIT3,     /* message 2 is out */
    S_HELLO_I,   /* initiator, own hello out */
    S_HELLO_R,
    S_OPEN_I,
    S_OPEN_R,
    S_PINGED, /* open, a ping is out */
    S_CLOSED,
    STARTS,
    COLUMNS = 7, /* of the table: both ends are alike in hello and open */
};

static size_t column(enum start s)
{
    static const size_t columns[STARTS] = {0, 1, 2, 3, 3, 4, 4, 5, 6};
    return columns[s];
}

enum event {
    E_MESSAGE, /* the right handshake message, or one as long as the third */
    E_HELLO,
    E_HELLO_OTHER,
    E_PING,
    E_PONG,
    E_BYE,
    E_REQUEST,
    E_REPLY,
    E_CREDIT,
    E_BAD_FRAME,
    E_BAD_RECORD,
    E_BAD_LENGTH,
    E_EARLY, /* link_tick before the deadline */
    E_DUE,   /* and at it */
    E_SEND,
    E_CLOSE,
    EVENTS,
};

enum outcome {
    X_NONE,   /* nothing to be seen */
    X_ANSWER, /* a handshake message goes out */
    X_GREET,  /* a hello goes out, behind the last handshake message if that is ours */
    X_OPENED, /* the host is told */
    X_PONG,
    X_PING,
    X_FRAME, /* the host gets the frame */
    X_SENT,
    X_LATER, /* ERR_NOT_NOW */
    X_DROP,  /* closed without a word */
    X_BYE,   /* closed after a BYE */
};

struct expect {
    enum outcome x;
    enum err err; /* of the closed link, and in its BYE */
};

/* clang-format off */
#define NONE     {X_NONE, ERR_OK}
#define S(x)     {X_##x, ERR_OK}
#define DROP(e)  {X_DROP, ERR_##e}
#define BYE(e)   {X_BYE, ERR_##e}
#define SHAKE    DROP(HANDSHAKE)
#define LATE     DROP(TIMEOUT)
#define GONE     DROP(REFUSED)
#define QUOTA    DROP(QUOTA)
#define TOLD     BYE(REFUSED)
#define WRONG    BYE(PROTOCOL)
#define SHORT    BYE(MALFORMED)
#define LARGE    BYE(TOO_LARGE)
#define NOKEY    BYE(DECRYPT)
#define OTHER    BYE(VERSION)
#define NOTNOW   S(LATER)
#define FRAME    S(FRAME)

static const struct expect expected[EVENTS][COLUMNS] = {
    /*                 dialled   wait 1     wait 3    hello      open     pinged   closed */
    [E_MESSAGE]     = {S(GREET), S(ANSWER), S(GREET), SHORT,     SHORT,   SHORT,   NONE},
    [E_HELLO]       = {SHAKE,    SHAKE,     SHAKE,    S(OPENED), WRONG,   WRONG,   NONE},
    [E_HELLO_OTHER] = {SHAKE,    SHAKE,     SHAKE,    OTHER,     WRONG,   WRONG,   NONE},
    [E_PING]        = {SHAKE,    SHAKE,     SHAKE,    WRONG,     S(PONG), S(PONG), NONE},
    [E_PONG]        = {SHAKE,    SHAKE,     SHAKE,    WRONG,     NONE,    NONE,    NONE},
    [E_BYE]         = {SHAKE,    SHAKE,     SHAKE,    QUOTA,     QUOTA,   QUOTA,   NONE},
    [E_REQUEST]     = {SHAKE,    SHAKE,     SHAKE,    WRONG,     FRAME,   FRAME,   NONE},
    [E_REPLY]       = {SHAKE,    SHAKE,     SHAKE,    WRONG,     FRAME,   FRAME,   NONE},
    [E_CREDIT]      = {SHAKE,    SHAKE,     SHAKE,    WRONG,     FRAME,   FRAME,   NONE},
    [E_BAD_FRAME]   = {SHAKE,    SHAKE,     SHAKE,    SHORT,     SHORT,   SHORT,   NONE},
    [E_BAD_RECORD]  = {SHAKE,    SHAKE,     SHAKE,    NOKEY,     NOKEY,   NOKEY,   NONE},
    [E_BAD_LENGTH]  = {SHAKE,    SHAKE,     SHAKE,    LARGE,     LARGE,   LARGE,   NONE},
    [E_EARLY]       = {NONE,     NONE,      NONE,     NONE,      NONE,    NONE,    NONE},
    [E_DUE]         = {LATE,     LATE,      LATE,     LATE,      S(PING), LATE,    NONE},
    [E_SEND]        = {NOTNOW,   NOTNOW,    NOTNOW,   NOTNOW,    S(SENT), S(SENT), NOTNOW},
    [E_CLOSE]       = {GONE,     GONE,      GONE,     TOLD,      TOLD,    TOLD,    NONE},
};
/* clang-format on */

static void walk_to(struct link_bench *b, enum start s)
{
    switch (s) {
    case S_INITIATOR:
        link_bench_start(b, true);
        link_bench_read(b);
        break;
    case S_WAIT1:
        link_bench_start(b, false);
        break;
    case S_WAIT3:
        link_bench_start(b, false);
        link_peer_write(&b->peer, &b->w);
        link_bench_feed(b);
        link_bench_read(b);
        break;
    case S_HELLO_I:
    case S_HELLO_R:
        link_bench_handshake(b, s == S_HELLO_I);
        break;
    case S_OPEN_I:
    case S_OPEN_R:
        link_bench_open_link(b, s == S_OPEN_I);
        break;
    case S_PINGED:
        link_bench_open_link(b, true);
        b->env.env.now_ms = link_deadline(b->link);
        link_tick(b->link, &b->env.env);
        link_bench_open(b, FRAME_PING);
        break;
    case S_CLOSED:
        link_bench_open_link(b, true);
        link_close(b->link, ERR_OK);
        link_bench_open(b, FRAME_BYE);
        ck_assert_int_eq(link_bench_next(b), LINK_CLOSED);
        break;
    case STARTS:
        break;
    }
}

/* The peer writes what the event needs; before the split its records are noise, in both senses. */
static void walk_write(struct link_bench *b, enum start s, enum event e)
{
    bool shaking = s <= S_WAIT3;
    static const struct {
        uint8_t kind;
        const char *body;
    } frames[EVENTS] = {[E_HELLO] = {FRAME_HELLO, "840001010102a1780300"},
                        [E_HELLO_OTHER] = {FRAME_HELLO, "840002010202a1780300"},
                        [E_PING] = {FRAME_PING, "c0"},
                        [E_PONG] = {FRAME_PONG, "c0"},
                        [E_BYE] = {FRAME_BYE, "73"},
                        [E_REQUEST] = {FRAME_QUEUE_DEPOSIT, "8100c0"},
                        [E_REPLY] = {FRAME_QUEUE_DEPOSIT + FRAME_REPLY, "8100c0"},
                        [E_CREDIT] = {FRAME_CREDIT, "40"},
                        [E_BAD_FRAME] = {FRAME_CREDIT, "c1"},
                        [E_BAD_RECORD] = {FRAME_CREDIT, "40"}};
    if (e == E_BAD_LENGTH) {
        writer_u16(&b->w, 65535);
    } else if (e == E_MESSAGE && shaking) {
        link_peer_write(&b->peer, &b->w);
    } else if (e == E_MESSAGE) {
        writer_u16(&b->w, NOISE_XKHFS_3);
        writer_zeros(&b->w, NOISE_XKHFS_3);
    } else if (shaking) {
        writer_u16(&b->w, RECORD_MIN);
        writer_zeros(&b->w, RECORD_MIN);
    } else {
        link_peer_frame(&b->peer, frames[e].kind, frames[e].kind >= 16 ? 1 : 0, frames[e].body,
                        &b->w);
        b->wire[b->w.len - 1] ^= e == E_BAD_RECORD;
    }
}

static enum err walk_do(struct link_bench *b, enum start s, enum event e)
{
    switch (e) {
    case E_EARLY:
        b->env.env.now_ms = link_deadline(b->link) - 1;
        link_tick(b->link, &b->env.env);
        return ERR_OK;
    case E_DUE:
        b->env.env.now_ms = s == S_CLOSED ? UINT64_MAX - 1 : link_deadline(b->link);
        link_tick(b->link, &b->env.env);
        return ERR_OK;
    case E_SEND:
        return link_send(b->link, unit_str("\x93\x13\x01\xc0"));
    case E_CLOSE:
        link_close(b->link, ERR_REFUSED);
        return ERR_OK;
    case E_MESSAGE:
    case E_HELLO:
    case E_HELLO_OTHER:
    case E_PING:
    case E_PONG:
    case E_BYE:
    case E_REQUEST:
    case E_REPLY:
    case E_CREDIT:
    case E_BAD_FRAME:
    case E_BAD_RECORD:
    case E_BAD_LENGTH:
    case EVENTS:
        break;
    }
    walk_write(b, s, e);
    link_bench_feed(b);
    return ERR_OK;
}

/* What must be seen outside, and that nothing else is. */
static void walk_check(struct link_bench *b, enum start s, struct expect x, enum err sent)
{
    switch (x.x) {
    case X_ANSWER:
        link_bench_read(b);
        break;
    case X_GREET:
        if (s == S_INITIATOR) {
            link_bench_read(b);
        }
        link_peer_split(&b->peer);
        link_bench_open(b, FRAME_HELLO);
        break;
    case X_OPENED:
        ck_assert(link_is_open(b->link));
        ck_assert_int_eq(link_bench_next(b), LINK_OPENED);
        break;
    case X_PONG:
        link_bench_open(b, FRAME_PONG);
        break;
    case X_PING:
        link_bench_open(b, FRAME_PING);
        break;
    case X_FRAME:
        ck_assert_int_eq(link_bench_next(b), LINK_FRAME);
        break;
    case X_SENT:
        link_bench_open(b, FRAME_QUEUE_DEPOSIT);
        break;
    case X_DROP:
        link_bench_expect_closed(b, x.err, 0);
        break;
    case X_BYE:
        link_bench_expect_closed(b, x.err, (unsigned)x.err);
        break;
    case X_LATER:
    case X_NONE:
        break;
    }
    ck_assert_int_eq(sent, x.x == X_LATER ? ERR_NOT_NOW : ERR_OK);
    ck_assert_uint_eq(link_output(b->link).len, 0);
    ck_assert_int_eq(link_bench_next(b), LINK_NOTHING);
    ck_assert(link_is_open(b->link) == (x.x == X_OPENED || (s >= S_OPEN_I && s <= S_PINGED &&
                                                            x.x != X_DROP && x.x != X_BYE)));
}

START_TEST(every_state_answers_every_event_as_the_table_says)
{
    unsigned pairs = 0;
    struct link_bench *b = malloc(sizeof *b);
    for (int s = 0; s < STARTS; s++) {
        for (int e = 0; e < EVENTS; e++) {
            walk_to(b, (enum start)s);
            enum err sent = walk_do(b, (enum start)s, (enum event)e);
            walk_check(b, (enum start)s, expected[e][column((enum start)s)], sent);
            link_free(b->link);
            pairs++;
        }
    }
    ck_assert_uint_eq(pairs, 144);
    free(b);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, every_state_answers_every_event_as_the_table_says);
}

int main(void)
{
    return unit_main("link/link_states", add);
}
