/* SPDX-License-Identifier: Apache-2.0
 *
 * content: any bytes as a content; what decodes must encode and decode to the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "node/content.h"

void part_content(const uint8_t *data, size_t len)
{
    struct content c;
    struct content got;
    if (content_decode(slice_of(data, len), &c) != ERR_OK) {
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
