/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle: what the body of a key-bundle record says once it is opened: the signed device list and
 * the device's signed prekey. docs/protocol/07-node.md, section 2.
 */
#ifndef PETREL_NODE_BUNDLE_H
#define PETREL_NODE_BUNDLE_H

#include "base/buf.h"
#include "base/limits.h"

struct bundle {
    struct slice device_list; /* encoded, signed (node/device.h) */
    struct slice prekey;      /* encoded, signed (pair/prekey.h) */
};

/* Map {0 device list bin, 1 prekey bin}. */
void bundle_write(struct writer *w, const struct bundle *bundle);
/* Form only; slices borrow. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err bundle_read(struct slice bytes, struct bundle *bundle) PETREL_MUST_USE;

#endif
