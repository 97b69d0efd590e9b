/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bundle.h"

#include "base/pack.h"

void bundle_write(struct writer *w, const struct bundle *bundle)
{
    pack_map(w, 2);
    pack_uint(w, 0);
    pack_bin_slice(w, bundle->device_list);
    pack_uint(w, 1);
    pack_bin_slice(w, bundle->prekey);
}

enum err bundle_read(struct slice bytes, struct bundle *out)
{
    struct reader r = reader_of(bytes);
    struct pack_fields f = pack_fields_begin(&r, 16);
    struct bundle bundle = {.prekey = slice_of(NULL, 0)};
    while (pack_fields_next(&f)) {
        switch (f.key) {
        case 0:
            bundle.device_list = pack_read_bin(&r, LIMIT_DEVICE_LIST);
            break;
        case 1:
            bundle.prekey = pack_read_bin(&r, LIMIT_RECORD_PART);
            break;
        default:
            pack_fields_skip(&f);
        }
    }
    pack_fields_require(&f, 3);
    enum err err = reader_end(&r);
    if (err == ERR_OK) {
        *out = bundle;
    }
    return err;
}
