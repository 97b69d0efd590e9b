/* SPDX-License-Identifier: Apache-2.0
 *
 * xwing_cli: our ML-KEM-768, X-Wing and HPKE for a test partner in another language: one request a
 * line on standard input ("command hex ..."), one answer a line ("ok hex ...", or "refused"); an
 * empty byte string is written "-". The commands are the table at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hpke.h"
#include "crypto/mlkem768.h"
#include "crypto/prim.h"
#include "crypto/xwing.h"

enum {
    ARGS = 5,
    BYTES = 4096, /* of one argument or result */
};

struct request {
    uint8_t arg[ARGS][BYTES];
    size_t len[ARGS];
    unsigned args;
    uint8_t out[2][BYTES];
    size_t out_len[2];
    unsigned outs;
};

static struct slice arg(const struct request *r, unsigned i)
{
    return slice_of(r->arg[i], r->len[i]);
}

static void result(struct request *r, size_t len)
{
    r->out_len[r->outs++] = len;
}

static int mlkem_keygen(struct request *r)
{
    result(r, crypto_kem_mlkem768_PUBLICKEYBYTES);
    result(r, crypto_kem_mlkem768_SECRETKEYBYTES);
    return crypto_kem_mlkem768_seed_keypair(r->out[0], r->out[1], r->arg[0]);
}

static int mlkem_enc(struct request *r)
{
    result(r, crypto_kem_mlkem768_CIPHERTEXTBYTES);
    result(r, crypto_kem_mlkem768_SHAREDSECRETBYTES);
    return crypto_kem_mlkem768_enc_deterministic(r->out[0], r->out[1], r->arg[0], r->arg[1]);
}

static int mlkem_dec(struct request *r)
{
    result(r, crypto_kem_mlkem768_SHAREDSECRETBYTES);
    return crypto_kem_mlkem768_dec(r->out[0], r->arg[0], r->arg[1]);
}

static int xwing_keygen(struct request *r)
{
    result(r, crypto_kem_xwing_PUBLICKEYBYTES);
    result(r, crypto_kem_xwing_SECRETKEYBYTES);
    return crypto_kem_xwing_seed_keypair(r->out[0], r->out[1], r->arg[0]);
}

static int xwing_enc(struct request *r)
{
    result(r, crypto_kem_xwing_CIPHERTEXTBYTES);
    result(r, crypto_kem_xwing_SHAREDSECRETBYTES);
    return crypto_kem_xwing_enc_deterministic(r->out[0], r->out[1], r->arg[0], r->arg[1]);
}

static int xwing_dec(struct request *r)
{
    result(r, crypto_kem_xwing_SHAREDSECRETBYTES);
    return crypto_kem_xwing_dec(r->out[0], r->arg[0], r->arg[1]);
}

/* pk seed info aad plain -> enc sealed */
static int hpke_cli_seal(struct request *r)
{
    struct hpke h;
    if (hpke_setup_sender(&h, r->out[0], HPKE_KEM_XWING, arg(r, 0), arg(r, 2), r->arg[1]) !=
        ERR_OK) {
        return -1;
    }
    result(r, HPKE_ENC_MAX);
    result(r, r->len[4] + HPKE_TAG);
    return hpke_seal(&h, r->out[1], arg(r, 3), arg(r, 4)) == ERR_OK ? 0 : -1;
}

/* sk enc info aad sealed -> plain */
static int hpke_cli_open(struct request *r)
{
    struct hpke h;
    if (hpke_setup_receiver(&h, HPKE_KEM_XWING, arg(r, 1), r->arg[0], arg(r, 2)) != ERR_OK ||
        hpke_open(&h, r->out[0], arg(r, 3), arg(r, 4)) != ERR_OK) {
        return -1;
    }
    result(r, r->len[4] - HPKE_TAG);
    return 0;
}

static const struct command {
    const char *name;
    int (*run)(struct request *r); /* 0, or -1 for refused */
    unsigned args;
} commands[] = {
    {"mlkem-keygen", mlkem_keygen, 1}, {"mlkem-enc", mlkem_enc, 2},     {"mlkem-dec", mlkem_dec, 2},
    {"xwing-keygen", xwing_keygen, 1}, {"xwing-enc", xwing_enc, 2},     {"xwing-dec", xwing_dec, 2},
    {"hpke-seal", hpke_cli_seal, 5},   {"hpke-open", hpke_cli_open, 5},
};

static void fail(const char *why)
{
    fprintf(stderr, "xwing_cli: %s\n", why);
    exit(EXIT_FAILURE);
}

static const struct command *parse(struct request *r, char *line)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " \n", &rest);
    r->args = 0;
    r->outs = 0;
    memset(r->out_len, 0, sizeof r->out_len);
    for (char *word = strtok_r(NULL, " \n", &rest); word != NULL;
         word = strtok_r(NULL, " \n", &rest)) {
        size_t len = 0;
        if (r->args == ARGS ||
            (strcmp(word, "-") != 0 &&
             sodium_hex2bin(r->arg[r->args], BYTES, word, strlen(word), NULL, &len, NULL) != 0)) {
            fail("too many arguments, or not hex");
        }
        r->len[r->args++] = len;
    }
    for (size_t i = 0; name != NULL && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i].name) == 0 && commands[i].args == r->args) {
            return &commands[i];
        }
    }
    fail("no such command, or not its number of arguments");
    return NULL;
}

static void answer(const struct request *r)
{
    printf("ok");
    for (unsigned i = 0; i < r->outs; i++) {
        char hex[2 * BYTES + 1];
        sodium_bin2hex(hex, sizeof hex, r->out[i], r->out_len[i]);
        printf(" %s", r->out_len[i] > 0 ? hex : "-");
    }
    printf("\n");
}

int main(void)
{
    static struct request r;
    static char line[ARGS * (2 * BYTES + 1) + 64];
    if (prim_init() != ERR_OK) {
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        const struct command *command = parse(&r, line);
        if (command->run(&r) == 0) {
            answer(&r);
        } else {
            printf("refused\n");
        }
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
