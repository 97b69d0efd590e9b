#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program under the system calls of a unit's SystemCallFilter=, as systemd would.

usage: unit_filter.py UNIT PROGRAM ARGUMENT...

systemd-analyze says what the groups hold, libseccomp makes the filter."""
import ctypes
import errno
import functools
import os
import subprocess
import sys

SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_FLTATR_CTL_NNP = 0x7FFF0000, 0x00050000, 3


@functools.lru_cache
def members(name):
    """The calls of a group, and of the groups in it."""
    if not name.startswith("@"):
        return frozenset([name])
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], check=True,
                          capture_output=True, text=True).stdout
    words = [line.strip() for line in text.splitlines()[1:]]
    return frozenset().union(*(members(w) for w in words if w and not w.startswith("#")))


def allowed(unit):
    """Lines in their order: names are added, with ~ taken away; @default is always there."""
    calls = set(members("@default"))
    with open(unit, encoding="ascii") as lines:
        for line in lines:
            key, _, value = line.strip().partition("=")
            if key == "SystemCallFilter":
                names = set().union(*(members(n) for n in value.lstrip("~").split()))
                calls = calls - names if value.startswith("~") else calls | names
    return calls


def load(calls):
    lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(SCMP_ACT_ERRNO | errno.EPERM))
    for name in sorted(calls):
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            rc = lib.seccomp_rule_add(context, SCMP_ACT_ALLOW, number, 0)
            if rc != 0:
                raise OSError(-rc, name)
    lib.seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 1)
    rc = lib.seccomp_load(context)
    if rc != 0:
        raise OSError(-rc, "seccomp_load")


def main(unit, *command):
    load(allowed(unit))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
