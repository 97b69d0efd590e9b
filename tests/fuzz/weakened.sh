#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# weakened.sh PATCH PROGRAM [PATCH PROGRAM]...: fuzz_crowd on broken variants of the core (the target
# fuzz-weakened of preset fuzz): each has to be found, from the checked-in corpus alone, by the
# checker that its patch names. Prints how long each took.
#
#   FUZZ_SECONDS   how long each may take (default 600)
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
seconds=${FUZZ_SECONDS:-600}
found=0 total=0

while [ $# -ge 2 ]; do
    checker=$(sed -n 's/^Checker: //p' "$1")
    name=$(basename "$1" .patch)
    folder=$(mktemp -d)
    begun=$SECONDS
    total=$((total + 1))
    if "$2" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=321 -len_control=0 \
        -artifact_prefix="$folder/" "$folder" "$source/corpus/crowd" >"$folder.log" 2>&1; then
        echo "$name: not found in $seconds s"
    elif grep -q "^FOUND $checker:" "$folder.log"; then
        found=$((found + 1))
        runs=$(sed -n 's/^#\([0-9]*\).*/\1/p' "$folder.log" | tail -n 1)
        echo "$name: found by $checker after $((SECONDS - begun)) s, about $runs runs"
    else
        echo "$name: failed otherwise than by $checker:"
        grep -E '^FOUND|ERROR|runtime error' "$folder.log" || tail -n 5 "$folder.log"
    fi
    rm -rf "$folder" "$folder.log"
    shift 2
done
echo "fuzz-weakened: $found of $total found"
[ "$total" -gt 0 ] && [ "$found" -eq "$total" ]
