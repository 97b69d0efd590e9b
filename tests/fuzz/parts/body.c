/* SPDX-License-Identifier: Apache-2.0
 *
 * The plaintext of a body, and its numbering. The first byte is a mode, always 0. What is read and
 * known can be written in the told size and is read back the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "lib/unit.h"
#include "pair/sequence.h"

static void written_again(const struct body *body)
{
    static uint8_t plain[LIMIT_ENVELOPE];
    struct body back;
    size_t size = body_map_size(body) + BODY_LENGTH;
    if (size > sizeof plain) {
        return;
    }
    if (body_write(plain, size, body) != ERR_OK ||
        body_read(slice_of(plain, size), &back) != ERR_OK || back.seq != body->seq ||
        back.settled != body->settled || !slice_equal(back.content, body->content) ||
        !slice_equal(back.tokens, body->tokens) || !slice_equal(back.route, body->route) ||
        !slice_equal(back.offer.bytes, body->offer.bytes) ||
        memcmp(&back.ack, &body->ack, sizeof back.ack) != 0) {
        abort();
    }
}

static void numbered(const struct body *body)
{
    struct unit_env env;
    struct sequence q;
    struct sequence_news news;
    uint8_t saved[SEQUENCE_SAVED_MAX];
    unit_env_init(&env, 1, 1);
    sequence_init(&q, &env.env);
    memcpy(q.boot_id, body->ack_boot_id, sizeof q.boot_id);
    q.seq = 20;
    for (unsigned i = 0; i < 2; i++) {
        struct sequence copy = q;
        if (sequence_take(&copy, body, &news) == ERR_OK) {
            q = copy;
        }
    }
    if (ack_top(&q.acked) > q.seq) {
        abort();
    }
    struct writer w = writer_of(saved, sizeof saved);
    sequence_save(&q, &w);
    struct reader r = reader_of(writer_done(&w));
    sequence_load(&q, &r);
    if (reader_end(&r) != ERR_OK) {
        abort();
    }
}

void part_body(const uint8_t *data, size_t len)
{
    struct body body;
    if (len >= 1 && body_read(slice_of(data + 1, len - 1), &body) == ERR_OK) {
        written_again(&body);
        numbered(&body);
    }
}
