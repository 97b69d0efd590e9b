#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# hardening.sh PROGRAM: reads from the binary what the release flags promise.
set -euo pipefail

program=$1
wrong=0

# has WHAT PATTERN READELF_OPTION...
has() {
    local what=$1 pattern=$2
    shift 2
    if grep -Eq "$pattern" <<<"$(readelf -W "$@" "$program")"; then
        echo "$what: yes"
    else
        echo "$what: NO"
        wrong=$((wrong + 1))
    fi
}

has 'position independent' 'FLAGS_1.*PIE' -d
has 'read-only relocations' 'GNU_RELRO' -l
has 'bound at start' 'BIND_NOW|FLAGS.*NOW' -d
has 'stack not executable' 'GNU_STACK.* RW ' -l
has 'stack protector' '__stack_chk_fail' -s
has 'fortified libc calls' '_chk@GLIBC' -s
exit $((wrong > 0))
