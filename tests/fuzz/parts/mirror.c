/* SPDX-License-Identifier: Apache-2.0
 *
 * mirror: what a device of one's own says. Whatever is read is written and read again, the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "fuzz/parts/parts.h"
#include "node/mirror_body.h"

static uint8_t bytes[LIMIT_ENVELOPE + LIMIT_DEVICE_LIST + MIRROR_SPARE];

static void about_again(const struct mirror_about *about)
{
    struct mirror_about again;
    struct writer w = writer_of(bytes, sizeof bytes);
    mirror_about_write(&w, about);
    if (w.err != ERR_OK || !mirror_about_read(writer_done(&w), &again) ||
        memcmp(again.id.b, about->id.b, sizeof again.id.b) != 0 || again.state != about->state ||
        again.verified != about->verified || again.created_ms != about->created_ms ||
        again.changed_ms != about->changed_ms || !slice_equal(again.name, about->name) ||
        !slice_equal(again.text, about->text) || !slice_equal(again.list, about->list)) {
        abort();
    }
}

static void pair_again(const struct sign_pk *id, struct slice rest)
{
    struct sign_pk same;
    struct slice got;
    struct writer w = writer_of(bytes, sizeof bytes);
    mirror_pair_write(&w, id, rest);
    if (w.err != ERR_OK || !mirror_pair_read(writer_done(&w), &same, &got, LIMIT_ENVELOPE) ||
        memcmp(same.b, id->b, sizeof same.b) != 0 || !slice_equal(got, rest)) {
        abort();
    }
}

static void places_again(const struct device_entry *entry)
{
    struct device_entry again;
    struct writer w = writer_of(bytes, sizeof bytes);
    mirror_places_write(&w, entry);
    if (w.err != ERR_OK || !mirror_places_read(writer_done(&w), &again) ||
        again.queue_count != entry->queue_count ||
        memcmp(again.record.key.b, entry->record.key.b, sizeof again.record.key.b) != 0 ||
        !address_equal(&again.queues[0].relay, &entry->queues[0].relay)) {
        abort();
    }
}

void part_mirror(const uint8_t *data, size_t len)
{
    struct slice body = slice_of(data, len);
    struct mirror_about about;
    struct device_entry entry;
    struct sign_pk id;
    struct slice rest;
    if (mirror_about_read(body, &about)) {
        about_again(&about);
    }
    if (mirror_pair_read(body, &id, &rest, LIMIT_ENVELOPE)) {
        pair_again(&id, rest);
    }
    if (mirror_places_read(body, &entry)) {
        places_again(&entry);
    }
    if (mirror_list_read(body, &rest) && rest.len > len) {
        abort();
    }
}
