/* SPDX-License-Identifier: Apache-2.0
 *
 * machine: the states of a link, what can happen to it, and what follows: the table that link.c
 * carries out. docs/protocol/03-link.md, section 6.
 *
 *     link_new
 *        |
 *        v   message        split: hello        hello: opened
 *     +-----------+ (again) +-------+           +------+ frame, ping, pong, silence: ping
 *     | HANDSHAKE |-------->| HELLO |---------->| OPEN |<--+
 *     +-----------+         +-------+           +------+---+
 *        | bad: silent        | bad, other version, | bad, a second hello, bye, close,
 *        | late: silent       | anything but hello, | no life after a ping: silent
 *        | close              | bye, late, close    |
 *        v                    v                     v
 *     +-----------------------------------------------+
 *     |                    CLOSED                     |
 *     +-----------------------------------------------+
 *
 *     input        HANDSHAKE        HELLO             OPEN             CLOSED
 *     message      answer           refuse           refuse           -
 *     split        HELLO: say hello refuse            refuse           -
 *     hello        drop             OPEN: opened      refuse           -
 *     hello, other drop             bye               refuse           -
 *     ping         drop             refuse            pong             -
 *     pong         drop             refuse            -                -
 *     bye          drop             drop              drop             -
 *     frame        drop             refuse            deliver          -
 *     bad          drop             bye               bye              -
 *     idle         -                -                 ping             -
 *     late         drop             drop              drop             -
 *     send         not now          not now           seal             not now
 *     close        drop             bye               bye              -
 *
 * drop: CLOSED without a word. bye: CLOSED after a BYE with the input's error. refuse: the same
 * with ERR_PROTOCOL. In HANDSHAKE only message, split, bad, late, send and close can happen; in
 * HELLO and OPEN message and split cannot. The table has an answer all the same.
 */
#ifndef PETREL_LINK_MACHINE_H
#define PETREL_LINK_MACHINE_H

enum machine_state {
    MACHINE_HANDSHAKE, /* Noise messages */
    MACHINE_HELLO,     /* ours is sent, theirs has not come */
    MACHINE_OPEN,
    MACHINE_CLOSED,
    MACHINE_STATES,
};

enum machine_input {
    MACHINE_IN_MESSAGE,     /* a good handshake message, not the last */
    MACHINE_IN_SPLIT,       /* the handshake is complete */
    MACHINE_IN_HELLO,       /* of a version that is spoken here */
    MACHINE_IN_HELLO_OTHER, /* well-formed, of other versions */
    MACHINE_IN_PING,
    MACHINE_IN_PONG,
    MACHINE_IN_BYE,
    MACHINE_IN_FRAME, /* any other well-formed frame */
    MACHINE_IN_BAD,   /* bytes out of form, or that do not decrypt; or no memory for them */
    MACHINE_IN_IDLE,  /* nothing was heard for LIMIT_LINK_IDLE_MS */
    MACHINE_IN_LATE,  /* LIMIT_HANDSHAKE_MS is over, or LIMIT_LINK_DEAD_MS after a ping */
    MACHINE_IN_SEND,  /* link_send */
    MACHINE_IN_CLOSE, /* link_close */
    MACHINE_INPUTS,
};

enum machine_effect {
    MACHINE_NOTHING,
    MACHINE_ANSWER,  /* write the next handshake message, if it is our turn */
    MACHINE_GREET,   /* say hello */
    MACHINE_OPENED,  /* tell the host */
    MACHINE_PONG,    /* answer */
    MACHINE_DELIVER, /* keep the frame for the host */
    MACHINE_PING,    /* ask for a sign of life */
    MACHINE_SEAL,    /* seal and send the caller's frame */
    MACHINE_NOT_NOW, /* refuse the caller's call */
    MACHINE_BYE,     /* say why, then closed */
    MACHINE_REFUSE,  /* say ERR_PROTOCOL, then closed */
    MACHINE_DROP,    /* closed without a word */
};

struct machine_step {
    enum machine_state next;
    enum machine_effect effect;
};

/* One cell of the table. */
struct machine_step machine_step(enum machine_state state, enum machine_input input);

#endif
