/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_fail: what becomes of the inputs of a failed turn. docs/architecture.md, "When a turn
 * fails".
 *
 *   failures in a row    0, 1            2 and more
 *   inputs a turn        as many as fit  one, until all that waited have run
 *
 * An input that fails alone is dropped with a named error. A store that fails although there is
 * space, or a core that fails without any input, ends the daemon.
 *
 * Owns two counters; engine thread only. It touches neither store nor core.
 */
#ifndef PETREL_DAEMON_ENGINE_FAIL_H
#define PETREL_DAEMON_ENGINE_FAIL_H

#include "daemon/engine_input.h"

/* Where in a turn something failed. */
enum engine_stage {
    STAGE_BEGIN,
    STAGE_STEP,
    STAGE_FLUSH,
    STAGE_COMMIT
};

enum engine_verdict {
    ENGINE_RETRY, /* its commands run again */
    ENGINE_DROP,  /* as before, but without the one input that ran */
    ENGINE_FATAL, /* the daemon cannot live with it */
};

struct engine_fail {
    unsigned failures; /* in a row */
    size_t single;     /* inputs that still run one a turn */
};

/* How many inputs the next turn may run. */
size_t engine_fail_most(const struct engine_fail *f);
/* A turn went well: done inputs ran; rest: more of them wait. */
void engine_fail_none(struct engine_fail *f, size_t done, bool rest);
/* A turn of so many inputs failed; space: the disk has some. Counts it. */
enum engine_verdict engine_fail_judge(struct engine_fail *f, enum err err, enum engine_stage stage,
                                      size_t inputs, bool space);
/* After the verdict, not ENGINE_FATAL, with so many inputs left to run. */
void engine_fail_next(struct engine_fail *f, enum engine_verdict verdict, size_t left);
/* Sorts done and todo: todo are the inputs worth another try (commands), gone the others, because
 * links are all closed; done is empty. */
void engine_fail_sort(struct engine_inputs *done, struct engine_inputs *todo,
                      struct engine_inputs *gone);

#endif
