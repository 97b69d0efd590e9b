/* SPDX-License-Identifier: Apache-2.0
 *
 * parts: fuzzers of single decoders, several of which share one target.
 */
#ifndef PETREL_TESTS_FUZZ_PARTS_H
#define PETREL_TESTS_FUZZ_PARTS_H

#include <stddef.h>
#include <stdint.h>

typedef void (*fuzz_part)(const uint8_t *data, size_t len);

/* The first byte, modulo n, chooses the part that takes the rest. */
static inline void parts_run(const fuzz_part *parts, size_t n, const uint8_t *data, size_t len)
{
    if (len > 0) {
        parts[data[0] % n](data + 1, len - 1);
    }
}

void part_address(const uint8_t *data, size_t len);
void part_body(const uint8_t *data, size_t len);
void part_bundle(const uint8_t *data, size_t len);
void part_content(const uint8_t *data, size_t len);
void part_descriptor(const uint8_t *data, size_t len);
void part_device_list(const uint8_t *data, size_t len);
void part_envelope(const uint8_t *data, size_t len);
void part_envelope_first(const uint8_t *data, size_t len);
void part_erase(const uint8_t *data, size_t len);
void part_hpke_open(const uint8_t *data, size_t len);
void part_id(const uint8_t *data, size_t len);
void part_invite(const uint8_t *data, size_t len);
void part_mlkem_enc(const uint8_t *data, size_t len);
void part_prekey(const uint8_t *data, size_t len);
void part_queue_requests(const uint8_t *data, size_t len);
void part_record_requests(const uint8_t *data, size_t len);
void part_relay_replies(const uint8_t *data, size_t len);
void part_mirror(const uint8_t *data, size_t len);
void part_route(const uint8_t *data, size_t len);
void part_seal_row(const uint8_t *data, size_t len);
void part_session_load(const uint8_t *data, size_t len);
void part_wal(const uint8_t *data, size_t len);
void part_words(const uint8_t *data, size_t len);

#endif
