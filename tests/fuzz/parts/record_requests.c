/* SPDX-License-Identifier: Apache-2.0
 *
 * record_requests: the strict readers of record and descriptor requests. The first byte says
 * which one; what is read must be writable and read the same again.
 */
#include <assert.h>
#include <string.h>

#include "fuzz/parts/parts.h"
#include "relay/descriptor_record.h"
#include "relay/record.h"

static void put(struct slice body)
{
    struct record_put p;
    if (record_put_body_read(body, &p) != ERR_OK) {
        return;
    }
    assert(p.nparts <= LIMIT_ONE_TIME_REFILL && p.body.len <= LIMIT_RECORD_BODY);
    for (size_t i = 0; i < p.nparts; i++) {
        assert(p.parts[i].id != 0 && p.parts[i].sealed.len <= LIMIT_RECORD_PART);
        assert(i == 0 || p.parts[i].id > p.parts[i - 1].id);
    }
}

static void pop(struct slice body)
{
    struct record_pop a;
    struct record_pop b;
    uint8_t out[256];
    if (record_pop_read(body, &a) != ERR_OK) {
        return;
    }
    struct writer w = writer_of(out, sizeof out);
    record_pop_write(&w, &a);
    enum err err = record_pop_read(writer_done(&w), &b);
    assert(err == ERR_OK && memcmp(a.pop_nonce, b.pop_nonce, sizeof a.pop_nonce) == 0 &&
           a.admission.stamp == b.admission.stamp);
    (void)err;
}

void part_record_requests(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return;
    }
    struct slice body = slice_of(data + 1, len - 1);
    struct record_get get;
    struct descriptor_put item;
    struct descriptor_get wanted;
    struct aead_key key = {{0}};
    uint8_t plain[4096];
    size_t plain_len;
    switch (data[0] % 6) {
    case 0:
        put(body);
        break;
    case 1:
        pop(body);
        break;
    case 2:
        (void)!record_get_read(body, &get);
        break;
    case 3:
        (void)!descriptor_put_body_read(body, &item);
        break;
    case 4:
        (void)!descriptor_get_read(body, &wanted);
        break;
    default:
        if (body.len <= sizeof plain) {
            (void)!record_open(plain, &plain_len, &key, 1, body);
        }
    }
}
