/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_control: control/codec.h. The first byte says where the stream is split: a message is found
 * at the same place however its bytes arrive; what is accepted is read without a fault.
 */
#include <stdlib.h>

#include "control/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void use_message(const struct control_message *m)
{
    struct control_error e;
    struct slice which;
    uint64_t n;
    bool b;
    if (control_error_read(m->error, &e) == ERR_OK && e.name.len > m->error.len) {
        abort();
    }
    (void)control_get_uint(m->result, "cursor", &n);
    (void)control_get_bool(m->params, "verified", &b);
    const struct control_method *method = control_method_find(m->method);
    if (m->kind == CONTROL_REQUEST && method != NULL) {
        enum err err = control_params_check(method, m->params, &which);
        if (err == ERR_MISSING_PARAM && which.len == 0) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1) {
        return 0;
    }
    struct slice all = slice_of(data + 1, len - 1);
    size_t split = data[0] < all.len ? data[0] : all.len;
    struct control_scan whole = control_scan_new();
    struct control_scan parts = control_scan_new();
    size_t end = 0;
    size_t end_parts = 0;
    enum err err = control_scan(&whole, all, &end);
    enum err first = control_scan(&parts, slice_of(all.p, split), &end_parts);
    enum err again = first == ERR_NOT_NOW ? control_scan(&parts, all, &end_parts) : first;
    if (err != again || (err == ERR_OK && (end != end_parts || end > all.len))) {
        abort();
    }
    struct control_message m;
    if (err == ERR_OK && control_read(slice_of(all.p, end), &m) == ERR_OK) {
        use_message(&m);
    }
    return 0;
}
