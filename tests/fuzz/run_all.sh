#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run_all.sh PROGRAM_FOLDER TARGET...: runs every libFuzzer target, two at a time (the target
# fuzz-all of preset fuzz), and prints a line `target seconds executions commit` for each.
#
#   FUZZ_SECONDS   how long each runs (default 600)
#   FUZZ_AGAIN=1   run also those whose result still stands
#   PETREL_JOBS    how many at a time (default 2)
#
# A result stands while the decoder's files are as they were: all that the target includes, one from
# another, each header with its source; or, where a target's first lines name them, just those:
# `decodes: proto/relay/item.c proto/base/pack.c`. Results are kept in tests/fuzz/RESULTS, which is
# checked in: target, seconds, executions, commit, hash of the files.
#
# A run starts from the checked-in corpus and from what earlier runs on this machine have found; an
# input that fails lies in PROGRAM_FOLDER/findings afterwards.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
programs=$1
shift
seconds=${FUZZ_SECONDS:-600}
ledger=$source/tests/fuzz/RESULTS
most_targets=20 # all of them are to run within the two hours of a long run, two at a time
cd "$source"

die() {
    echo "fuzz-all: $*" >&2
    exit 1
}

# included_by FILE: the files of proto/ that it includes.
included_by() {
    local name
    sed -n 's/^#include "\(.*\)"$/\1/p' "$1" | while read -r name; do
        if [ -f "proto/$name" ]; then
            echo "proto/$name"
        fi
    done
}

# decoder_files TARGET: the files that its result depends on, itself included.
decoder_files() {
    local words word queue=("tests/fuzz/$1.c")
    local -A seen=()
    words=$(sed -n '1,20s/^.*decodes:[[:space:]]*\(.*[^*/ ]\)[[:space:]]*\(\*\/\)\{0,1\}$/\1/p' \
        "tests/fuzz/$1.c")
    for word in $words; do
        [ -f "$word" ] || die "tests/fuzz/$1.c decodes $word, which does not exist"
        seen[$word]=1
        seen[${word%.c}.h]=1
    done
    while [ -z "$words" ] && [ "${#queue[@]}" -gt 0 ]; do
        word=${queue[0]}
        queue=("${queue[@]:1}")
        if [ -z "${seen[$word]:-}" ] && [ -f "$word" ]; then
            seen[$word]=1
            mapfile -t -O "${#queue[@]}" queue < <(included_by "$word")
            queue+=("${word%.h}.c")
        fi
    done
    seen[tests/fuzz/$1.c]=1
    for word in "${!seen[@]}"; do
        [ ! -f "$word" ] || echo "$word"
    done | LC_ALL=C sort
}

# decoder_hash TARGET
decoder_hash() {
    local files
    files=$(decoder_files "$1") || exit 1
    # shellcheck disable=SC2086 # file names of ours hold no spaces
    cat $files | sha256sum | cut -c1-16
}

# commit_of FILE...: HEAD, with a + when one of the files was not committed as it is.
commit_of() {
    local commit
    commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || commit=unknown
    git ls-files --error-unmatch -- "$@" >/dev/null 2>&1 &&
        git diff --quiet HEAD -- "$@" 2>/dev/null || commit=$commit+
    echo "$commit"
}

# stands TARGET HASH: prints the ledger's line if its result still counts.
stands() {
    [ -f "$ledger" ] && [ "${FUZZ_AGAIN:-0}" != 1 ] || return 1
    awk -v t="$1" -v h="$2" -v s="$seconds" \
        '$1 == t && $5 == h && $2 + 0 >= s + 0 { print; found = 1 } END { exit !found }' "$ledger"
}

# fuzz TARGET HASH: one run; its line goes to results/TARGET.
fuzz() {
    local target=$1 hash=$2 short=${1#fuzz_} log corpus runs files dict=()
    log=$programs/results/$target.log
    corpus=$programs/corpus/$short
    mkdir -p "$corpus" "$programs/findings"
    if [ -f "tests/fuzz/$short.dict" ]; then
        dict=("-dict=tests/fuzz/$short.dict")
    fi
    if ! "$programs/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="$programs/findings/$short-" "${dict[@]}" \
        "$corpus" "tests/fuzz/corpus/$short" >"$log" 2>&1; then
        echo "$target: FINDING, see $log and $programs/findings" >&2
        tail -n 40 "$log" >&2
        return 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ "${runs:-0}" -eq 0 ]; then
        echo "$target: no execution, see $log" >&2
        return 1
    fi
    mapfile -t files < <(decoder_files "$target")
    echo "$target $seconds $runs $(commit_of "${files[@]}") $hash" >"$programs/results/$target"
}

# record TARGET: puts the new line into the ledger.
record() {
    local fresh
    fresh=$(mktemp)
    {
        [ ! -f "$ledger" ] || awk -v t="$1" '$1 != t' "$ledger"
        cat "$programs/results/$1"
    } | LC_ALL=C sort >"$fresh"
    cat "$fresh" >"$ledger"
    rm -f "$fresh"
}

[ $# -gt 0 ] || die "no targets"
[ $# -le "$most_targets" ] || die "$# targets, and at most $most_targets are wanted"
mkdir -p "$programs/results"
rm -f "$programs"/results/*

declare -A hashes=() running=()
failed=0 fresh=0 kept=0

# reap: waits for one run and records it.
reap() {
    local pid status=0
    wait -n -p pid "${!running[@]}" || status=$?
    local target=${running[$pid]}
    unset "running[$pid]"
    if [ "$status" -eq 0 ]; then
        record "$target"
        cut -d' ' -f1-4 "$programs/results/$target"
        fresh=$((fresh + 1))
    else
        failed=$((failed + 1))
    fi
}

trap 'for pid in "${!running[@]}"; do kill "$pid" 2>/dev/null || true; done' EXIT
for target in "$@"; do
    hashes[$target]=$(decoder_hash "$target")
done
for target in "$@"; do
    if line=$(stands "$target" "${hashes[$target]}"); then
        echo "$(echo "$line" | cut -d' ' -f1-4) (stands)"
        kept=$((kept + 1))
        continue
    fi
    if [ "${#running[@]}" -ge "${PETREL_JOBS:-2}" ]; then
        reap
    fi
    fuzz "$target" "${hashes[$target]}" &
    running[$!]=$target
done
while [ "${#running[@]}" -gt 0 ]; do
    reap
done

echo "fuzz-all: $# targets, $fresh run, $kept stand, $failed with findings"
[ "$failed" -eq 0 ] && [ $((fresh + kept)) -eq $# ]
