#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# long.sh PETREL_SIM: the long runs of the simulator (target sim-long): many fresh seeds with
# everything on, weeks, a large crowd, and the two runs whose speed has a limit. Each prints its last
# lines; the exit code is 0 only if nothing failed and the limits hold.
#
#   SIM_SEEDS   fresh seeds of 10 nodes and 1 hour (default 1000)
#   SIM_FROM    the first of them (default: from the clock)
#   SIM_PARTS   which parts to run (default: all, "seeds weeks crowd real sim")
set -euo pipefail

program=$1
seeds=${SIM_SEEDS:-1000}
parts=${SIM_PARTS:-seeds weeks crowd real sim}
most_seconds=600
failed=()

# part NAME MESSAGES OPTION...: one run; MESSAGES: at least so many within ten minutes; 0: no limit.
part() {
    local name=$1 wanted=$2 begun=$SECONDS out took came
    shift 2
    [[ " $parts " == *" $name "* ]] || return 0
    printf '== %s: petrel-sim %s\n' "$name" "$*"
    if out=$("$program" "$@"); then
        tail -n 18 <<<"$out"
    else
        printf '%s\n' "$out"
        failed+=("$name")
    fi
    took=$((SECONDS - begun))
    printf '%s: %u s\n' "$name" "$took"
    came=$(sed -n 's/^messages: .* refused, \([0-9]*\) came, .*/\1/p' <<<"$out")
    if [ "$wanted" -gt 0 ] && { [ "${came:-0}" -lt "$wanted" ] || [ "$took" -gt "$most_seconds" ]; }; then
        printf '%s: %s messages in %u s, and %u within %u s are wanted\n' "$name" "${came:-no}" \
            "$took" "$wanted" "$most_seconds" >&2
        failed+=("$name")
    fi
}

# Tables of a gigabyte and more: with large pages the processor finds its way in them.
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1

part real 150000 --seed 1 --nodes 10 --hours 17 --profile calm --rate say=1000000
part sim 1000000 --seed 1 --nodes 1000 --hours 1 --profile calm --rate say=1120000 --look 60 --crypto sim
part seeds 0 --seeds "$seeds" ${SIM_FROM:+--seed "$SIM_FROM"} --hours 1
part weeks 0 --seeds 4 --profile sleepy --nodes 20 --hours 1500 --look 600 --crypto sim
part crowd 0 --seeds 2 --nodes 200 --hours 12 --crypto sim

if [ "${#failed[@]}" -gt 0 ]; then
    printf 'sim-long: failed: %s\n' "${failed[*]}" >&2
    exit 1
fi
