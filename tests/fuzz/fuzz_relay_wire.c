/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_relay_wire: requests to a relay and its replies. The first byte says which part takes the
 * rest: queue_requests (0), record_requests (1), relay_replies (2).
 * decodes: tests/fuzz/parts/queue_requests.c tests/fuzz/parts/record_requests.c
 * decodes: tests/fuzz/parts/relay_replies.c proto/relay/wire.c proto/relay/queue.c
 * decodes: proto/relay/record.c proto/relay/member.c proto/relay/descriptor_record.c
 * decodes: proto/relay/receipt.c proto/base/pack.c
 */
#include "fuzz/parts/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const fuzz_part PARTS[] = {part_queue_requests, part_record_requests,
                                      part_relay_replies};
    parts_run(PARTS, sizeof PARTS / sizeof PARTS[0], data, len);
    return 0;
}
