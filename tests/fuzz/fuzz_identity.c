/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_identity: what persons sign or say. The first byte says which part takes the
 * rest: device_list (0), descriptor (1), content (2), bundle (3), route (4), mirror (5).
 * decodes: tests/fuzz/parts/device_list.c tests/fuzz/parts/descriptor.c tests/fuzz/parts/content.c
 * decodes: tests/fuzz/parts/bundle.c proto/node/device.c proto/crypto/signed.c
 * decodes: proto/node/descriptor.c proto/node/content.c proto/node/bundle.c proto/node/batch.c
 * decodes: proto/base/pack.c tests/fuzz/parts/route.c proto/node/route.c
 * decodes: tests/fuzz/parts/mirror.c proto/node/mirror_body.c
 */
#include "fuzz/parts/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const fuzz_part PARTS[] = {part_device_list, part_descriptor, part_content,
                                      part_bundle,      part_route,      part_mirror};
    parts_run(PARTS, sizeof PARTS / sizeof PARTS[0], data, len);
    return 0;
}
