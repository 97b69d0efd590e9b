#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the symbols of libpetrel_proto.a: no mutable global, and nothing of the outside but memory,
strings, libsodium's pure functions, libmd's SHA-1 and msgpack's packer.

usage: symbols.py NM LIBRARY
       symbols.py NM --selftest CC   compiles wrong lines and expects a refusal of each

The includes (layers.py) say what a file wants to see; this says what the compiled code reaches,
through whatever macro. A name that is missing in PURE and is pure: add it.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

PURE = frozenset("""
    abort abs bcmp bsearch calloc free malloc memchr memcmp memcpy memmem memmove memrchr memset
    posix_memalign qsort realloc reallocarray snprintf stpcpy strchr strchrnul strcmp strcpy strlen
    strncmp strnlen strrchr strstr strtol strtoul strtoull strtoll vsnprintf
    __assert_fail __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc __errno_location
    __memcpy_chk __memmove_chk __memset_chk __snprintf_chk __stack_chk_fail __strcpy_chk
    __vsnprintf_chk htonl htons ntohl ntohs _GLOBAL_OFFSET_TABLE_
    sodium_add sodium_allocarray sodium_base642bin sodium_base64_encoded_len sodium_bin2base64
    sodium_bin2hex sodium_compare sodium_free sodium_hex2bin sodium_increment sodium_init
    sodium_is_zero
    sodium_malloc sodium_memcmp sodium_memzero sodium_mlock sodium_munlock sodium_pad
    sodium_stackzero sodium_sub sodium_unpad SHA1Final SHA1Init SHA1Update
""".split())
CRYPTO = re.compile(r"^_?crypto_\w+$")
DRAWS_RANDOMNESS = re.compile(
    r"(_keygen|_random|_init_push)$|^crypto_pwhash\w*_str$|^crypto_box(_\w+)?_seal$"
    r"|^crypto_\w+(?<!_seed)_keypair$")
COMPILER = re.compile(r"^__\w+[sdt]i[234]$")  # arithmetic that the processor lacks
PACKER = re.compile(r"^msgpack_(pack|packer|sbuffer)\w*$")
MUTABLE = re.compile(r"^(\.data(?!\.rel\.ro)|\.bss|\.tdata|\.tbss|\*COM\*)")


def outside_allowed(name):
    if DRAWS_RANDOMNESS.search(name):
        return False
    return name in PURE or any(kind.match(name) for kind in (CRYPTO, PACKER, COMPILER))


def read_symbols(nm, library):
    """(object, name, type, section) of each symbol, by nm's System V format."""
    out = subprocess.run([nm, "--format=sysv", library], capture_output=True, text=True, check=True)
    member = "?"
    for line in out.stdout.splitlines():
        head = re.match(r"^(?:Undefined symbols|Symbols) from (.+?):$", line)
        if head:
            member = re.sub(r".*\[(.*)\]$", r"\1", head.group(1))
            continue
        part = [p.strip() for p in line.split("|")]
        if len(part) == 7 and part[0] != "Name":
            yield member, part[0], part[3], part[6]


def check(nm, library):
    symbols = list(read_symbols(nm, library))
    inside = {name for _, name, _, section in symbols if section != "*UND*"}
    errors = []
    for member, name, kind, section in symbols:
        if kind not in ("SECTION", "FILE") and MUTABLE.match(section):
            errors.append(f"{member}: {name} is a mutable global (section {section})")
        elif section == "*UND*" and name not in inside and not outside_allowed(name):
            errors.append(f"{member}: reaches {name}, which is not pure")
    for error in sorted(set(errors)):
        print(error)
    outside = {name for _, name, _, section in symbols if section == "*UND*"} - inside
    print(f"symbols: {len(symbols)} symbols, {len(outside)} from outside checked, "
          f"{len(set(errors))} wrong")
    return 1 if errors or not symbols else 0


WRONG = (
    "int counter = 1;",
    "int counter;",
    "int next(void); int next(void) { static int n; return ++n; }",
    "int next(void); int next(void) { static _Thread_local int n = 3; return ++n; }",
    "#include <time.h>\nlong now(void); long now(void) { return (long)time(0); }",
    "#include <stdio.h>\nvoid f(void); void f(void) { puts(\"x\"); }",
    "void randombytes_buf(void *, unsigned long);\nvoid f(void *p); void f(void *p) "
    "{ randombytes_buf(p, 4); }",
    "int crypto_sign_keypair(void *, void *);\nint f(void *p); int f(void *p) "
    "{ return crypto_sign_keypair(p, p); }",
)
RIGHT = (
    "#include <string.h>\nunsigned long f(const char *s); unsigned long f(const char *s) "
    "{ static const char *const t[] = {\"a\", \"b\"}; return strlen(s) + strlen(t[*s & 1]); }",
    "int crypto_sign_seed_keypair(void *, void *);\nint f(void *p); int f(void *p) "
    "{ return crypto_sign_seed_keypair(p, p); }",
)


def selftest(nm, compiler):
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "planted.c"
        built = pathlib.Path(folder) / "planted.o"
        for text, expected in [(t, 1) for t in WRONG] + [(t, 0) for t in RIGHT]:
            source.write_text(text + "\n", encoding="utf-8")
            subprocess.run([compiler, "-std=c17", "-O0", "-c", source, "-o", built], check=True)
            if check(nm, built) != expected:
                print(f"judged wrongly: {text}")
                bad += 1
    print(f"symbols.selftest: {len(WRONG)} wrong, {len(RIGHT)} right, {bad} misjudged")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[2] == "--selftest":
        sys.exit(selftest(sys.argv[1], sys.argv[3]))
    if len(sys.argv) != 3:
        sys.exit("usage: symbols.py NM LIBRARY | NM --selftest CC")
    sys.exit(check(sys.argv[1], sys.argv[2]))
