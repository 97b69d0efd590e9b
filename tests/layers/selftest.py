#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one wrong line, or circle, at a time in a copy of the tree's headers: layers.py must refuse
each.

usage: selftest.py ROOT
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

# file that gets the line, the line, words that the refusal must hold
PLANTED = (
    ("proto/base/planted.c", "#include <uv.h>", "may not include <uv.h>"),
    ("proto/node/planted.c", "#include <lmdb.h>", "may not include <lmdb.h>"),
    ("proto/link/planted.c", "#include <sys/socket.h>", "may not include <sys/socket.h>"),
    ("proto/link/planted.c", "#include <netinet/in.h>", "may not include <netinet/in.h>"),
    ("proto/pair/planted.c", "#include <time.h>", "may not include <time.h>"),
    ("proto/node/planted.c", "#include <pthread.h>", "may not include <pthread.h>"),
    ("proto/node/planted.c", "#include <jansson.h>", "may not include <jansson.h>"),
    ("proto/node/planted.h", '#include "daemon/keyring.h"', "proto/node may not use daemon"),
    ("proto/base/planted.h", '#include "store/store.h"', "proto/base may not use proto/store"),
    ("proto/pair/planted.c", '#include "relay/host.h"', "proto/pair may not use proto/relay"),
    ("proto/pair/planted.c", '#include "../link/link.h"', "proto/pair may not use proto/link"),
    ("proto/control/planted.c", '#include "crypto/prim.h"',
     "proto/control may not use proto/crypto"),
    ("proto/relay/planted.c", '#include "nowhere.h"', "is not a file of this project"),
    ("daemon/planted.c", '#include "tests/lib/unit.h"', "daemon may not use tests/lib"),
    ("daemon/planted.c", "#include <readline/readline.h>", "may not include <readline/readline.h>"),
    ("ctl/planted.c", '#include "node/node.h"', "ctl may not use proto/node"),
    ("ctl/planted.c", '#include "daemon/keyring.h"', "ctl may not use daemon"),
    ("ctl/planted.c", "#include <lmdb.h>", "may not include <lmdb.h>"),
    ("proto/attic/planted.c", "#include <stdint.h>", "no line in the table"),
    ("proto/pair/planted.c", "void f(void) { randombytes_buf(0, 0); }", "randombytes_buf()"),
    ("proto/pair/planted.c", "int g = crypto_box_keypair(a, b);", "crypto_box_keypair()"),
    ("proto/pair/planted.c", "int g = crypto_sign_ed25519_keypair(a, b);",
     "crypto_sign_ed25519_keypair()"),
    ("proto/pair/planted.c", "void f(void) { crypto_auth_keygen(k); }", "crypto_auth_keygen()"),
    ("proto/crypto/planted.c", "void f(void) { crypto_core_ed25519_random(p); }",
     "crypto_core_ed25519_random()"),
    ("proto/node/planted.c", "long f(void) { return time(0); }", "time()"),
    ("proto/node/planted.c", 'void f(void) { printf("x"); }', "printf()"),
    ("proto/store/planted.c", "void f(void) { clock_gettime(0, t); }", "clock_gettime()"),
)

# files that include one another, words that the refusal must hold
CIRCLES = (
    ((("proto/node/planted.h", '#include "node/planted.h"'),),
     "proto/node/planted -> proto/node/planted"),
    ((("proto/node/planted.h", '#include "node/planted_too.h"'),
      ("proto/node/planted_too.h", '#include "node/planted.h"')),
     "proto/node/planted -> proto/node/planted_too -> proto/node/planted"),
    ((("proto/pair/planted.c", '#include "pair/planted_too.h"'),
      ("proto/pair/planted_too.h", '#include "pair/planted.h"'),
      ("proto/pair/planted.h", "struct planted;")),
     "proto/pair/planted -> proto/pair/planted_too -> proto/pair/planted"),
    ((("daemon/planted.h", '#include "daemon/io/planted.h"'),
      ("daemon/io/planted.h", '#include "daemon/planted_too.h"'),
      ("daemon/planted_too.c", '#include "daemon/planted.h"'),
      ("daemon/planted_too.h", "struct planted;")),
     "daemon/io/planted -> daemon/planted_too -> daemon/planted -> daemon/io/planted"),
    ((("ctl/planted.h", '#include "ctl/cmd/planted.h"'),
      ("ctl/cmd/planted.h", '#include "../planted.h"')),
     "ctl/cmd/planted -> ctl/planted -> ctl/cmd/planted"),
)

# Files that include one another without a circle.
STRAIGHT = (
    (("proto/node/planted.h", "struct planted;"),
     ("proto/node/planted.c", '#include "node/planted.h"\n#include "node/planted_too.h"'),
     ("proto/node/planted_too.h", '#include "node/step.h"\n#include "base/buf.h"')),
    (("ctl/planted.h", '#include "ctl/cmd/planted.h"'),
     ("ctl/cmd/planted.h", "/* #include \"ctl/planted.h\" */")),
)

# Lines that look alike and are right: layers.py must not refuse them.
HARMLESS = (
    ("proto/pair/planted.c", "/* #include <uv.h>, time(), randombytes_buf() */"),
    ("proto/pair/planted.c", 'const char *const words = "call time(NULL)";'),
    ("proto/pair/planted.c", "int g = crypto_sign_ed25519_seed_keypair(a, b, seed);"),
    ("proto/pair/planted.c", "int g = crypto_box_seed_keypair(a, b, seed);"),
    ("proto/node/planted.c", "void f(struct x *x) { x->send(x); x->io.close(x); }"),
    ("proto/node/planted.c", '#include "relay/host.h"'),
    ("proto/relay/planted.c", '#include "store/store.h"'),
    ("daemon/planted.c", "#include <uv.h>"),
    ("ctl/planted.c", "#include <jansson.h>"),
)


def run(root):
    script = pathlib.Path(__file__).with_name("layers.py")
    done = subprocess.run([sys.executable, script, root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def with_planted(root, *planted):
    """layers.py on the tree with these files (name, text) in it, for as long as it runs."""
    fresh = []
    for name, text in planted:
        path = root / name
        if not path.parent.is_dir():
            fresh.append(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"/* SPDX-License-Identifier: Apache-2.0 */\n{text}\n", encoding="utf-8")
    try:
        return run(root)
    finally:
        for name, _ in planted:
            (root / name).unlink()
        for folder in fresh:
            folder.rmdir()


def copy_tree(source, root):
    for top in ("proto", "daemon", "ctl", "tests/lib"):
        if (source / top).is_dir():
            shutil.copytree(source / top, root / top, ignore=shutil.ignore_patterns("*.c"))
    (root / "ctl").mkdir(exist_ok=True)


def main(source):
    bad = []
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name).resolve()
        code, out = run(root)
        if code == 0:
            bad.append(f"an empty tree passes: {out}")
        copy_tree(source, root)
        code, out = run(root)
        if code != 0:
            bad.append(f"the tree as it is does not pass:\n{out}")
        for path, line, words in PLANTED:
            code, out = with_planted(root, (path, line))
            if code == 0 or words not in out:
                bad.append(f"not refused: {path}: {line}\n{out}")
        for files, words in CIRCLES:
            code, out = with_planted(root, *files)
            if code == 0 or words not in out:
                bad.append(f"not refused: {files}\n{out}")
        for path, line in HARMLESS:
            code, out = with_planted(root, (path, line))
            if code != 0:
                bad.append(f"refused: {path}: {line}\n{out}")
        for files in STRAIGHT:
            code, out = with_planted(root, *files)
            if code != 0:
                bad.append(f"refused: {files}\n{out}")
    for text in bad:
        print(text)
    print(f"layers.selftest: {len(PLANTED)} planted, {len(CIRCLES)} circles, "
          f"{len(HARMLESS) + len(STRAIGHT)} harmless, {len(bad)} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: selftest.py ROOT")
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
