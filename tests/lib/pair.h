/* SPDX-License-Identifier: Apache-2.0
 *
 * pair: two parties for tests of sessions: keys from seeds, prekeys, and short ways through
 * PQXDH. Certificates and device lists are opaque bytes here, as they are for proto/pair.
 */
#ifndef PETREL_TESTS_LIB_PAIR_H
#define PETREL_TESTS_LIB_PAIR_H

#include "base/arena.h"
#include "lib/unit.h"
#include "pair/prekey.h"
#include "pair/session.h"

enum {
    PAIR_CERTIFICATE = 190,
    PAIR_LIST = 480,
    PAIR_SPK_ID = 7,
    PAIR_OTK_ID = 41,
};
#define PAIR_NOW UINT64_C(1800000000000)

struct pair_party {
    struct unit_env env;
    struct arena arena;
    struct sign_pk id;
    struct sign_pk sign; /* the device's */
    struct sign_sk sign_sk;
    struct dh_sk dh_sk;
    struct dh_pk dh;
    uint8_t certificate[PAIR_CERTIFICATE];
    uint8_t list[PAIR_LIST];
    struct prekey_secret spk;
    struct prekey_secret otk;
    struct session *session;
};

/* Everything from the seed; session is new and empty. */
void pair_party_init(struct pair_party *p, uint64_t seed);
void pair_party_fini(struct pair_party *p);
struct pair_self pair_party_self(const struct pair_party *p);
struct pair_peer pair_party_peer(const struct pair_party *p);
/* What p publishes, through prekey_write and prekey_bundle_open. */
void pair_party_bundle(struct pair_party *p, bool one_time, struct pair_bundle *bundle);

/* Plain ways; each ends the program on an error, and so fails the test. */
void pair_initiate(struct pair_party *a, struct pair_party *b, bool one_time,
                   const uint8_t *invite);
struct slice pair_seal(struct pair_party *p, const char *text);
struct slice pair_seal_slice(struct pair_party *p, struct slice content);
/* session_accept with the prekeys that the envelope names. */
enum err pair_accept(struct pair_party *b, struct pair_party *a, const uint8_t *invite,
                     struct slice envelope);
enum err pair_open(struct pair_party *p, struct slice envelope, struct session_in *in);
/* Opens and checks the content. */
void pair_open_text(struct pair_party *p, struct slice envelope, const char *text);
/* a and b with a session that is established on both sides; b has offered a KEM key. */
void pair_established(struct pair_party *a, struct pair_party *b);
/* The rest of that exchange, in ack-only bodies: a answers, b takes the step. */
void pair_kem_step(struct pair_party *a, struct pair_party *b);
/* A saved copy of a session, malloc'ed. */
struct slice pair_saved(const struct session *s);
void pair_slice_free(struct slice s);
/* A copy that a test may change, malloc'ed. */
uint8_t *pair_copy(struct slice s);

#endif
