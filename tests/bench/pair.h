/* SPDX-License-Identifier: Apache-2.0
 *
 * pair: what the session benchmark measures: two parties of one library, each with its state in a
 * memory store. Both begin established: each has opened a message of the other.
 */
#ifndef PETREL_TESTS_BENCH_PAIR_H
#define PETREL_TESTS_BENCH_PAIR_H

enum {
    BENCH_MESSAGE = 256,    /* bytes of one message */
    BENCH_ACK_EVERY = 1000, /* one-way: our own sessions need an acknowledgement now and then */
};

struct bench_pair {
    const char *name;
    void (*start)(void);
    /* Encrypts one message of side from (0 or 1), stores; decrypts it at the other, stores. */
    void (*pass)(int from);
    void (*stop)(void);
};

extern const struct bench_pair bench_pair_ours;
extern const struct bench_pair bench_pair_olm;
extern const struct bench_pair bench_pair_signal;

/* What a whole KEM exchange of our sessions costs both sides together, beyond the three bodies that
 * carry offer, answer and step: mean of many, us. */
double bench_kem_us(void);

/* The message that all of them send. */
extern const unsigned char bench_message[BENCH_MESSAGE];
double bench_now_s(void); /* monotonic */
/* Ends the program when a call that must work did not. */
void bench_must(int ok, const char *what);

#endif
