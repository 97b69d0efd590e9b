/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_stored: what a damaged disk may give back. The first byte says which part takes the
 * rest: erase (0), seal_row (1), session_load (2), wal (3).
 * decodes: tests/fuzz/parts/erase.c tests/fuzz/parts/seal_row.c tests/fuzz/parts/session_load.c
 * decodes: proto/store/erase.c proto/store/seal.c proto/store/seal_keys.c proto/store/seal_row.c
 * decodes: proto/pair/session.c proto/pair/ratchet.c
 * decodes: proto/pair/sequence.c proto/pair/skipped.c proto/pair/kem_ratchet.c
 * decodes: tests/fuzz/parts/wal.c daemon/store/wal_record.c
 */
#include "fuzz/parts/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const fuzz_part PARTS[] = {part_erase, part_seal_row, part_session_load, part_wal};
    parts_run(PARTS, sizeof PARTS / sizeof PARTS[0], data, len);
    return 0;
}
