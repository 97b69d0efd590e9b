/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sandbox/names.h"

#include <string.h>

#include "lib/unit.h"

static char found[NAMES_MODULES][NAMES_MODULE];

/* The modules of a text are the words, in their order. */
static void modules(const char *text, size_t count, const char *const words[])
{
    size_t n = names_modules(unit_str(text), found);
    ck_assert_msg(n == count, "'%s' has %zu", text, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_str_eq(found[i], words[i]);
    }
}

START_TEST(words_of_the_hosts_line_are_modules)
{
    const char *const two[] = {"libnss_mdns4_minimal.so.2", "libnss_resolve.so.2"};
    modules("passwd: files systemd\n"
            "hosts:  files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns\n"
            "networks: files\n",
            2, two);
    modules("\t hosts:mdns4_minimal\tresolve", 2, two);
    modules("hosts: mdns4_minimal[NOTFOUND=return]resolve # wins\n", 2, two);
    modules("hosts: mdns4_minimal [NOTFOUND=return SUCCESS=continue] resolve\r\n", 2, two);
}
END_TEST

START_TEST(what_is_part_of_libc_is_not_loaded)
{
    modules("hosts: files dns\n", 0, NULL);
    modules("hosts: dns [!UNAVAIL=return] files\n", 0, NULL);
}
END_TEST

START_TEST(other_lines_comments_and_odd_ends_give_none)
{
    modules("", 0, NULL);
    modules("hosts:", 0, NULL);
    modules("hosts: [", 0, NULL);
    modules("hosts: [NOTFOUND=return", 0, NULL);
    modules("#hosts: resolve\n", 0, NULL);
    modules("shosts: resolve\n", 0, NULL);
    modules("host", 0, NULL);
    modules("hosts: # resolve\n", 0, NULL);
}
END_TEST

START_TEST(a_path_is_no_module)
{
    const char *const one[] = {"libnss_resolve.so.2"};
    modules("hosts: ../../tmp/evil /evil resolve\n", 1, one);
}
END_TEST

START_TEST(names_that_are_too_long_or_too_many_are_left_out)
{
    char text[2048] = "hosts: ";
    for (int i = 0; i < 100; i++) {
        strcat(text, "x");
    }
    strcat(text, "\n");
    modules(text, 0, NULL);
    strcpy(text, "hosts:");
    for (int i = 0; i < 100; i++) {
        strcat(text, " many");
    }
    ck_assert_uint_eq(names_modules(unit_str(text), found), NAMES_MODULES);
    strcat(text, "\nhosts: more\n");
    ck_assert_uint_eq(names_modules(unit_str(text), found), NAMES_MODULES);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, words_of_the_hosts_line_are_modules);
    tcase_add_test(tc, what_is_part_of_libc_is_not_loaded);
    tcase_add_test(tc, other_lines_comments_and_odd_ends_give_none);
    tcase_add_test(tc, a_path_is_no_module);
    tcase_add_test(tc, names_that_are_too_long_or_too_many_are_left_out);
}

int main(void)
{
    return unit_main("daemon/sandbox/names", add);
}
