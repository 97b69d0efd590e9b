/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_frame: any bytes as a frame and as the body of a hello; what is accepted must come back the
 * same when it is written again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "link/frame.h"
#include "link/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t again[LIMIT_RECORD];
    struct slice bytes = slice_of(data, len);
    struct frame frame;
    if (frame_read(bytes, &frame) == ERR_OK) {
        struct writer w = writer_of(again, sizeof again);
        frame_write(&w, &frame);
        check(slice_equal(writer_done(&w), bytes)); /* strict: one encoding only */
        (void)frame_costs_credit(frame.kind);
        bytes = frame.body;
    }
    struct hello hello;
    if (hello_read(bytes, &hello) == ERR_OK) {
        struct hello own = hello_own();
        uint16_t agreed = hello_agree(&own, &hello);
        check(agreed == 0 || (agreed >= hello.min && agreed <= hello.version));
        check(hello.software.len <= LIMIT_HELLO_SOFTWARE);
    }
    return 0;
}
