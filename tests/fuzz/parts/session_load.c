/* SPDX-License-Identifier: Apache-2.0
 *
 * A saved session: what loads is used once in every way, and saves to a form that loads again. The
 * first byte is a mode, always 0.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "lib/pair.h"

static void use(struct session *s, struct session *again, struct unit_env *env, struct arena *arena)
{
    static uint8_t junk[4096];
    struct session_out out = {.content = unit_str("content")};
    struct session_in in;
    struct slice one;
    struct slice two;
    uint64_t seq;
    if (session_save(s, arena, &one) != ERR_OK || session_load(again, one) != ERR_OK ||
        session_save(again, arena, &two) != ERR_OK || !slice_equal(one, two)) {
        abort();
    }
    for (unsigned class = 0; class < LIMIT_ENVELOPE_CLASSES; class ++) {
        (void)session_room(s, class, 0);
    }
    junk[0] = ENVELOPE_ESTABLISHED;
    (void)!session_open(s, &env->env, arena, slice_of(junk, sizeof junk), &in);
    (void)!session_seal(s, &env->env, arena, &out, &one, &seq);
    (void)session_acked(s, 1);
    session_forget(s, session_acked_up_to(s) + 1);
    (void)session_expire(s, env->env.now_ms);
    if (session_save(s, arena, &one) != ERR_OK || session_load(again, one) != ERR_OK) {
        abort();
    }
}

void part_session_load(const uint8_t *data, size_t len)
{
    struct unit_env env;
    struct arena arena;
    if (len < 1 || prim_init() != ERR_OK) {
        return;
    }
    struct session *s = session_new();
    struct session *again = session_new();
    if (s == NULL || again == NULL) {
        abort();
    }
    unit_env_init(&env, 1, PAIR_NOW);
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    if (session_load(s, slice_of(data + 1, len - 1)) == ERR_OK) {
        use(s, again, &env, &arena);
    }
    session_free(s);
    session_free(again);
    arena_fini(&arena);
}
