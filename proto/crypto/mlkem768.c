/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/mlkem768.h"

#ifdef PETREL_OWN_MLKEM768

#include <assert.h>
#include <string.h>

#include "crypto/ct.h"
#include "crypto/keccak.h"

enum {
    N = 256, /* coefficients of a polynomial */
    Q = 3329,
    K = 3,   /* polynomials of a vector */
    DU = 10, /* bits of a compressed coefficient of u */
    DV = 4,  /* and of v */
    POLY_BYTES = N * 12 / 8,
    VECTOR_BYTES = K * POLY_BYTES,
    U_BYTES = N * DU / 8, /* one polynomial of u, compressed */
    SEED = 32,
    NOISE_BYTES = 64 * 2, /* eta1 = eta2 = 2 */
};

/* dk = secret vector | ek | H(ek) | z (algorithm 16). */
enum {
    DK_EK = VECTOR_BYTES,
    DK_HASH = DK_EK + crypto_kem_mlkem768_PUBLICKEYBYTES,
    DK_Z = DK_HASH + KECCAK_SHA3_256,
};

static_assert(VECTOR_BYTES + SEED == crypto_kem_mlkem768_PUBLICKEYBYTES, "ek");
static_assert(DK_Z + SEED == crypto_kem_mlkem768_SECRETKEYBYTES, "dk");
static_assert(K * U_BYTES + N * DV / 8 == crypto_kem_mlkem768_CIPHERTEXTBYTES, "ciphertext");
static_assert(KECCAK_RATE_SHAKE128 % 3 == 0, "sample_ntt takes three bytes at a time");

/* Coefficients are signed and, between steps, only loosely reduced; each function says its bounds.
 * Products are reduced as Montgomery showed, with R = 2^16. */
struct poly {
    int16_t c[N];
};

/* 17^brv7(i) * R mod q, centred (appendix A of FIPS 203, in Montgomery form). */
static const int16_t zetas[128] = {
    -1044, -758,  -359,  -1517, 1493,  1422,  287,   202,   -171,  622,   1577,  182,   962,
    -1202, -1474, 1468,  573,   -1325, 264,   383,   -829,  1458,  -1602, -130,  -681,  1017,
    732,   608,   -1542, 411,   -205,  -1571, 1223,  652,   -552,  1015,  -1293, 1491,  -282,
    -1544, 516,   -8,    -320,  -666,  -1618, -1162, 126,   1469,  -853,  -90,   -271,  830,
    107,   -1421, -247,  -951,  -398,  961,   -1508, -725,  448,   -1065, 677,   -1275, -1103,
    430,   555,   843,   -1251, 871,   1550,  105,   422,   587,   177,   -235,  -291,  -460,
    1574,  1653,  -246,  778,   1159,  -147,  -777,  1483,  -602,  1119,  -1590, 644,   -872,
    349,   418,   329,   -156,  -75,   817,   1097,  603,   610,   1322,  -1285, -1465, 384,
    -1215, -136,  1218,  -1335, -874,  220,   -1187, -1659, -1185, -1530, -1278, 794,   -1510,
    -854,  -870,  478,   -108,  -308,  996,   991,   958,   -1460, 1522,  1628,
};

/* --- arithmetic mod q --- */

/* a / R mod q, of absolute value below q, for |a| < q * 2^15. */
static inline int16_t montgomery(int32_t a)
{
    int16_t t = (int16_t)(uint16_t)((uint32_t)a * 62209U); /* 62209 = 1 / q mod R */
    return (int16_t)((a - (int32_t)t * Q) >> 16);
}

/* a * b / R mod q, of absolute value below q. */
static inline int16_t multiply(int16_t a, int16_t b)
{
    return montgomery((int32_t)a * b);
}

/* a mod q in -(q - 1) / 2 .. (q - 1) / 2, for every a: 20159 = round(2^26 / q). */
static inline int16_t centre(int16_t a)
{
    int32_t quotient = (20159 * (int32_t)a + (1 << 25)) >> 26;
    return (int16_t)(a - quotient * Q);
}

/* a mod q in 0 .. q - 1. */
static inline uint16_t canonical(int16_t a)
{
    int16_t r = centre(a);
    return (uint16_t)(r + (Q & (r >> 15)));
}

/* Compress_d (formula 4.7): round(2^d / q * x) mod 2^d for 0 <= x < q and d <= 10. Multiplies where
 * a division would take a time that depends on x: 20642679 = ceil(2^36 / q). */
static inline uint16_t compress(uint16_t x, unsigned d)
{
    uint64_t scaled = ((uint64_t)x << d) + Q / 2;
    return (uint16_t)((scaled * UINT64_C(20642679) >> 36) & ((1U << d) - 1));
}

/* Decompress_d (formula 4.8): round(q / 2^d * y). */
static inline int16_t decompress(uint16_t y, unsigned d)
{
    return (int16_t)(((uint32_t)y * Q + (1U << (d - 1))) >> d);
}

/* --- polynomials --- */

/* NTT (algorithm 9), in place. In: |c| < q. Out: |c| <= (q - 1) / 2; each of the seven layers adds
 * less than q, so that nothing overflows before the end. */
static void ntt(struct poly *p)
{
    unsigned k = 1;
    for (unsigned len = 128; len >= 2; len /= 2) {
        for (unsigned start = 0; start < N; start += 2 * len) {
            int16_t zeta = zetas[k++];
            for (unsigned j = start; j < start + len; j++) {
                int16_t t = multiply(zeta, p->c[j + len]);
                p->c[j + len] = (int16_t)(p->c[j] - t);
                p->c[j] = (int16_t)(p->c[j] + t);
            }
        }
    }
    for (unsigned j = 0; j < N; j++) {
        p->c[j] = centre(p->c[j]);
    }
}

/* NTT^-1 (algorithm 10), in place, times R: it undoes the 1 / R of dot. In and out: |c| < q. */
static void ntt_inverse(struct poly *p)
{
    unsigned k = 127;
    for (unsigned len = 2; len <= 128; len *= 2) {
        for (unsigned start = 0; start < N; start += 2 * len) {
            int16_t zeta = zetas[k--];
            for (unsigned j = start; j < start + len; j++) {
                int16_t t = p->c[j];
                p->c[j] = centre((int16_t)(t + p->c[j + len]));
                p->c[j + len] = multiply(zeta, (int16_t)(p->c[j + len] - t));
            }
        }
    }
    for (unsigned j = 0; j < N; j++) {
        p->c[j] = multiply(p->c[j], 1441); /* R^2 / 128 */
    }
}

/* Product of a row and a column in NTT form (algorithms 11 and 12), over R. In: 0 <= a < q, and
 * |b| <= (q - 1) / 2, so that the six products of a sum stay below q * 2^15. Out: |c| < q. */
static void dot(struct poly *out, const struct poly a[K], const struct poly b[K])
{
    for (unsigned j = 0; j < N; j += 2) {
        int16_t gamma = zetas[64 + j / 4];
        gamma = (int16_t)(j % 4 == 0 ? gamma : -gamma);
        int32_t even = 0;
        int32_t odd = 0;
        for (unsigned i = 0; i < K; i++) {
            const int16_t *x = a[i].c + j;
            const int16_t *y = b[i].c + j;
            even += (int32_t)x[0] * y[0] + (int32_t)x[1] * multiply(y[1], gamma);
            odd += (int32_t)x[0] * y[1] + (int32_t)x[1] * y[0];
        }
        out->c[j] = montgomery(even);
        out->c[j + 1] = montgomery(odd);
    }
}

/* out += a; the caller knows that nothing overflows. */
static void add(struct poly *out, const struct poly *a)
{
    for (unsigned j = 0; j < N; j++) {
        out->c[j] = (int16_t)(out->c[j] + a->c[j]);
    }
}

/* --- bytes --- */

/* ByteEncode_d (algorithm 5) of Compress_d of every coefficient; d = 12 does not compress. */
static void encode(uint8_t *out, const struct poly *p, unsigned d)
{
    uint32_t window = 0;
    unsigned bits = 0;
    for (unsigned j = 0; j < N; j++) {
        uint16_t v = canonical(p->c[j]);
        window |= (uint32_t)(d == 12 ? v : compress(v, d)) << bits;
        for (bits += d; bits >= 8; bits -= 8) {
            *out++ = (uint8_t)window;
            window >>= 8;
        }
    }
}

/* ByteDecode_d (algorithm 6), then Decompress_d unless d = 12. */
static void decode(struct poly *p, const uint8_t *in, unsigned d)
{
    uint32_t window = 0;
    unsigned bits = 0;
    for (unsigned j = 0; j < N; j++) {
        for (; bits < d; bits += 8) {
            window |= (uint32_t)*in++ << bits;
        }
        uint16_t v = (uint16_t)(window & ((1U << d) - 1));
        p->c[j] = (int16_t)(d == 12 ? v : decompress(v, d));
        window >>= d;
        bits -= d;
    }
}

/* --- sampling --- */

/* SampleNTT (algorithm 7) of rho | x | y. Everything here is public. */
static void sample_ntt(struct poly *p, const uint8_t rho[static SEED], unsigned x, unsigned y)
{
    struct keccak k;
    const uint8_t index[2] = {(uint8_t)x, (uint8_t)y};
    uint8_t block[KECCAK_RATE_SHAKE128];
    keccak_shake128_init(&k);
    keccak_absorb(&k, rho, SEED);
    keccak_absorb(&k, index, sizeof index);
    keccak_pad(&k);
    for (unsigned j = 0; j < N;) {
        keccak_squeeze(&k, block, sizeof block);
        for (unsigned i = 0; i < sizeof block && j < N; i += 3) {
            int16_t first = (int16_t)(block[i] | (block[i + 1] & 15) << 8);
            int16_t second = (int16_t)(block[i + 1] >> 4 | block[i + 2] << 4);
            if (first < Q) {
                p->c[j++] = first;
            }
            if (second < Q && j < N) {
                p->c[j++] = second;
            }
        }
    }
}

/* Row i of the matrix A, or of its transpose. */
static void sample_row(struct poly row[K], const uint8_t rho[static SEED], unsigned i,
                       int transposed)
{
    for (unsigned j = 0; j < K; j++) {
        sample_ntt(&row[j], rho, transposed ? i : j, transposed ? j : i);
    }
}

/* SamplePolyCBD_2 (algorithm 8) of PRF_2(seed, n): |c| <= 2. */
static void sample_noise(struct poly *p, const uint8_t seed[static SEED], uint8_t n)
{
    uint8_t bytes[NOISE_BYTES];
    const struct slice parts[] = {slice_of(seed, SEED), slice_of(&n, 1)};
    keccak_shake256(bytes, sizeof bytes, parts, 2);
    for (unsigned i = 0; i < NOISE_BYTES; i++) {
        unsigned pairs = (bytes[i] & 0x55U) + (bytes[i] >> 1 & 0x55U); /* four sums of two bits */
        p->c[2 * i] = (int16_t)((int)(pairs & 3) - (int)(pairs >> 2 & 3));
        p->c[2 * i + 1] = (int16_t)((int)(pairs >> 4 & 3) - (int)(pairs >> 6 & 3));
    }
    sodium_memzero(bytes, sizeof bytes);
}

/* Three polynomials of noise, n and the two numbers after it, in NTT form. */
static void sample_noise_vector(struct poly v[K], const uint8_t seed[static SEED], uint8_t n)
{
    for (unsigned i = 0; i < K; i++) {
        sample_noise(&v[i], seed, (uint8_t)(n + i));
        ntt(&v[i]);
    }
}

/* --- K-PKE --- */

/* K-PKE.KeyGen (algorithm 13); dk gets VECTOR_BYTES. */
static void pke_keygen(uint8_t *ek, uint8_t *dk, const uint8_t d[static SEED])
{
    struct {
        uint8_t hash[2 * SEED]; /* rho | sigma */
        struct poly s[K];
        struct poly e[K];
        struct poly t;
    } w;
    const uint8_t k = K;
    const struct slice parts[] = {slice_of(d, SEED), slice_of(&k, 1)};
    keccak_sha3_512(w.hash, parts, 2);
    uint8_t *rho = ek + VECTOR_BYTES;
    memcpy(rho, w.hash, SEED);
    CT_PUBLIC(rho, SEED);
    sample_noise_vector(w.s, w.hash + SEED, 0);
    sample_noise_vector(w.e, w.hash + SEED, K);
    for (unsigned i = 0; i < K; i++) {
        struct poly row[K];
        sample_row(row, rho, i, 0);
        dot(&w.t, row, w.s);
        for (unsigned j = 0; j < N; j++) {
            w.t.c[j] = multiply(w.t.c[j], 1353); /* R^2: undoes the 1 / R of dot */
        }
        add(&w.t, &w.e[i]);
        encode(ek + i * POLY_BYTES, &w.t, 12);
        encode(dk + i * POLY_BYTES, &w.s[i], 12);
    }
    sodium_memzero(&w, sizeof w);
}

/* K-PKE.Encrypt (algorithm 14). */
static void pke_encrypt(uint8_t *ct, const uint8_t *ek, const uint8_t m[static SEED],
                        const uint8_t r[static SEED])
{
    struct {
        struct poly y[K];
        struct poly sum;
        struct poly noise;
        struct poly message;
    } w;
    uint8_t rho[SEED];
    memcpy(rho, ek + VECTOR_BYTES, SEED);
    CT_PUBLIC(rho, SEED);
    sample_noise_vector(w.y, r, 0);
    for (unsigned i = 0; i < K; i++) {
        struct poly row[K];
        sample_row(row, rho, i, 1);
        dot(&w.sum, row, w.y);
        ntt_inverse(&w.sum);
        sample_noise(&w.noise, r, (uint8_t)(K + i));
        add(&w.sum, &w.noise);
        encode(ct + i * U_BYTES, &w.sum, DU);
    }
    struct poly t[K];
    for (unsigned i = 0; i < K; i++) {
        decode(&t[i], ek + i * POLY_BYTES, 12);
    }
    dot(&w.sum, t, w.y);
    ntt_inverse(&w.sum);
    sample_noise(&w.noise, r, 2 * K);
    add(&w.sum, &w.noise);
    for (unsigned j = 0; j < N; j++) { /* Decompress_1, without a branch on the message */
        uint32_t bit = ct_hide((uint32_t)m[j / 8] >> j % 8 & 1);
        w.message.c[j] = (int16_t)((0U - bit) & ((Q + 1) / 2));
    }
    add(&w.sum, &w.message);
    encode(ct + K * U_BYTES, &w.sum, DV);
    sodium_memzero(&w, sizeof w);
}

/* K-PKE.Decrypt (algorithm 15). */
static void pke_decrypt(uint8_t m[static SEED], const uint8_t *ct, const uint8_t *dk)
{
    struct {
        struct poly s[K];
        struct poly u[K];
        struct poly v;
        struct poly product;
    } w;
    for (unsigned i = 0; i < K; i++) {
        decode(&w.s[i], dk + i * POLY_BYTES, 12);
        decode(&w.u[i], ct + i * U_BYTES, DU);
        ntt(&w.u[i]);
    }
    decode(&w.v, ct + K * U_BYTES, DV);
    dot(&w.product, w.s, w.u);
    ntt_inverse(&w.product);
    for (unsigned j = 0; j < N; j++) {
        w.v.c[j] = (int16_t)(w.v.c[j] - w.product.c[j]);
    }
    encode(m, &w.v, 1);
    sodium_memzero(&w, sizeof w);
}

/* --- ML-KEM --- */

/* The modulus check of section 7.2. */
static int key_is_reduced(const uint8_t *ek)
{
    int32_t good = -1;
    for (unsigned i = 0; i < K; i++) {
        struct poly t;
        decode(&t, ek + i * POLY_BYTES, 12);
        for (unsigned j = 0; j < N; j++) {
            good &= t.c[j] - Q; /* negative as long as every coefficient is below q */
        }
    }
    return good < 0;
}

static void hash_key(uint8_t out[static KECCAK_SHA3_256], const uint8_t *ek)
{
    struct slice part = slice_of(ek, crypto_kem_mlkem768_PUBLICKEYBYTES);
    keccak_sha3_256(out, &part, 1);
}

/* G(m | h): shared secret | randomness of the encryption. */
static void hash_message(uint8_t out[static KECCAK_SHA3_512], const uint8_t m[static SEED],
                         const uint8_t h[static KECCAK_SHA3_256])
{
    const struct slice parts[] = {slice_of(m, SEED), slice_of(h, KECCAK_SHA3_256)};
    keccak_sha3_512(out, parts, 2);
}

int crypto_kem_mlkem768_seed_keypair(uint8_t pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
                                     uint8_t sk[crypto_kem_mlkem768_SECRETKEYBYTES],
                                     const uint8_t seed[crypto_kem_mlkem768_SEEDBYTES])
{
    pke_keygen(pk, sk, seed);
    CT_PUBLIC(pk, crypto_kem_mlkem768_PUBLICKEYBYTES);
    memcpy(sk + DK_EK, pk, crypto_kem_mlkem768_PUBLICKEYBYTES);
    hash_key(sk + DK_HASH, pk);
    memcpy(sk + DK_Z, seed + SEED, SEED);
    return 0;
}

int crypto_kem_mlkem768_enc_deterministic(uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
                                          uint8_t ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
                                          const uint8_t pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
                                          const uint8_t seed[32])
{
    if (!key_is_reduced(pk)) {
        return -1;
    }
    uint8_t h[KECCAK_SHA3_256];
    uint8_t secrets[KECCAK_SHA3_512];
    hash_key(h, pk);
    hash_message(secrets, seed, h);
    pke_encrypt(ct, pk, seed, secrets + SEED);
    CT_PUBLIC(ct, crypto_kem_mlkem768_CIPHERTEXTBYTES);
    memcpy(ss, secrets, crypto_kem_mlkem768_SHAREDSECRETBYTES);
    sodium_memzero(secrets, sizeof secrets);
    return 0;
}

/* ML-KEM.Decaps_internal (algorithm 18). */
static void decapsulate(uint8_t *ss, const uint8_t *ct, const uint8_t *sk)
{
    struct {
        uint8_t m[SEED];
        uint8_t secrets[KECCAK_SHA3_512];
        uint8_t rejection[SEED];
        uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES];
    } w;
    pke_decrypt(w.m, ct, sk);
    hash_message(w.secrets, w.m, sk + DK_HASH);
    const struct slice parts[] = {slice_of(sk + DK_Z, SEED),
                                  slice_of(ct, crypto_kem_mlkem768_CIPHERTEXTBYTES)};
    keccak_shake256(w.rejection, sizeof w.rejection, parts, 2);
    pke_encrypt(w.ct, sk + DK_EK, w.m, w.secrets + SEED);
    /* -1, all bits set, when the ciphertext is not what an honest sender would have made */
    uint32_t reject = ct_hide((uint32_t)sodium_memcmp(ct, w.ct, sizeof w.ct));
    for (unsigned i = 0; i < crypto_kem_mlkem768_SHAREDSECRETBYTES; i++) {
        ss[i] = (uint8_t)((w.secrets[i] & ~reject) | (w.rejection[i] & reject));
    }
    sodium_memzero(&w, sizeof w);
}

int crypto_kem_mlkem768_dec(uint8_t ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
                            const uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
                            const uint8_t sk[crypto_kem_mlkem768_SECRETKEYBYTES])
{
    uint8_t h[KECCAK_SHA3_256];
    hash_key(h, sk + DK_EK);
    int damaged = sodium_memcmp(h, sk + DK_HASH, sizeof h);
    CT_PUBLIC(&damaged, sizeof damaged); /* both hashes are of the public key */
    if (damaged != 0) {
        return -1;
    }
    decapsulate(ss, ct, sk);
    return 0;
}

#else
typedef int mlkem768_is_libsodium; /* C wants a declaration in every file */
#endif
