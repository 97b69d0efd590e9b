#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every function of proto/'s headers that is given a secret has a line in the table
tests/tools/constant_time.txt: the constant-time case that calls it, or a reason why there is none.

A parameter is a secret when its type is one (SECRET_TYPES, and every struct that holds one), or when
it is bytes under a name that stands for one (SECRET_NAMES). Lines of the table:

    FUNCTION  ROOM CASE       START_TEST(CASE) of tests/unit/ROOM/test_ct.c, or a helper of its own
                              or of tests/lib that it calls, calls FUNCTION
    FUNCTION  no REASON       no case: REASON is a name that is explained by
    REASON: TEXT

usage: constant_time.py ROOT          check
       constant_time.py list ROOT     what has no line, and the parameters that are why
       constant_time.py selftest"""
import pathlib
import re
import sys

SECRET_TYPES = {"dh_sk", "sign_sk", "aead_key", "ratchet_key", "token_key", "token_siv_key",
                "token_kept", "seal_key", "seal_keys", "pqxdh_shared", "kem_ratchet", "kem_mix",
                "prekey_secret", "skipped_key", "cipher", "symmetric", "hpke", "node_root",
                "account_row", "relay_row", "invite_row", "invite", "session", "link",
                "sealed_reply_key"}
SECRET_NAMES = {"seed", "eseed", "secret", "sk", "ss", "prk", "root", "ikm", "dk", "invite", "key",
                "random", "s"}
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
NESTED = r"[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*"  # two levels, as they are
STRUCT = re.compile(r"\bstruct\s+(\w+)\s*\{(" + NESTED + r")\}\s*;")
MEMBER = re.compile(r"\bstruct\s+(\w+)\s+\w+(?:\[[^\]]*\])?\s*;")  # by value
FUNCTION = re.compile(r"^(?:static inline )?[a-z][\w ]*?[\s*]\**([a-z]\w*)\(([^;{}]*)\)"
                      r"(?:\s*PETREL_MUST_USE)?\s*[;{]", re.M)
BYTES = re.compile(r"^(?:const )?(?:uint8_t\s*\*?\s*(\w+)(?:\[.*\])?|struct slice (ikm|secret|seed))$")
CASE = re.compile(r"START_TEST\((\w+)\)(.*?)\nEND_TEST", re.S)
HELPER = re.compile(r"^[a-z][^;={}]*?\b(\w+)\([^;{}]*?\)\n\{(.*?)\n\}", re.S | re.M)
REASON_MIN = 20  # letters; a reason is a sentence


def secret_types(headers):
    """SECRET_TYPES and all that hold one of them by value."""
    holds = {name: set(MEMBER.findall(body)) for text in headers.values()
             for name, body in STRUCT.findall(text)}
    secret = set(SECRET_TYPES)
    while True:
        more = {name for name, inner in holds.items() if inner & secret} - secret
        if not more:
            return secret
        secret |= more


def parameters_of(text):
    """The parameters, split at the commas outside of brackets."""
    parts, depth = [""], 0
    for c in " ".join(text.split()):
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts]


def secret_parameters(parameters, types):
    found = []
    for parameter in parameters:
        of_type = re.search(r"\bstruct (\w+)", parameter)
        as_bytes = BYTES.match(parameter)
        name = as_bytes and (as_bytes[1] or as_bytes[2])
        if (of_type and of_type[1] in types) or name in SECRET_NAMES:
            found.append(parameter)
    return found


def functions_with_secrets(headers):
    """{function: (header, parameters that are why)}"""
    headers = {path: COMMENT.sub("", text) for path, text in headers.items()}
    types, found = secret_types(headers), {}
    for path, text in headers.items():
        for name, parameters in FUNCTION.findall(text):
            why = secret_parameters(parameters_of(parameters), types)
            if why:
                found[name] = (path, why)
    return found


def called_by_cases(text):
    """{case: words of it and of the helpers that it calls}, of cases that are run."""
    text = COMMENT.sub("", text)
    words = lambda body: set(re.findall(r"\b(\w+)\(", body))
    helpers = {name: words(body) for name, body in HELPER.findall(text)}
    run = set(re.findall(r"tcase_add(?:_loop)?_test\(\w+,\s*(\w+)", text))
    cases = {}
    for name, body in CASE.findall(text):
        if name not in run:
            continue
        calls, new = set(), words(body)
        while new:
            calls |= new
            new = set().union(*(helpers.get(n, set()) for n in new)) - calls
        cases[name] = calls
    return cases


def table_of(text):
    """({function: (what, of it)}, {reason: text}, lines that are neither)"""
    lines, reasons, wrong = {}, {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        reason = re.fullmatch(r"([a-z-]+): (.+)", line)
        words = line.split()
        if reason:
            reasons[reason[1]] = reason[2]
        elif len(words) == 3 and words[0] not in lines:
            lines[words[0]] = (words[1], words[2])
        else:
            wrong.append(f"line {number}: not a line of the table, or a second one: {line}")
    return lines, reasons, wrong


def wrong_in(functions, table, rooms):
    """What does not fit. rooms: {room: text of its test_ct.c}"""
    lines, reasons, wrong = table_of(table)
    cases = {room: called_by_cases(text) for room, text in rooms.items()}
    for name, (path, why) in sorted(functions.items()):
        if name not in lines:
            wrong.append(f"{path}: {name} is given {', '.join(why)}, and has no line in the table")
    used = set()
    for name, (room, case) in lines.items():
        if name not in functions:
            wrong.append(f"{name}: no header has such a function with a secret")
        elif room == "no":
            used.add(case)
            if case not in reasons:
                wrong.append(f"{name}: there is no reason {case}")
        elif case not in cases.get(room, {}):
            wrong.append(f"{name}: tests/unit/{room}/test_ct.c runs no case {case}")
        elif name not in cases[room][case]:
            wrong.append(f"{name}: the case {case} does not call it")
    for name, text in reasons.items():
        if name not in used:
            wrong.append(f"{name}: nothing is left out for this reason")
        elif len(text) < REASON_MIN:
            wrong.append(f"{name}: this is no reason: {text}")
    return wrong


def read(root):
    headers = {str(p.relative_to(root)): p.read_text()
               for p in sorted((root / "proto").rglob("*.h"))}
    tests, rooms = root / "tests", {}
    for path in (tests / "unit").glob("*/test_ct.c"):
        text = path.read_text()
        helpers = [tests / f"{name}.c" for name in re.findall(r'#include "(lib/\w+)\.h"', text)]
        rooms[path.parent.name] = "\n".join([text, *(p.read_text() for p in helpers if p.exists())])
    return headers, rooms, (root / "tests/tools/constant_time.txt").read_text()


def check(root):
    headers, rooms, table = read(root)
    functions = functions_with_secrets(headers)
    wrong = wrong_in(functions, table, rooms)
    for line in wrong:
        print(line)
    called = sum(1 for what, _ in table_of(table)[0].values() if what != "no")
    print(f"{len(functions)} functions with secrets in {len(headers)} headers, {called} in cases, "
          f"{len(wrong)} wrong")
    return 1 if wrong or not functions or not called else 0


def show(root):
    headers, _, table = read(root)
    lines = table_of(table)[0]
    for name, (path, why) in functions_with_secrets(headers).items():
        if name not in lines:
            print(f"{name:28} # {path}: {'; '.join(why)}")
    return 0


def selftest():
    header = """
struct dh_sk { uint8_t b[32]; };
struct holds {
    struct dh_sk dh; /* by value */
};
struct nested {
    int kind;
    union {
        struct {
            struct holds holds[2];
        } inner;
    } u;
};
struct points {
    const struct dh_sk *dh;
};
void a_dh(struct dh_sk *sk);
enum err b_holds(int x,
                 const struct holds *h) PETREL_MUST_USE;
enum err c_points(const struct points *p);
void d_bytes(const uint8_t secret[static (32)], size_t n);
void e_public(const uint8_t nonce[static 32], struct slice key);
struct holds *f_new(void);
void i_nested(struct nested *n);
static inline void g_inline(struct dh_sk sk)
{
}
/* void h_comment(struct dh_sk *sk); */
"""
    functions = functions_with_secrets({"x.h": header})
    wanted = {"a_dh", "b_holds", "d_bytes", "g_inline", "i_nested"}
    test = """
static void helper(void)
{
    b_holds(1, &h);
}

START_TEST(one)
{
    a_dh(&sk);
    helper();
    /* d_bytes(x, 1); */
}
END_TEST

START_TEST(not_run)
{
    g_inline(sk);
}
END_TEST
    tcase_add_test(tc, one);
"""
    good = "# a table\na_dh  r one\nb_holds  r one\nd_bytes  no why\ng_inline  no why\n" \
           "i_nested  no why\nwhy: it does nothing with it at all\n"
    bad = {
        good.replace("a_dh  r one\n", ""): "a_dh is given",
        good.replace("d_bytes  no why", "d_bytes  r one"): "does not call it",
        good.replace("g_inline  no why", "g_inline  r not_run"): "runs no case",
        good.replace("g_inline  no why", "g_inline  s one"): "runs no case",
        good.replace("g_inline  no why", "g_inline  no idea"): "there is no reason",
        good.replace("it does nothing with it at all", "because"): "this is no reason",
        good + "gone  r one\n": "no header has",
        good + "a_dh  no why\n": "a second one",
        good + "left: nobody names this reason\n": "nothing is left out",
    }
    fine = set(functions) == wanted and not wrong_in(functions, good, {"r": test})
    for table, what in bad.items():
        found = wrong_in(functions, table, {"r": test})
        if len(found) != 1 or what not in found[0]:
            print(f"wanted: {what}; got: {found}")
            fine = False
    return 0 if fine else 1


def main(arguments):
    if arguments == ["selftest"]:
        return selftest()
    if len(arguments) == 2 and arguments[0] == "list":
        return show(pathlib.Path(arguments[1]))
    if len(arguments) != 1:
        sys.exit(__doc__)
    return check(pathlib.Path(arguments[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
