/* SPDX-License-Identifier: Apache-2.0
 *
 * disk: how long the disk alone takes to make something durable.
 */
#ifndef PETREL_TESTS_BENCH_DISK_H
#define PETREL_TESTS_BENCH_DISK_H

/* Median ms of a 4 KiB write and its fdatasync, in a file of the working folder that has its
 * blocks. */
double disk_fsync_ms(unsigned samples);

#endif
