/* SPDX-License-Identifier: Apache-2.0
 *
 * content: any bytes as the content of a body, one or a batch; what decodes must encode and decode
 * to the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "node/batch.h"
#include "node/content.h"

static void one(struct slice in)
{
    struct content c;
    struct content got;
    if (content_decode(in, &c) != ERR_OK) {
        return;
    }
    size_t cap = c.text.len + c.body.len + CONTENT_OVERHEAD;
    uint8_t *bytes = malloc(cap);
    if (bytes == NULL) {
        return;
    }
    struct writer w = writer_of(bytes, cap);
    if (content_encode(&w, &c) != ERR_OK || content_decode(writer_done(&w), &got) != ERR_OK ||
        got.type != c.type || got.sent_ms != c.sent_ms || got.expires_ms != c.expires_ms ||
        memcmp(got.id, c.id, sizeof c.id) != 0 || !slice_equal(got.text, c.text) ||
        !slice_equal(got.body, c.body) || !slice_equal(got.conversation, c.conversation)) {
        abort();
    }
    free(bytes);
}

void part_content(const uint8_t *data, size_t len)
{
    struct batch batch;
    struct slice all = slice_of(data, len);
    if (batch_read(all, &batch) != ERR_OK) {
        return;
    }
    uint8_t *bytes = malloc(len + 1);
    if (bytes == NULL) {
        return;
    }
    struct writer w = writer_of(bytes, len + 1);
    /* Strict reading: the same bytes again. Nothing at all is nothing to be written. */
    if (len > 0 && (batch_write(&w, &batch) != ERR_OK || !slice_equal(writer_done(&w), all))) {
        abort();
    }
    free(bytes);
    for (size_t i = 0; i < batch.count; i++) {
        one(batch.content[i]);
    }
}
