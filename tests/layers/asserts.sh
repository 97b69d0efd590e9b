#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# asserts.sh CMAKE SOURCE_FOLDER BUILD_FOLDER CC: assertions stay on in every build type. Reads the
# compile commands of this build and of each optimised type, configured afresh; and tries that our
# sources refuse to be compiled without assertions. Prints how many commands it read; fails at none.
set -euo pipefail

cmake=$1 source=$2 build=$3 cc=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0

# look NAME FOLDER
look() {
    local commands=$2/compile_commands.json count
    count=$(grep -c '"command":' "$commands") || count=0
    if [ "$count" -eq 0 ] || grep -q -e '-D *NDEBUG' "$commands"; then
        echo "$1: NDEBUG is defined, or there are no commands" >&2
        wrong=1
    fi
    echo "asserts: $1: $count compile commands checked"
}

look "this build" "$build"
for type in Release RelWithDebInfo MinSizeRel; do
    "$cmake" -S "$source" -B "$work/$type" -G Ninja -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_BUILD_TYPE="$type" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DPETREL_TESTS=OFF \
        >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
    look "$type" "$work/$type"
done

echo '#include "base/err.h"' >"$work/one.c"
"$cc" -std=c17 -I "$source/proto" -c -o "$work/one.o" "$work/one.c"
if "$cc" -std=c17 -DNDEBUG -I "$source/proto" -c -o "$work/one.o" "$work/one.c" 2>/dev/null; then
    echo "base/err.h compiles with NDEBUG" >&2
    wrong=1
fi
exit "$wrong"
