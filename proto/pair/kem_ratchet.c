/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/kem_ratchet.h"

void kem_part_write(struct writer *w, const struct kem_part *part)
{
    pack_array(w, 2);
    pack_uint(w, part->epoch);
    pack_bin_slice(w, part->bytes);
}

void kem_part_read(struct reader *r, size_t len, struct kem_part *part)
{
    if (pack_read_array(r, 2) != 2) {
        reader_fail(r, ERR_MALFORMED);
    }
    part->epoch = (uint32_t)pack_read_uint(r, UINT32_MAX);
    part->bytes = pack_read_bin(r, len);
    if (part->epoch == 0 || part->bytes.len != len) {
        reader_fail(r, ERR_MALFORMED);
    }
}

size_t kem_part_size(const struct kem_part *part)
{
    return 1 + pack_uint_size(part->epoch) + pack_bin_size(part->bytes.len);
}
