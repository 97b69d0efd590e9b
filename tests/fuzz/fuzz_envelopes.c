/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_envelopes: envelopes, sealed by somebody who knows the keys. The first byte says which part
 * takes the rest: envelope (0), envelope_first (1). decodes: tests/fuzz/parts/envelope.c
 * tests/fuzz/parts/envelope_first.c proto/pair/envelope.c decodes: proto/pair/session.c
 * proto/pair/header.c proto/pair/ratchet.c proto/pair/pqxdh.c decodes: proto/pair/body.c
 */
#include "fuzz/parts/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const fuzz_part PARTS[] = {part_envelope, part_envelope_first};
    parts_run(PARTS, sizeof PARTS / sizeof PARTS[0], data, len);
    return 0;
}
