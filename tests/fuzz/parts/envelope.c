/* SPDX-License-Identifier: Apache-2.0
 *
 * An envelope for a running session. The first byte is a mode, always 0; the rest is the envelope.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "lib/pair.h"

/* The session of the seeds: tests/unit/pair/test_session_vectors.c. */
static struct pair_party a;
static struct pair_party b;
static struct slice saved;

static void set_up(void)
{
    static bool done;
    if (done) {
        return;
    }
    done = true;
    if (prim_init() != ERR_OK) {
        abort();
    }
    pair_party_init(&a, 1);
    pair_party_init(&b, 2);
    pair_initiate(&a, &b, true, NULL);
    pair_established(&a, &b);
    saved = pair_saved(b.session);
}

void part_envelope(const uint8_t *data, size_t len)
{
    struct session_in in;
    set_up();
    if (len < 1 || session_load(b.session, saved) != ERR_OK) {
        return;
    }
    if (session_open(b.session, &b.env.env, &b.arena, slice_of(data + 1, len - 1), &in) != ERR_OK) {
        /* nothing has moved */
        struct slice now;
        if (session_save(b.session, &b.arena, &now) != ERR_OK || !slice_equal(now, saved)) {
            abort();
        }
    }
    arena_reset(&b.arena);
}
