/* SPDX-License-Identifier: Apache-2.0 */
#include "link/machine.h"

#include <assert.h>

/* Cells: {next state, effect}. */
/* clang-format off */
#define IN(input)         MACHINE_IN_##input
#define TO(state, effect) {MACHINE_##state, MACHINE_##effect}
#define STAY(state)       {MACHINE_##state, MACHINE_NOTHING}
#define LATER(state)      {MACHINE_##state, MACHINE_NOT_NOW}
#define DROP              {MACHINE_CLOSED, MACHINE_DROP}
#define BYE               {MACHINE_CLOSED, MACHINE_BYE}
#define REFUSE            {MACHINE_CLOSED, MACHINE_REFUSE}
#define OVER              {MACHINE_CLOSED, MACHINE_NOTHING}

static const struct machine_step table[MACHINE_INPUTS][MACHINE_STATES] = {
    /*                   HANDSHAKE              HELLO             OPEN               CLOSED */
    [IN(MESSAGE)]     = {TO(HANDSHAKE, ANSWER), REFUSE,           REFUSE,            OVER},
    [IN(SPLIT)]       = {TO(HELLO, GREET),      REFUSE,           REFUSE,            OVER},
    [IN(HELLO)]       = {DROP,                  TO(OPEN, OPENED), REFUSE,            OVER},
    [IN(HELLO_OTHER)] = {DROP,                  BYE,              REFUSE,            OVER},
    [IN(PING)]        = {DROP,                  REFUSE,           TO(OPEN, PONG),    OVER},
    [IN(PONG)]        = {DROP,                  REFUSE,           STAY(OPEN),        OVER},
    [IN(BYE)]         = {DROP,                  DROP,             DROP,              OVER},
    [IN(FRAME)]       = {DROP,                  REFUSE,           TO(OPEN, DELIVER), OVER},
    [IN(BAD)]         = {DROP,                  BYE,              BYE,               OVER},
    [IN(IDLE)]        = {STAY(HANDSHAKE),       STAY(HELLO),      TO(OPEN, PING),    OVER},
    [IN(LATE)]        = {DROP,                  DROP,             DROP,              OVER},
    [IN(SEND)]        = {LATER(HANDSHAKE),      LATER(HELLO),     TO(OPEN, SEAL),    LATER(CLOSED)},
    [IN(CLOSE)]       = {DROP,                  BYE,              BYE,               OVER},
};
/* clang-format on */

struct machine_step machine_step(enum machine_state state, enum machine_input input)
{
    assert((unsigned)state < MACHINE_STATES && (unsigned)input < MACHINE_INPUTS);
    return table[input][state];
}
