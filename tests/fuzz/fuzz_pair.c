/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_pair: bodies of a session, and parts of a key bundle. The first byte says which part takes
 * the rest: body (0), prekey (1). decodes: tests/fuzz/parts/body.c tests/fuzz/parts/prekey.c
 * proto/pair/body.c proto/pair/ack.c decodes: proto/pair/sequence.c proto/pair/kem_ratchet.c
 * proto/pair/prekey.c proto/base/pack.c
 */
#include "fuzz/parts/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const fuzz_part PARTS[] = {part_body, part_prekey};
    parts_run(PARTS, sizeof PARTS / sizeof PARTS[0], data, len);
    return 0;
}
