/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/records.h"

#include "base/pack.h"

void records_record(struct writer *w, unsigned kind, const struct writer *fields)
{
    pack_array(w, 2);
    pack_uint(w, kind);
    pack_bin_slice(w, writer_done(fields));
}

void records_contact(struct writer *w, uint32_t number, const struct sign_pk *id)
{
    uint8_t bytes[512];
    static const uint8_t zeros[32];
    struct writer f = writer_of(bytes, sizeof bytes);
    pack_map(&f, 10);
    pack_uint(&f, 0);
    pack_uint(&f, number);
    pack_uint(&f, 1);
    pack_bin(&f, id->b, sizeof id->b);
    pack_uint(&f, 2);
    pack_uint(&f, 3); /* accepted */
    pack_uint(&f, 3);
    pack_bool(&f, false);
    pack_uint(&f, 4);
    pack_uint(&f, 1700000000000);
    pack_uint(&f, 8);
    pack_bool(&f, false);
    pack_uint(&f, 10);
    pack_bin(&f, zeros, sizeof zeros);
    pack_uint(&f, 12);
    pack_bool(&f, false);
    pack_uint(&f, 13);
    pack_bool(&f, false);
    pack_uint(&f, 15);
    pack_bin(&f, zeros, sizeof zeros);
    records_record(w, 3, &f);
}
