/* SPDX-License-Identifier: Apache-2.0 */
#include "link/machine.h"

#include <assert.h>

/* Cells that need more than a word's explanation are spelt out: {next state, effect}. */
#define STAY(state)                                                                                \
    {                                                                                              \
        MACHINE_##state, MACHINE_NOTHING                                                           \
    }
#define LATER(state)                                                                               \
    {                                                                                              \
        MACHINE_##state, MACHINE_NOT_NOW                                                           \
    }
#define TO(state, effect)                                                                          \
    {                                                                                              \
        MACHINE_##state, MACHINE_##effect                                                          \
    }
#define DROP                                                                                       \
    {                                                                                              \
        MACHINE_CLOSED, MACHINE_DROP                                                               \
    }
#define BYE                                                                                        \
    {                                                                                              \
        MACHINE_CLOSED, MACHINE_BYE                                                                \
    }
#define REFUSE                                                                                     \
    {                                                                                              \
        MACHINE_CLOSED, MACHINE_REFUSE                                                             \
    }
#define OVER STAY(CLOSED)

/* clang-format off */
static const struct machine_step table[MACHINE_INPUTS][MACHINE_STATES] = {
    /*                           HANDSHAKE              HELLO             OPEN               CLOSED */
    [MACHINE_IN_MESSAGE]     = {TO(HANDSHAKE, ANSWER), REFUSE,           REFUSE,            OVER},
    [MACHINE_IN_SPLIT]       = {TO(HELLO, GREET),      REFUSE,           REFUSE,            OVER},
    [MACHINE_IN_HELLO]       = {DROP,                  TO(OPEN, OPENED), REFUSE,            OVER},
    [MACHINE_IN_HELLO_OTHER] = {DROP,                  BYE,              REFUSE,            OVER},
    [MACHINE_IN_PING]        = {DROP,                  REFUSE,           TO(OPEN, PONG),    OVER},
    [MACHINE_IN_PONG]        = {DROP,                  REFUSE,           STAY(OPEN),        OVER},
    [MACHINE_IN_BYE]         = {DROP,                  DROP,             DROP,              OVER},
    [MACHINE_IN_FRAME]       = {DROP,                  REFUSE,           TO(OPEN, DELIVER), OVER},
    [MACHINE_IN_BAD]         = {DROP,                  BYE,              BYE,               OVER},
    [MACHINE_IN_IDLE]        = {STAY(HANDSHAKE),       STAY(HELLO),      TO(OPEN, PING),    OVER},
    [MACHINE_IN_LATE]        = {DROP,                  DROP,             DROP,              OVER},
    [MACHINE_IN_SEND]        = {LATER(HANDSHAKE),      LATER(HELLO),     TO(OPEN, SEAL),    LATER(CLOSED)},
    [MACHINE_IN_CLOSE]       = {DROP,                  BYE,              BYE,               OVER},
};
/* clang-format on */

struct machine_step machine_step(enum machine_state state, enum machine_input input)
{
    assert((unsigned)state < MACHINE_STATES && (unsigned)input < MACHINE_INPUTS);
    return table[input][state];
}
