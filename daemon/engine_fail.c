/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine_fail.h"

enum {
    ENGINE_LONE_FAILURES = 3,      /* a turn without inputs may fail so often in a row */
    ENGINE_FAILURES_TO_SINGLE = 2, /* failures in a row after which inputs run one a turn */
};

size_t engine_fail_most(const struct engine_fail *f)
{
    return f->single > 0 ? 1 : LIMIT_TURN_INPUTS;
}

void engine_fail_none(struct engine_fail *f, size_t done, bool rest)
{
    f->failures = 0;
    f->single -= f->single < done ? f->single : done;
    if (!rest) {
        f->single = 0;
    }
}

/* Whether this failure is one that the daemon cannot live with. */
static bool is_fatal(const struct engine_fail *f, enum err err, enum engine_stage stage,
                     size_t inputs, bool space)
{
    bool store_broke = stage == STAGE_BEGIN || stage == STAGE_COMMIT || err == ERR_IO;
    if (err == ERR_DISK_FULL || err == ERR_MAP_FULL) {
        store_broke = false; /* growth is refused now, or the one that grows is dropped */
    }
    if (store_broke && space && f->failures >= 2) {
        return true;
    }
    return inputs == 0 && f->failures >= ENGINE_LONE_FAILURES;
}

enum engine_verdict engine_fail_judge(struct engine_fail *f, enum err err, enum engine_stage stage,
                                      size_t inputs, bool space)
{
    f->failures++;
    if (is_fatal(f, err, stage, inputs, space)) {
        return ENGINE_FATAL;
    }
    return f->single > 0 && inputs == 1 ? ENGINE_DROP : ENGINE_RETRY;
}

void engine_fail_next(struct engine_fail *f, enum engine_verdict verdict, size_t left)
{
    if (verdict == ENGINE_DROP) {
        f->failures = 0;
        f->single = left; /* there may be another one among them */
    } else if (f->failures >= ENGINE_FAILURES_TO_SINGLE) {
        f->single = left + 1;
    }
}

void engine_fail_sort(struct engine_inputs *done, struct engine_inputs *todo,
                      struct engine_inputs *gone)
{
    struct engine_inputs again = {0};
    engine_input_splice(done, todo);
    for (struct engine_input *i = engine_input_pop(done); i != NULL; i = engine_input_pop(done)) {
        bool stays = i->node.kind == NODE_COMMAND || i->node.kind == NODE_POLICY;
        engine_input_append(stays ? &again : gone, i);
    }
    *todo = again;
}
