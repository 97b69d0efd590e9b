#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads every include and fails on an arrow that runs the wrong way.

usage: layers.py ROOT

The table below is docs/architecture.md, "The house". A new folder needs a line here. It also fails
on includes that go in a circle, where foo.h and foo.c count as one module, on a call that sans-I/O
code may not make (clock, disk, threads, randomness that was not handed in), and when it found
nothing to check.
"""
import pathlib
import re
import sys

ROOMS = ("base", "crypto", "link", "pair", "store", "relay", "dht", "content", "control", "node")
PROTO = tuple("proto/" + room for room in ROOMS)
SIBLING = ("proto/base", "proto/crypto", "proto/store")

# folder -> folders of ours that it may include from, beside itself.
MAY_USE = {
    "proto/base": (),
    "proto/crypto": ("proto/base",),
    "proto/store": ("proto/base", "proto/crypto"),
    "proto/link": SIBLING,
    "proto/pair": SIBLING,
    "proto/relay": SIBLING,
    "proto/dht": SIBLING,
    "proto/content": SIBLING,
    "proto/control": ("proto/base",),
    "proto/node": PROTO,
    "daemon": PROTO + ("daemon/io", "daemon/sandbox", "daemon/store"),
    "daemon/io": PROTO + ("daemon", "daemon/store"),
    "daemon/sandbox": ("proto/base", "daemon"),
    "daemon/store": ("proto/base", "proto/crypto", "proto/store"),
    "ctl": ("proto/base", "proto/control", "ctl/cmd"),
    "ctl/cmd": ("proto/base", "proto/control", "ctl"),
}

# Headers of the system and of libraries: folder -> what it may include. Longest prefix wins.
PURE_C = {"assert.h", "errno.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdatomic.h",
          "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h", "string.h"}
# stdio.h is there for snprintf; FORBIDDEN_CALLS keeps the rest of it out.
# What one folder may include beside its kind: the marks of the constant-time tests, and of memory that
# was taken back.
EXTRA = {("proto/crypto", "valgrind/memcheck.h"), ("proto/store", "sanitizer/asan_interface.h"),
         ("proto/dht", "sha1.h")}
PROTO_LIBRARIES = re.compile(r"^(sodium|sodium/.+|msgpack|msgpack/.+)\.h$")
TERMINAL = re.compile(r"^(readline/|ncurses|curses|qrencode|jansson|termios|langinfo|wchar|locale)")
HOST_ONLY = re.compile(r"^(uv|lmdb|ini|systemd/|seccomp|linux/|miniupnpc|natpmp)")

FORBIDDEN_CALLS = re.compile(
    r"\b("
    r"randombytes\w*|crypto_\w+_keygen|crypto_(?:box|sign|kx|kem)\w*?(?<!_seed)_keypair"
    r"|crypto_core_\w+_random|crypto_secretstream_\w+_init_push|crypto_pwhash\w*_str"
    r"|crypto_box_seal|rand|srand|random|srandom|drand48|getrandom|getentropy|arc4random\w*"
    r"|time|clock|clock_\w+|gettimeofday|localtime\w*|gmtime\w*|strftime|mktime|nanosleep|usleep|sleep"
    r"|pthread_\w+|mtx_\w+|thrd_\w+|cnd_\w+|sem_\w+"
    r"|fopen|fdopen|fread|fwrite|fclose|fprintf|printf|puts|fputs|putchar|fputc|fgets|getchar|perror"
    r"|remove|rename|tmpfile|open|openat|read|write|close|mmap|ioctl"
    r"|socket|connect|bind|listen|accept|send|recv|sendto|recvfrom|getaddrinfo"
    r"|getenv|setenv|system|popen|fork|execve|exit|_exit|atexit|signal|longjmp"
    r")\s*\(")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.M)
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments(text, strings):
    """text with comments (and strings, if asked) blanked; line numbers stay."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'" and not strings:
            return token
        return re.sub(r"[^\n]", " ", token)
    return COMMENT_OR_STRING.sub(blank, text)


def resolve(root, source, name):
    """The file of ours that an include names, or None: the same rule as the -I flags."""
    for base in (source.parent, root / "proto", root, root / "tests"):
        path = (base / name).resolve()
        if path.is_file() and path.is_relative_to(root):
            return path.relative_to(root)
    return None


def system_allowed(folder, name):
    if (folder, name) in EXTRA:
        return True
    if folder.startswith("proto/"):
        return name in PURE_C or PROTO_LIBRARIES.match(name) is not None
    if folder == "ctl" or folder.startswith("ctl/"):
        return HOST_ONLY.match(name) is None and not name.startswith("msgpack")
    return TERMINAL.match(name) is None


def is_defined_here(text, call):
    """Whether the word is a function of this project's own (static void send(...)), or a field."""
    return re.search(r"^(?:static\s+)?[\w\s*]+\b" + call + r"\s*\([^;{]*\)\s*\{", text, re.M)


def module(path):
    """foo.h and foo.c are one module."""
    return path.with_suffix("").as_posix()


def find_circle(graph):
    """Modules each of which includes the next, the last being the first again; or an empty list."""
    left = dict(graph)
    while True:
        lowest = [name for name, uses in left.items() if not uses & left.keys()]
        if not lowest:
            break
        for name in lowest:
            del left[name]
    if not left:
        return []
    path = [min(left)]
    while path[-1] not in path[:-1]:
        path.append(min(left[path[-1]] & left.keys()))
    return path[path.index(path[-1]):]


def check_includes(root, source, folder, text, graph, errors):
    """Adds the modules that source includes to the graph; gives the number of its includes."""
    count = 0
    this = source.relative_to(root)
    uses = graph.setdefault(module(this), set())
    for match in INCLUDE.finditer(without_comments(text, strings=False)):
        count += 1
        line = text.count("\n", 0, match.start()) + 1
        where = f"{this}:{line}"
        bracket, name = match.groups()
        ours = resolve(root, source, name) if bracket == '"' else None
        if bracket == '"' and ours is None:
            errors.append(f"{where}: {name} is not a file of this project (use <> for others)")
        elif ours is not None:
            if this.suffix != ".c" or ours != this.with_suffix(".h"):
                uses.add(module(ours))
            target = ours.parent.as_posix()
            if target != folder and target not in MAY_USE[folder]:
                errors.append(f"{where}: {folder} may not use {target} ({name})")
        elif not system_allowed(folder, name):
            errors.append(f"{where}: {folder} may not include <{name}>")
    return count


def check_calls(root, source, text, errors):
    code = without_comments(text, strings=True)
    for match in FORBIDDEN_CALLS.finditer(code):
        before = code[:match.start()].rstrip()
        if before.endswith(("->", ".", "(*")) or is_defined_here(code, match.group(1)):
            continue
        line = code.count("\n", 0, match.start()) + 1
        errors.append(f"{source.relative_to(root)}:{line}: {match.group(1)}() in sans-I/O code")


def main(root):
    errors = []
    graph = {}
    files = includes = 0
    for top in ("proto", "daemon", "ctl"):
        for source in sorted((root / top).rglob("*.[ch]")):
            folder = source.parent.relative_to(root).as_posix()
            if folder not in MAY_USE:
                errors.append(f"{folder}: no line in the table of tests/layers/layers.py")
                continue
            text = source.read_text(encoding="utf-8")
            files += 1
            includes += check_includes(root, source, folder, text, graph, errors)
            if top == "proto":
                check_calls(root, source, text, errors)
    circle = find_circle(graph)
    if circle:
        errors.append("includes go in a circle: " + " -> ".join(circle))
    for error in errors:
        print(error)
    print(f"layers: {files} files, {len(graph)} modules, {includes} includes checked, "
          f"{len(errors)} wrong")
    return 1 if errors or files == 0 or includes == 0 else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: layers.py ROOT")
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
