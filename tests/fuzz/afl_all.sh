#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# afl_all.sh PROGRAM_FOLDER TARGET...: runs every fuzz target under AFL++, two at a time (the target
# afl-all of preset afl), and prints a line `target seconds executions edges` for each.
#
#   AFL_SECONDS    how long each runs (default 300)
#   PETREL_JOBS    how many at a time (default 2)
#
# A run starts from the checked-in corpus. What it finds, inputs that fail or hang, lies in
# PROGRAM_FOLDER/afl/TARGET/default/crashes and .../hangs afterwards, and makes this fail.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
programs=$1
shift
seconds=${AFL_SECONDS:-300}
unset AFL_SECONDS # not one of its own

# stat_of FOLDER NAME: a value of AFL's statistics.
stat_of() {
    sed -n "s/^$2 *: *//p" "$1/default/fuzzer_stats"
}

# fuzz TARGET
fuzz() {
    local target=$1 short=${1#fuzz_} out=$programs/afl/$1 found args=()
    rm -rf "$out"
    mkdir -p "$programs/afl"
    if [ -f "$source/$short.dict" ]; then
        args=(-x "$source/$short.dict")
    fi
    if ! afl-fuzz -V "$seconds" -i "$source/corpus/$short" -o "$out" -t 20000 "${args[@]}" \
        -- "$programs/$target" >"$out.log" 2>&1; then
        echo "$target: afl-fuzz failed, see $out.log" >&2
        tail -n 20 "$out.log" >&2
        return 1
    fi
    found=$(find "$out/default/crashes" "$out/default/hangs" -name 'id:*' | wc -l)
    if [ "$found" -gt 0 ]; then
        echo "$target: $found FINDINGS, see $out/default" >&2
        return 1
    fi
    if [ "$(stat_of "$out" execs_done)" -eq 0 ]; then
        echo "$target: no execution, see $out.log" >&2
        return 1
    fi
    echo "$target $seconds $(stat_of "$out" execs_done) $(stat_of "$out" edges_found)"
}

# AFL's own checks are about the machine, which is shared with others here; ASan looks for leaks in
# libFuzzer's runs.
export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
[ $# -gt 0 ] || exit 1

running=0 failed=0
for target in "$@"; do
    if [ "$running" -ge "${PETREL_JOBS:-2}" ]; then
        wait -n || failed=$((failed + 1))
        running=$((running - 1))
    fi
    fuzz "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=$((failed + 1))
    running=$((running - 1))
done
echo "afl-all: $# targets, $failed with findings"
[ "$failed" -eq 0 ]
