/* SPDX-License-Identifier: Apache-2.0
 *
 * lies: nodes of a simulated world that say something else than what is: in the frames that they
 * send, and, before it is sealed or signed, in bodies, device lists and requests. What they say is
 * changed as parts/alter.h does, so that it stays in form.
 *
 * The program is linked with --wrap for the functions in which it is built (fuzz/CMakeLists.txt),
 * and with crypto_sim: a liar can sign all that it says (crypto_sim.h).
 */
#ifndef PETREL_TESTS_FUZZ_LIES_H
#define PETREL_TESTS_FUZZ_LIES_H

#include "fuzz/parts/alter.h"
#include "sim/sim.h"

/* Where something is said. */
enum lie_place {
    LIE_FRAME,  /* what a link carries */
    LIE_FATE,   /* the frame is lost, comes twice or late, or the link ends */
    LIE_OLD,    /* the body of an earlier frame, perhaps under another kind */
    LIE_BODY,   /* the plaintext of an envelope, with the contents in it */
    LIE_FIRST,  /* the device list that a new session begins with */
    LIE_SIGNED, /* the body of a signed request */
    LIE_SEALED, /* a request or reply that goes through another relay */
    LIE_PLACE_COUNT,
};

struct lie {
    enum lie_place place;
    uint32_t node;
    unsigned skip;  /* so many chances are left out */
    unsigned again; /* and after the first one it is told so often, at the next place each time */
    struct alter alter;
};

enum {
    LIES = 16,
    LIES_FRAMES = 32,
    LIES_SIGNERS = 256,
};

struct lies {
    struct sim *sim;
    struct lie armed[LIES];
    unsigned count;
    bool forge;                           /* a liar's signatures are good, whatever they are of */
    uint32_t liars;                       /* nodes, one bit each */
    struct sign_pk signers[LIES_SIGNERS]; /* that liars signed with */
    size_t signer_count;
    struct alter_kept kept;
    struct {
        size_t len;
        uint8_t bytes[LIMIT_FRAME];
    } frames[LIES_FRAMES];
    size_t frame_count;
    uint8_t said[LIMIT_FRAME]; /* what goes instead */
    uint64_t told;
};

/* One world at a time. liars: the nodes that may lie, one bit each. */
void lies_begin(struct lies *l, struct sim *sim, uint32_t liars, bool forge);
void lies_end(struct lies *l);
/* To be told at its next chance. The oldest is forgotten when there are too many. */
void lies_arm(struct lies *l, const struct lie *lie);
/* None is armed any more. */
void lies_stop(struct lies *l);

#endif
