/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_pair: messages of 256 bytes a second, encrypted and decrypted, beside libolm and
 * libsignal-protocol-c; all as shipped, with the state serialised after each operation. Rounds of
 * the three are interleaved; medians are printed, and ratios over the faster of the other two.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sodium.h>

#include "pair.h"

enum {
    ROUNDS = 7,
    KINDS = 2,
    SLICE_MS = 60, /* one measurement */
};

static const struct bench_pair *const pairs[] = {&bench_pair_ours, &bench_pair_olm,
                                                 &bench_pair_signal};
enum {
    PAIRS = sizeof pairs / sizeof pairs[0],
};
static const char *const kinds[KINDS] = {"oneway", "pingpong"};

const unsigned char bench_message[BENCH_MESSAGE] = "a message of two hundred and fifty-six bytes";

void bench_must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_pair: %s failed\n", what);
        exit(EXIT_FAILURE);
    }
}

double bench_now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* Messages a second in one slice of time. */
static double measure(const struct bench_pair *pair, int pingpong)
{
    double begin = bench_now_s();
    double end = begin;
    unsigned n = 0;
    while ((end - begin) * 1000 < SLICE_MS) {
        for (unsigned i = 0; i < 50; i++) {
            pair->pass(pingpong ? (int)(n & 1) : 0);
            n++;
        }
        end = bench_now_s();
    }
    return n / (end - begin);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof *v, compare);
    return v[ROUNDS / 2];
}

int main(void)
{
    static double rates[KINDS][PAIRS][ROUNDS];
    bench_must(sodium_init() >= 0, "sodium_init");
    for (size_t p = 0; p < PAIRS; p++) {
        pairs[p]->start();
    }
    for (int r = 0; r < ROUNDS; r++) {
        for (int k = 0; k < KINDS; k++) {
            for (size_t p = 0; p < PAIRS; p++) {
                rates[k][p][r] = measure(pairs[p], k);
            }
        }
    }
    for (int k = 0; k < KINDS; k++) {
        double m[PAIRS];
        for (size_t p = 0; p < PAIRS; p++) {
            m[p] = median(rates[k][p]);
            printf("pair_%s_%s_per_s: %.0f messages/s\n", kinds[k], pairs[p]->name, m[p]);
        }
        printf("pair_%s_per_s: %.0f messages/s\n", kinds[k], m[0]);
        printf("pair_%s_ratio: %.2f x\n", kinds[k], m[0] / (m[1] > m[2] ? m[1] : m[2]));
    }
    for (size_t p = 0; p < PAIRS; p++) {
        pairs[p]->stop();
    }
    printf("kem_step_us: %.0f us\n", bench_kem_us());
    return EXIT_SUCCESS;
}
