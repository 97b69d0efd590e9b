/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle: any bytes as the opened body of a record; what is read is written and read back the same.
 */
#include <stdlib.h>

#include "fuzz/parts/parts.h"
#include "node/bundle.h"

void part_bundle(const uint8_t *data, size_t len)
{
    static uint8_t bytes[LIMIT_DEVICE_LIST + LIMIT_RECORD_PART + 64];
    struct bundle bundle;
    struct bundle again;
    if (bundle_read(slice_of(data, len), &bundle) != ERR_OK) {
        return;
    }
    struct writer w = writer_of(bytes, sizeof bytes);
    bundle_write(&w, &bundle);
    if (w.err != ERR_OK || bundle_read(writer_done(&w), &again) != ERR_OK ||
        !slice_equal(again.device_list, bundle.device_list) ||
        !slice_equal(again.prekey, bundle.prekey)) {
        abort();
    }
}
