/* SPDX-License-Identifier: Apache-2.0
 *
 * pair_signal: libsignal-protocol-c with stores in memory, which it loads from and stores to for
 * each message. HMAC-SHA-256 and SHA-512 are libsodium's, AES is OpenSSL's.
 */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>

#include <key_helper.h>
#include <protocol.h>
#include <session_builder.h>
#include <session_cipher.h>
#include <signal_protocol.h>

struct row {
    uint8_t bytes[64 * 1024];
    size_t len;
};

struct side {
    signal_protocol_address address; /* of the other one */
    signal_protocol_store_context *store;
    session_cipher *cipher;
    ratchet_identity_key_pair *identity;
    struct row session;
    struct row pre_key;
    struct row signed_pre_key;
};

static signal_context *global;
static struct side sides[2];

static void must(int result)
{
    bench_must(result >= 0, "a call of libsignal-protocol-c");
}

/* --- crypto provider --- */

static int random_func(uint8_t *data, size_t len, void *user)
{
    (void)user;
    randombytes_buf(data, len);
    return 0;
}

static int hmac_init(void **context, const uint8_t *key, size_t len, void *user)
{
    (void)user;
    crypto_auth_hmacsha256_state *state = malloc(sizeof *state);
    *context = state;
    return state == NULL ? SG_ERR_NOMEM : crypto_auth_hmacsha256_init(state, key, len);
}

static int hmac_update(void *context, const uint8_t *data, size_t len, void *user)
{
    (void)user;
    return crypto_auth_hmacsha256_update(context, data, len);
}

static int hmac_final(void *context, signal_buffer **output, void *user)
{
    (void)user;
    uint8_t out[32];
    (void)crypto_auth_hmacsha256_final(context, out);
    *output = signal_buffer_create(out, sizeof out);
    return *output == NULL ? SG_ERR_NOMEM : 0;
}

static void free_context(void *context, void *user)
{
    (void)user;
    free(context);
}

static int sha512_init(void **context, void *user)
{
    (void)user;
    crypto_hash_sha512_state *state = malloc(sizeof *state);
    *context = state;
    return state == NULL ? SG_ERR_NOMEM : crypto_hash_sha512_init(state);
}

static int sha512_update(void *context, const uint8_t *data, size_t len, void *user)
{
    (void)user;
    return crypto_hash_sha512_update(context, data, len);
}

static int sha512_final(void *context, signal_buffer **output, void *user)
{
    (void)user;
    uint8_t out[64];
    (void)crypto_hash_sha512_final(context, out);
    *output = signal_buffer_create(out, sizeof out);
    (void)crypto_hash_sha512_init(context);
    return *output == NULL ? SG_ERR_NOMEM : 0;
}

/* One cipher context for all, as a host would keep it. */
static int aes(signal_buffer **output, int encrypt, int cipher, const uint8_t *key, size_t key_len,
               const uint8_t *iv, const uint8_t *in, size_t len)
{
    static EVP_CIPHER_CTX *context;
    uint8_t out[4096];
    int n = 0;
    int last = 0;
    if (context == NULL) {
        context = EVP_CIPHER_CTX_new();
    }
    if (cipher != SG_CIPHER_AES_CBC_PKCS5 || key_len != 32 || len > sizeof out - 32) {
        return SG_ERR_INVAL;
    }
    if (EVP_CipherInit_ex(context, EVP_aes_256_cbc(), NULL, key, iv, encrypt) != 1 ||
        EVP_CipherUpdate(context, out, &n, in, (int)len) != 1 ||
        EVP_CipherFinal_ex(context, out + n, &last) != 1) {
        return SG_ERR_UNKNOWN;
    }
    *output = signal_buffer_create(out, (size_t)(n + last));
    return *output == NULL ? SG_ERR_NOMEM : 0;
}

static int encrypt_func(signal_buffer **output, int cipher, const uint8_t *key, size_t key_len,
                        const uint8_t *iv, size_t iv_len, const uint8_t *in, size_t len, void *user)
{
    (void)user;
    (void)iv_len;
    return aes(output, 1, cipher, key, key_len, iv, in, len);
}

static int decrypt_func(signal_buffer **output, int cipher, const uint8_t *key, size_t key_len,
                        const uint8_t *iv, size_t iv_len, const uint8_t *in, size_t len, void *user)
{
    (void)user;
    (void)iv_len;
    return aes(output, 0, cipher, key, key_len, iv, in, len);
}

static const signal_crypto_provider provider = {
    .random_func = random_func,
    .hmac_sha256_init_func = hmac_init,
    .hmac_sha256_update_func = hmac_update,
    .hmac_sha256_final_func = hmac_final,
    .hmac_sha256_cleanup_func = free_context,
    .sha512_digest_init_func = sha512_init,
    .sha512_digest_update_func = sha512_update,
    .sha512_digest_final_func = sha512_final,
    .sha512_digest_cleanup_func = free_context,
    .encrypt_func = encrypt_func,
    .decrypt_func = decrypt_func,
};

/* --- stores --- */

static int row_load(const struct row *row, signal_buffer **out, int missing)
{
    if (row->len == 0) {
        return missing;
    }
    *out = signal_buffer_create(row->bytes, row->len);
    return *out == NULL ? SG_ERR_NOMEM : 1;
}

static int row_store(struct row *row, const uint8_t *bytes, size_t len)
{
    if (len > sizeof row->bytes) {
        return SG_ERR_NOMEM;
    }
    memcpy(row->bytes, bytes, len);
    row->len = len;
    return 0;
}

static int session_load_func(signal_buffer **record, signal_buffer **user_record,
                             const signal_protocol_address *address, void *user)
{
    (void)address;
    *user_record = NULL;
    return row_load(&((struct side *)user)->session, record, 0);
}

static int session_store_func(const signal_protocol_address *address, uint8_t *record, size_t len,
                              uint8_t *user_record, size_t user_len, void *user)
{
    (void)address;
    (void)user_record;
    (void)user_len;
    return row_store(&((struct side *)user)->session, record, len);
}

static int session_contains(const signal_protocol_address *address, void *user)
{
    (void)address;
    return ((struct side *)user)->session.len > 0;
}

static int pre_key_load(signal_buffer **record, uint32_t id, void *user)
{
    (void)id;
    int got = row_load(&((struct side *)user)->pre_key, record, SG_ERR_INVALID_KEY_ID);
    return got == 1 ? SG_SUCCESS : got;
}

static int pre_key_contains(uint32_t id, void *user)
{
    (void)id;
    return ((struct side *)user)->pre_key.len > 0;
}

static int pre_key_remove(uint32_t id, void *user)
{
    (void)id;
    ((struct side *)user)->pre_key.len = 0;
    return 0;
}

static int signed_load(signal_buffer **record, uint32_t id, void *user)
{
    (void)id;
    int got = row_load(&((struct side *)user)->signed_pre_key, record, SG_ERR_INVALID_KEY_ID);
    return got == 1 ? SG_SUCCESS : got;
}

static int identity_pair(signal_buffer **public_data, signal_buffer **private_data, void *user)
{
    const struct side *side = user;
    must(
        ec_public_key_serialize(public_data, ratchet_identity_key_pair_get_public(side->identity)));
    must(ec_private_key_serialize(private_data,
                                  ratchet_identity_key_pair_get_private(side->identity)));
    return 0;
}

static int registration_id(void *user, uint32_t *id)
{
    (void)user;
    *id = 1;
    return 0;
}

static int identity_save(const signal_protocol_address *address, uint8_t *key, size_t len,
                         void *user)
{
    (void)address;
    (void)key;
    (void)len;
    (void)user;
    return 0;
}

static int identity_trusted(const signal_protocol_address *address, uint8_t *key, size_t len,
                            void *user)
{
    (void)address;
    (void)key;
    (void)len;
    (void)user;
    return 1;
}

static void stores_make(struct side *side)
{
    const signal_protocol_session_store sessions = {.load_session_func = session_load_func,
                                                    .store_session_func = session_store_func,
                                                    .contains_session_func = session_contains,
                                                    .user_data = side};
    const signal_protocol_pre_key_store pre_keys = {.load_pre_key = pre_key_load,
                                                    .contains_pre_key = pre_key_contains,
                                                    .remove_pre_key = pre_key_remove,
                                                    .user_data = side};
    const signal_protocol_signed_pre_key_store signed_keys = {.load_signed_pre_key = signed_load,
                                                              .user_data = side};
    const signal_protocol_identity_key_store identity = {.get_identity_key_pair = identity_pair,
                                                         .get_local_registration_id =
                                                             registration_id,
                                                         .save_identity = identity_save,
                                                         .is_trusted_identity = identity_trusted,
                                                         .user_data = side};
    must(signal_protocol_store_context_create(&side->store, global));
    must(signal_protocol_store_context_set_session_store(side->store, &sessions));
    must(signal_protocol_store_context_set_pre_key_store(side->store, &pre_keys));
    must(signal_protocol_store_context_set_signed_pre_key_store(side->store, &signed_keys));
    must(signal_protocol_store_context_set_identity_key_store(side->store, &identity));
}

/* --- the conversation --- */

static void pass(int from)
{
    ciphertext_message *made = NULL;
    signal_buffer *plain = NULL;
    struct side *to = &sides[1 - from];
    must(session_cipher_encrypt(sides[from].cipher, bench_message, BENCH_MESSAGE, &made));
    signal_buffer *wire = ciphertext_message_get_serialized(made);
    if (ciphertext_message_get_type(made) == CIPHERTEXT_PREKEY_TYPE) {
        pre_key_signal_message *m = NULL;
        must(pre_key_signal_message_deserialize(&m, signal_buffer_data(wire),
                                                signal_buffer_len(wire), global));
        must(session_cipher_decrypt_pre_key_signal_message(to->cipher, m, NULL, &plain));
        SIGNAL_UNREF(m);
    } else {
        signal_message *m = NULL;
        must(signal_message_deserialize(&m, signal_buffer_data(wire), signal_buffer_len(wire),
                                        global));
        must(session_cipher_decrypt_signal_message(to->cipher, m, NULL, &plain));
        SIGNAL_UNREF(m);
    }
    bench_must(signal_buffer_len(plain) == BENCH_MESSAGE &&
                   memcmp(signal_buffer_data(plain), bench_message, BENCH_MESSAGE) == 0,
               "comparison");
    signal_buffer_free(plain);
    SIGNAL_UNREF(made);
}

/* Side 1 publishes a bundle; side 0 begins with it. */
static void begin(void)
{
    signal_buffer *buffer = NULL;
    signal_protocol_key_helper_pre_key_list_node *list = NULL;
    session_signed_pre_key *signed_key = NULL;
    session_pre_key_bundle *bundle = NULL;
    session_builder *builder = NULL;
    struct side *b = &sides[1];
    must(signal_protocol_key_helper_generate_pre_keys(&list, 1, 1, global));
    session_pre_key *pre_key = signal_protocol_key_helper_key_list_element(list);
    must(session_pre_key_serialize(&buffer, pre_key));
    must(row_store(&b->pre_key, signal_buffer_data(buffer), signal_buffer_len(buffer)));
    signal_buffer_free(buffer);
    must(
        signal_protocol_key_helper_generate_signed_pre_key(&signed_key, b->identity, 1, 0, global));
    must(session_signed_pre_key_serialize(&buffer, signed_key));
    must(row_store(&b->signed_pre_key, signal_buffer_data(buffer), signal_buffer_len(buffer)));
    signal_buffer_free(buffer);
    must(session_pre_key_bundle_create(
        &bundle, 1, 1, 1, ec_key_pair_get_public(session_pre_key_get_key_pair(pre_key)), 1,
        ec_key_pair_get_public(session_signed_pre_key_get_key_pair(signed_key)),
        session_signed_pre_key_get_signature(signed_key),
        session_signed_pre_key_get_signature_len(signed_key),
        ratchet_identity_key_pair_get_public(b->identity)));
    must(session_builder_create(&builder, sides[0].store, &sides[0].address, global));
    must(session_builder_process_pre_key_bundle(builder, bundle));
    session_builder_free(builder);
    SIGNAL_UNREF(bundle);
    SIGNAL_UNREF(signed_key);
    signal_protocol_key_helper_key_list_free(list);
}

static void start(void)
{
    static const char *const names[] = {"b", "a"};
    must(signal_context_create(&global, NULL));
    must(signal_context_set_crypto_provider(global, &provider));
    for (int i = 0; i < 2; i++) {
        sides[i].address =
            (signal_protocol_address){.name = names[i], .name_len = 1, .device_id = 1};
        must(signal_protocol_key_helper_generate_identity_key_pair(&sides[i].identity, global));
        stores_make(&sides[i]);
        must(session_cipher_create(&sides[i].cipher, sides[i].store, &sides[i].address, global));
    }
    begin();
    pass(0);
    pass(1);
    pass(0);
}

static void stop(void)
{
    for (int i = 0; i < 2; i++) {
        session_cipher_free(sides[i].cipher);
        signal_protocol_store_context_destroy(sides[i].store);
        SIGNAL_UNREF(sides[i].identity);
    }
    signal_context_destroy(global);
}

const struct bench_pair bench_pair_signal = {
    .name = "signal", .start = start, .pass = pass, .stop = stop};
