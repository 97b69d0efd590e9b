/* SPDX-License-Identifier: Apache-2.0
 *
 * wal: the write-ahead log. The input is taken as a record, and as the changes of one.
 */
#include <assert.h>
#include <string.h>

#include "daemon/store/wal_record.h"
#include "fuzz/parts/parts.h"
#include "store/mem.h"

enum {
    MOST = 4096,
};

/* Both ways: as it is, and with a header that fits. */
static void check_record(struct slice data)
{
    static uint8_t record[WAL_HEADER + MOST];
    static const uint8_t life[WAL_LIFE] = {1};
    uint64_t sum;
    struct slice changes = wal_record_open(data, 1, 0, &sum);
    assert(changes.p == NULL || changes.len <= data.len - WAL_HEADER);
    if (data.len > 0) {
        memcpy(record + WAL_HEADER, data.p, data.len);
    }
    uint64_t sealed = wal_record_seal(record, data.len, 7, life, 3);
    changes = wal_record_open(slice_of(record, WAL_HEADER + data.len), 7, 3, &sum);
    assert(sum == sealed && slice_equal(changes, data));
    (void)changes;
    (void)sealed;
}

static void check_changes(struct slice data)
{
    struct store_mem *mem = store_mem_new();
    struct store s;
    store_mem_begin(mem, &s);
    enum err err = wal_changes_apply(data, &s);
    assert(err == ERR_OK || err == ERR_CORRUPT);
    if (err != ERR_OK || store_mem_commit(mem) != ERR_OK) {
        store_mem_abort(mem);
    }
    store_mem_free(mem);
}

void part_wal(const uint8_t *data, size_t len)
{
    struct slice in = slice_of(data, len < MOST ? len : MOST);
    check_record(in);
    check_changes(in);
}
