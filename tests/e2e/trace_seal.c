/* SPDX-License-Identifier: Apache-2.0
 *
 * trace_seal: every body that is sealed or opened leaves a line in the file $PETREL_TRACE, so that
 * a test can tell whether a key was used twice. Only in tests: called by proto/pair/session_talk.c
 * where it is compiled once more for that (CMakeLists.txt, petrel_traced), never part of petreld.
 *
 * Lines: `start PID`, `fail` when a turn failed and nothing of it is left, `seal SESSION
 * MESSAGE-KEY BODY-KEY SEALED`, `open SEALED`. SESSION is the beginning of T, the others are
 * hashes, in hex: of the ratchet's message key, of the body's key and nonce, and of T and the
 * envelope. The file is opened before main(), since the sandbox lets the process open nothing
 * outside of its home afterwards.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/prim.h"
#include "daemon/engine_fail.h"
#include "pair/ratchet.h"

enum {
    HASH = 16,
    SESSION = 8, /* bytes of T */
    LINE = 128 + 4 * HASH,
};

void trace_prim_aead_seal(uint8_t *out, const struct aead_key *key,
                          const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                          struct slice plain);
enum err trace_prim_aead_open(uint8_t *out, const struct aead_key *key,
                              const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                              struct slice sealed);
void trace_ratchet_message_keys(const struct ratchet_key *message,
                                const uint8_t envelope_nonce[static PRIM_AEAD_NONCE],
                                struct aead_key *key, uint8_t nonce[static PRIM_AEAD_NONCE]);
void same_ratchet_message_keys(const struct ratchet_key *message,
                               const uint8_t envelope_nonce[static PRIM_AEAD_NONCE],
                               struct aead_key *key, uint8_t nonce[static PRIM_AEAD_NONCE]);

enum engine_verdict __real_engine_fail_judge(struct engine_fail *f, enum err err,
                                             enum engine_stage stage, size_t inputs, bool space);
enum engine_verdict __wrap_engine_fail_judge(struct engine_fail *f, enum err err,
                                             enum engine_stage stage, size_t inputs, bool space);

static int trace_file = -1;
static uint8_t last_message[HASH]; /* hash of the message key whose body key was asked for last */

/* One write, so that a process that is killed leaves a whole line or none. */
static void put(const char *line, int len)
{
    if (write(trace_file, line, (size_t)len) != len) {
        abort();
    }
}

__attribute__((constructor)) static void trace_begin(void)
{
    char line[32];
    const char *path = getenv("PETREL_TRACE");
    trace_file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (trace_file < 0) {
        fprintf(stderr, "trace_seal: PETREL_TRACE does not name a file that can be written\n");
        exit(EXIT_FAILURE);
    }
    put(line, snprintf(line, sizeof line, "start %ld\n", (long)getpid()));
}

enum engine_verdict __wrap_engine_fail_judge(struct engine_fail *f, enum err err,
                                             enum engine_stage stage, size_t inputs, bool space)
{
    put("fail\n", 5);
    return __real_engine_fail_judge(f, err, stage, inputs, space);
}

static void hash(uint8_t out[static HASH], const struct slice *parts, size_t count)
{
    prim_blake2b(out, HASH, slice_of(NULL, 0), "trace", parts, count);
}

static char *hex(char *at, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at += sprintf(at, "%02x", bytes[i]);
    }
    return at;
}

void trace_ratchet_message_keys(const struct ratchet_key *message,
                                const uint8_t envelope_nonce[static PRIM_AEAD_NONCE],
                                struct aead_key *key, uint8_t nonce[static PRIM_AEAD_NONCE])
{
    struct slice part = slice_of(message->b, sizeof message->b);
    hash(last_message, &part, 1);
    ratchet_message_keys(message, envelope_nonce, key, nonce);
}

/* What decision 0008 forbids: body keys from the message key alone. */
void same_ratchet_message_keys(const struct ratchet_key *message,
                               const uint8_t envelope_nonce[static PRIM_AEAD_NONCE],
                               struct aead_key *key, uint8_t nonce[static PRIM_AEAD_NONCE])
{
    static const uint8_t zeros[PRIM_AEAD_NONCE];
    (void)envelope_nonce;
    trace_ratchet_message_keys(message, zeros, key, nonce);
}

/* The same hash on both sides, since the associated data is T and all of the envelope before it. */
static char *put_envelope(char *at, struct slice ad, struct slice body)
{
    uint8_t envelope[HASH];
    struct slice parts[2] = {ad, body};
    hash(envelope, parts, 2);
    at = hex(at, envelope, HASH);
    *at++ = '\n';
    return at;
}

void trace_prim_aead_seal(uint8_t *out, const struct aead_key *key,
                          const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                          struct slice plain)
{
    char line[LINE];
    uint8_t body_key[HASH];
    struct slice parts[2] = {slice_of(key->b, sizeof key->b), slice_of(nonce, PRIM_AEAD_NONCE)};
    prim_aead_seal(out, key, nonce, ad, plain);
    hash(body_key, parts, 2);
    char *at = line + sprintf(line, "seal ");
    at = hex(at, ad.p, SESSION);
    *at++ = ' ';
    at = hex(at, last_message, HASH);
    *at++ = ' ';
    at = hex(at, body_key, HASH);
    *at++ = ' ';
    at = put_envelope(at, ad, slice_of(out, plain.len + PRIM_AEAD_TAG));
    put(line, (int)(at - line));
}

enum err trace_prim_aead_open(uint8_t *out, const struct aead_key *key,
                              const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                              struct slice sealed)
{
    char line[LINE];
    char *at = line + sprintf(line, "open ");
    at = put_envelope(at, ad, sealed); /* out may be sealed.p */
    enum err err = prim_aead_open(out, key, nonce, ad, sealed);
    if (err == ERR_OK) {
        put(line, (int)(at - line));
    }
    return err;
}
