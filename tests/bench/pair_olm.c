/* SPDX-License-Identifier: Apache-2.0
 *
 * pair_olm: libolm. Its users keep sessions in memory and pickle them after each operation; so it
 * is measured like that, without unpickling.
 */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include <olm/olm.h>
#include <sodium.h>

static OlmSession *sessions[2];
static OlmAccount *accounts[2];
static char store[2][64 * 1024];

static size_t must(size_t result)
{
    bench_must(result != olm_error(), "a call of libolm");
    return result;
}

static void save(int side)
{
    static const char key[32] = "key of the pickle";
    size_t len = olm_pickle_session_length(sessions[side]);
    bench_must(len <= sizeof store[side], "size of the pickle");
    must(olm_pickle_session(sessions[side], key, sizeof key, store[side], len));
}

/* One message; the type tells the first ones from the others. */
static size_t encrypt(int from, char *out, size_t cap, size_t *len)
{
    uint8_t random[64];
    size_t need = olm_encrypt_random_length(sessions[from]);
    size_t type = must(olm_encrypt_message_type(sessions[from]));
    size_t size = olm_encrypt_message_length(sessions[from], BENCH_MESSAGE);
    bench_must(need <= sizeof random && size <= cap, "sizes of libolm");
    randombytes_buf(random, need);
    *len = must(olm_encrypt(sessions[from], bench_message, BENCH_MESSAGE, random, need, out, size));
    return type;
}

static void decrypt(int at, size_t type, const char *message, size_t len)
{
    char copy[2048];
    char plain[2048];
    bench_must(len <= sizeof copy, "length of the message");
    memcpy(copy, message, len);
    must(olm_decrypt_max_plaintext_length(sessions[at], type, copy, len));
    memcpy(copy, message, len);
    size_t n = must(olm_decrypt(sessions[at], type, copy, len, plain, sizeof plain));
    bench_must(n == BENCH_MESSAGE && memcmp(plain, bench_message, n) == 0, "comparison");
}

static void pass(int from)
{
    char message[2048];
    size_t len;
    size_t type = encrypt(from, message, sizeof message, &len);
    save(from);
    decrypt(1 - from, type, message, len);
    save(1 - from);
}

static OlmAccount *new_account(void)
{
    uint8_t random[8192];
    OlmAccount *account = olm_account(malloc(olm_account_size()));
    size_t need = olm_create_account_random_length(account);
    randombytes_buf(random, sizeof random);
    must(olm_create_account(account, random, need));
    need = olm_account_generate_one_time_keys_random_length(account, 1);
    randombytes_buf(random, sizeof random);
    must(olm_account_generate_one_time_keys(account, 1, random, need));
    return account;
}

/* The base64 value that follows "name":" in libolm's JSON: 43 characters. */
static const char *value_after(const char *json, const char *name)
{
    const char *at = strstr(json, name);
    bench_must(at != NULL, "reading libolm's keys");
    at = strstr(at + strlen(name), ":\"");
    bench_must(at != NULL, "reading libolm's keys");
    return at + 2;
}

static void first_message(const char *identity)
{
    char message[2048];
    char copy[2048];
    size_t len;
    size_t type = encrypt(0, message, sizeof message, &len);
    memcpy(copy, message, len);
    must(olm_create_inbound_session_from(sessions[1], accounts[1], identity, 43, copy, len));
    decrypt(1, type, message, len);
    pass(1);
}

static void start(void)
{
    static char keys[2][1024];
    static char one_time[1024];
    uint8_t random[256];
    for (int i = 0; i < 2; i++) {
        accounts[i] = new_account();
        sessions[i] = olm_session(malloc(olm_session_size()));
        must(olm_account_identity_keys(accounts[i], keys[i],
                                       olm_account_identity_keys_length(accounts[i])));
    }
    must(olm_account_one_time_keys(accounts[1], one_time,
                                   olm_account_one_time_keys_length(accounts[1])));
    size_t need = olm_create_outbound_session_random_length(sessions[0]);
    randombytes_buf(random, sizeof random);
    /* {"curve25519":{"AAAAAQ":"..."}} */
    must(olm_create_outbound_session(sessions[0], accounts[0], value_after(keys[1], "curve25519"),
                                     43, value_after(one_time, "\":{"), 43, random, need));
    first_message(value_after(keys[0], "curve25519"));
}

static void stop(void)
{
    for (int i = 0; i < 2; i++) {
        olm_clear_session(sessions[i]);
        olm_clear_account(accounts[i]);
        free(sessions[i]);
        free(accounts[i]);
    }
}

const struct bench_pair bench_pair_olm = {
    .name = "olm", .start = start, .pass = pass, .stop = stop};
