/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_kem: keys and ciphertexts of KEMs. The first byte says which part takes the
 * rest: hpke_open (0), mlkem_enc (1).
 * decodes: tests/fuzz/parts/hpke_open.c tests/fuzz/parts/mlkem_enc.c proto/crypto/hpke.c
 * decodes: proto/crypto/xwing.c proto/crypto/mlkem768.c proto/crypto/keccak.c
 */
#include "fuzz/parts/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const fuzz_part PARTS[] = {part_hpke_open, part_mlkem_enc};
    parts_run(PARTS, sizeof PARTS / sizeof PARTS[0], data, len);
    return 0;
}
