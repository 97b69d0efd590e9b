#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# operations.py finds what is wrong. usage: operations_selftest.sh BIN SOURCE
set -u
bin=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tried=0 wrong=0

# must CODE WHAT SED: the check of the changed text ends with this code.
must() {
    sed "$3" "$source/docs/operations.md" >"$work/text.md"
    python3 "$source/tests/tools/operations.py" "$bin" "$source" "$work/text.md" >"$work/out" 2>&1
    local code=$?
    tried=$((tried + 1))
    if [ $code != "$1" ]; then
        echo "$2: exit code $code, wanted is $1"
        cat "$work/out"
        wrong=$((wrong + 1))
    fi
}

must 0 "as it is" ""
must 1 "another command" 's/petrelctl doctor/petrelctl physician/'
must 1 "another key" 's/relay\.address\(.\) |/relay.adress\1 |/'
must 1 "another default" 's/^\(| .sandbox. |\) on |/\1 off |/'
must 1 "a key less" '/^| .listen. |/d'
must 1 "another error" 's/home-locked/home-lockt/'
must 1 "another event" 's/invite\.misused/invite.misuse/'
must 1 "nothing at all" 'd'
echo "$tried texts, $wrong wrong"
[ $wrong = 0 ]
