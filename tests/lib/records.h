/* SPDX-License-Identifier: Apache-2.0
 *
 * records: records of a backup as a test makes them. docs/protocol/10-backup.md, section 10.1.
 */
#ifndef PETREL_TESTS_LIB_RECORDS_H
#define PETREL_TESTS_LIB_RECORDS_H

#include "base/buf.h"
#include "crypto/prim.h"

/* Appends a record: fields is what was written as its map. */
void records_record(struct writer *w, unsigned kind, const struct writer *fields);
/* Appends that of a contact who was accepted, with nothing but what each has. */
void records_contact(struct writer *w, uint32_t number, const struct sign_pk *id);

#endif
