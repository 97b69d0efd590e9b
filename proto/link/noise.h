/* SPDX-License-Identifier: Apache-2.0
 *
 * noise: the Noise handshake, driven by a table of patterns.
 *
 * Noise Protocol Framework revision 34, section 5.3, and its draft for hybrid forward secrecy
 * (tokens e1 and ekem1, in the order of the library snow). docs/protocol/03-link.md, section 3. A
 * link uses NOISE_XKHFS with BLAKE2b; the other patterns and SHA-256 exist because public vectors
 * do.
 *
 *     pattern  name                                 messages
 *     XK       Noise_XK_25519_ChaChaPoly_*          <- s ...  -> e, es  <- e, ee  -> s, se
 *     IK       Noise_IK_25519_ChaChaPoly_*          <- s ...  -> e, es, s, ss  <- e, ee, se
 *     XX       Noise_XX_25519_ChaChaPoly_*          -> e  <- e, ee, s, es  -> s, se
 *     XKhfs    Noise_XKhfs_25519+MLKEM768_ChaChaPoly_BLAKE2b
 *                                     <- s ...  -> e, es, e1  <- e, ee, ekem1  -> s, se
 *
 * Machine (message i is written by the initiator when i is even):
 *
 *     initiator                responder
 *     +-------+                +------+
 *     | WRITE |                | READ |
 *     +-------+                +------+
 *       |   ^ read ok   read ok |   ^
 *       v   |                   v   |
 *     +------+                +-------+      last message written or read     +-------+
 *     | READ |                | WRITE |  ------------------------------------>| SPLIT |
 *     +------+                +-------+                                       +-------+
 *        any error, and noise_split itself:  +------+                            |
 *        ----------------------------------->| DONE |<---------------------------+
 *                                            +------+
 *
 *     state   noise_write          noise_read              noise_split
 *     WRITE   READ or SPLIT; DONE  ERR_NOT_NOW; DONE       ERR_NOT_NOW; DONE
 *     READ    ERR_NOT_NOW; DONE    WRITE or SPLIT; DONE    ERR_NOT_NOW; DONE
 *     SPLIT   ERR_NOT_NOW; DONE    ERR_NOT_NOW; DONE       DONE
 *     DONE    ERR_NOT_NOW; DONE    ERR_NOT_NOW; DONE       ERR_NOT_NOW; DONE
 *
 * Errors are final: a handshake that failed once is wiped and refuses everything. It draws no
 * randomness: ephemerals are handed in, so that vectors replay exactly. A Diffie-Hellman result of
 * all zeros is refused (section 12.1 leaves that open; we close it).
 */
#ifndef PETREL_LINK_NOISE_H
#define PETREL_LINK_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/prim.h"
#include "link/symmetric.h"

enum noise_pattern {
    NOISE_XK,
    NOISE_IK,
    NOISE_XX,
    NOISE_XKHFS, /* BLAKE2b only */
    NOISE_PATTERNS,
};

enum {
    NOISE_HASH = SYMMETRIC_HASH_MAX, /* handshake hash with BLAKE2b; 32 with SHA-256 */
    NOISE_KEM_PUBLIC = 1184,         /* ML-KEM-768, FIPS 203 table 3 */
    NOISE_KEM_SECRET = 2400,
    NOISE_KEM_CIPHERTEXT = 1088,
    NOISE_KEM_SEED = 64, /* d | z of a key pair; the first 32 bytes are m of an encapsulation */

    /* XKhfs with empty payloads */
    NOISE_XKHFS_1 = 32 + NOISE_KEM_PUBLIC + 16 + 16,
    NOISE_XKHFS_2 = 32 + NOISE_KEM_CIPHERTEXT + 16 + 16,
    NOISE_XKHFS_3 = 32 + 16 + 16,
    NOISE_XKHFS_MAX = NOISE_XKHFS_1,
};

/* All randomness of one handshake on one side; wipe after noise_init. */
struct noise_ephemeral {
    struct dh_sk dh;             /* any 32 random bytes */
    uint8_t kem[NOISE_KEM_SEED]; /* hfs only */
};

struct noise_config {
    enum noise_pattern pattern;
    enum symmetric_hash hash;
    bool initiator;
    struct slice prologue;  /* borrowed for noise_init only */
    const struct dh_sk *s;  /* our static; borrowed for noise_init only */
    const struct dh_pk *rs; /* theirs, where the pattern's initiator knows it, else NULL */
    const struct noise_ephemeral *ephemeral; /* borrowed for noise_init only */
};

enum noise_action {
    NOISE_WRITE,
    NOISE_READ,
    NOISE_SPLIT,
    NOISE_DONE, /* split, or failed: nothing secret is left */
};

struct noise {
    const struct noise_pattern_table *table; /* the pattern's row; static */
    enum noise_action action;
    bool initiator;
    uint8_t message; /* number of the next message, from 0 */
    struct symmetric symmetric;
    struct dh_sk s; /* ours */
    struct dh_sk e;
    struct dh_pk s_pub;
    struct dh_pk rs; /* theirs: known from the start, or after token s */
    struct dh_pk re;
    uint8_t kem_seed[NOISE_KEM_SEED];
    uint8_t kem[NOISE_KEM_SECRET]; /* initiator: secret key; responder: their public key */
};

/* ERR_ARGUMENT: no such combination of pattern and hash, or rs missing or superfluous. Costs one
 * X25519. */
enum err noise_init(struct noise *n, const struct noise_config *config) PETREL_MUST_USE;
/* Wipes; may be called at any time after noise_init, and again. */
void noise_fini(struct noise *n);
/* What comes next. */
enum noise_action noise_action(const struct noise *n);
/* Bytes of the next message without its payload; 0 in SPLIT and DONE. */
size_t noise_message_size(const struct noise *n);
/* Writes the next message. ERR_NOT_NOW; ERR_NO_SPACE; ERR_HANDSHAKE: a key of theirs is not
 * usable. On error out has its old length. */
enum err noise_write(struct noise *n, struct slice payload, struct writer *out) PETREL_MUST_USE;
/* Reads the next message; its payload is appended to payload. ERR_NOT_NOW; ERR_NO_SPACE;
 * ERR_HANDSHAKE: whatever is wrong with it. On error payload has its old length. */
enum err noise_read(struct noise *n, struct slice message, struct writer *payload) PETREL_MUST_USE;
/* Ends the handshake: ciphers for what we send and receive, the handshake hash (zeros after 32
 * bytes with SHA-256), their static. The rest is wiped. ERR_NOT_NOW. */
enum err noise_split(struct noise *n, struct cipher *send, struct cipher *receive,
                     uint8_t hash[static NOISE_HASH], struct dh_pk *rs) PETREL_MUST_USE;

#endif
