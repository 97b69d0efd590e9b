/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

int unit_main(const char *name, void (*add)(TCase *tc))
{
    if (sodium_init() < 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 110);
    add(tc);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
#ifdef PETREL_SANITIZED
    srunner_set_fork_status(runner, CK_NOFORK);
#endif
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    int run = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void unit_random(void *ctx, uint8_t *out, size_t len)
{
    struct unit_env *u = ctx;
    while (len > 0) {
        uint8_t block[64];
        uint64_t in[2] = {u->seed, u->counter++};
        crypto_generichash(block, sizeof block, (const uint8_t *)in, sizeof in, NULL, 0);
        size_t n = len < sizeof block ? len : sizeof block;
        memcpy(out, block, n);
        out += n;
        len -= n;
    }
}

void unit_env_init(struct unit_env *u, uint64_t seed, uint64_t now_ms)
{
    *u = (struct unit_env){.seed = seed};
    u->env = (struct env){.now_ms = now_ms, .random = unit_random, .random_ctx = u};
}

size_t unit_hex(const char *hex, uint8_t *out, size_t cap)
{
    size_t len = 0;
    int bad = sodium_hex2bin(out, cap, hex, strlen(hex), " \n", &len, NULL);
    ck_assert_msg(bad == 0, "not hex, or too long: %s", hex);
    return len;
}

struct slice unit_str(const char *s)
{
    return slice_of(s, strlen(s));
}
