/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_text: what people type, paste or read out. The first byte says which part takes the
 * rest: id (0), address (1), invite (2), words (3).
 * decodes: tests/fuzz/parts/id.c tests/fuzz/parts/address.c tests/fuzz/parts/invite.c
 * decodes: tests/fuzz/parts/words.c proto/base/id.c proto/base/bech32m.c proto/node/address.c
 * decodes: proto/node/hostname.c proto/node/invite.c proto/crypto/words.c
 */
#include "fuzz/parts/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const fuzz_part PARTS[] = {part_id, part_address, part_invite, part_words};
    parts_run(PARTS, sizeof PARTS / sizeof PARTS[0], data, len);
    return 0;
}
