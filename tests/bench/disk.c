/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "bench/rig.h"

enum {
    DISK_FILE = 4 << 20,
    DISK_BLOCK = 4096,
};

double disk_fsync_ms(unsigned samples)
{
    uint8_t block[DISK_BLOCK];
    double *ms = calloc(samples, sizeof *ms);
    int fd = open("fsync", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (ms == NULL || fd < 0) {
        rig_die("fsync: %s", strerror(errno));
    }
    randombytes_buf(block, sizeof block);
    for (off_t at = 0; at < DISK_FILE; at += DISK_BLOCK) {
        if (pwrite(fd, block, sizeof block, at) != DISK_BLOCK) {
            rig_die("fsync: %s", strerror(errno));
        }
    }
    (void)fsync(fd);
    for (unsigned i = 0; i < samples; i++) {
        uint64_t began = rig_ns();
        block[0]++;
        if (pwrite(fd, block, sizeof block, (off_t)i * DISK_BLOCK % DISK_FILE) != DISK_BLOCK ||
            fdatasync(fd) != 0) {
            rig_die("fsync: %s", strerror(errno));
        }
        ms[i] = (double)(rig_ns() - began) / 1e6;
    }
    double median = rig_median(ms, samples);
    close(fd);
    (void)unlink("fsync");
    free(ms);
    return median;
}
