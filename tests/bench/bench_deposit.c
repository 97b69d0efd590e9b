/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_deposit: durable deposits at a real relay, beside LMDB alone and beside redis-server, taken
 * in turn on one disk; then the way out of the queues. docs/bench.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/disk.h"
#include "bench/rig.h"
#include "bench/rounds.h"

enum {
    ROUNDS = 9, /* short ones: a disk and a machine change within seconds, and the two sides of a
                   ratio must meet the same */
    ROUND_S = 2,
    ALONE_S = 1,
    DISK_SAMPLES = 100, /* in each round */
};

struct figures {
    double alone[ROUNDS];
    double all[ROUNDS];
    double limit[ROUNDS];
    double redis[ROUNDS];
    double limit_ratio[ROUNDS];
    double redis_ratio[ROUNDS];
    double disk[ROUNDS];
};

static void round_run(struct petrel *p, struct redis *r, struct figures *f, unsigned i)
{
    f->disk[i] = disk_fsync_ms(DISK_SAMPLES);
    petrel_prepare(p, 1, ALONE_S);
    f->alone[i] = petrel_deposit(p, 1, ALONE_S);
    petrel_prepare(p, ROUND_CLIENTS, ROUND_S);
    double cpu = petrel_cpu(p);
    f->all[i] = petrel_deposit(p, ROUND_CLIENTS, ROUND_S);
    cpu = petrel_cpu(p) - cpu;
    f->redis[i] = redis_push(r, ROUND_S);
    f->limit[i] = lmdb_rows(ROUND_S);
    f->limit_ratio[i] = f->all[i] / f->limit[i];
    f->redis_ratio[i] = f->all[i] / f->redis[i];
    printf("# round %u: 1 client %.0f/s, 64 clients %.0f/s (relay's CPU %.2f of 1), redis %.0f/s, "
           "lmdb %.0f/s, fsync %.3f ms\n",
           i + 1, f->alone[i], f->all[i], cpu / ROUND_S, f->redis[i], f->limit[i], f->disk[i]);
}

int main(void)
{
    struct figures f;
    rig_begin();
    struct petrel *p = petrel_open();
    struct redis *r = redis_open();
    /* Every queue's spent rows are loaded by its first deposit. */
    petrel_prepare(p, ROUND_CLIENTS, 1);
    (void)petrel_deposit(p, ROUND_CLIENTS, 1);
    (void)redis_push(r, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        round_run(p, r, &f, i);
    }
    redis_close(r);
    double drain = petrel_drain(p);
    petrel_close(p);

    double all = rig_median(f.all, ROUNDS);
    rig_value("deposit1_per_s", rig_median(f.alone, ROUNDS), "1/s");
    rig_value("deposit64_per_s", all, "1/s");
    rig_value("lmdb64_per_s", rig_median(f.limit, ROUNDS), "1/s");
    rig_value("redis64_per_s", rig_median(f.redis, ROUNDS), "1/s");
    rig_value("deposit64_limit_ratio", rig_median(f.limit_ratio, ROUNDS), "x");
    rig_value("deposit64_redis_ratio", rig_median(f.redis_ratio, ROUNDS), "x");
    rig_value("drain_per_s", drain, "1/s");
    rig_value("drain_deposit_ratio", drain / all, "x");
    rig_value("fsync_p50_ms", rig_median(f.disk, ROUNDS), "ms");
    rig_end();
    return EXIT_SUCCESS;
}
