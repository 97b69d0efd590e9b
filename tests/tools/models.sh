#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# models.sh FOLDER MODEL: runs Spin over FOLDER/MODEL.pml as FOLDER/MODEL.checks says, a line each:
#
#   safe PROPERTY [FLAG...]      the model has no run that breaks it, with these flags for spin
#   live PROPERTY [FLAG...]      the same for one of liveness,
#   fair PROPERTY [FLAG...]      and for one that needs weak fairness
#   broken PROPERTY FLAG...      with these flags it has one
#
# A search is exhaustive: one that was cut short, or left a line of the first safe model unreached,
# is an error. Works in a temporary folder. Ends with 77, a visible skip, where there is no spin.
set -euo pipefail

folder=$(cd "$1" && pwd -P) name=$2
model=$folder/$name.pml checks=$folder/$name.checks
readonly depth=20000 memory=1000 # steps, MiB
command -v spin >/dev/null || {
    echo "models.$name: skipped, spin is not installed (package spin)"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0 built=0 searched=0 live=" " fair=" "

# bad WORDS...: something is wrong, and the whole answer of spin, or of the search.
bad() {
    echo "$*"
    grep -v '^Depth=' "$work/out" | head -40
    wrong=$((wrong + 1))
}

# verifier OPTIMIZE FLAG...: $pan is the program for these flags. What is optimized takes longer to
# compile than a short search takes.
verifier() {
    local optimize=$1
    shift
    local key="$optimize $*"
    pan=$work/${key//[^A-Za-z0-9=]/_}
    if [ -e "$pan/pan" ]; then
        return
    fi
    mkdir -p "$pan"
    (cd "$pan" && spin "$@" -a "$model" && gcc "$optimize" -w -DMEMLIM="$memory" -DVECTORSZ=2048 -o pan pan.c) \
        >"$work/out" 2>&1 || {
        bad "spin or the compiler refused: $*"
        exit 1
    }
    if grep -q 'rror:' "$work/out"; then
        bad "spin complains: $*"
    fi
    built=$((built + 1))
}

# search PROPERTY OPTION...: runs it; $errors, $states.
search() {
    local property=$1
    shift
    (cd "$pan" && ./pan -m"$depth" "$@" -N "$property") >"$work/out" 2>&1 || true
    errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' "$work/out")
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/out")
    searched=$((searched + 1))
}

options_of() {
    case $live in
    *" $1 "*) echo "-a" ;;
    esac
    case $fair in
    *" $1 "*) echo "-a -f" ;;
    esac
}

# Whether the search just made has seen all there is, and found nothing.
holds() {
    [ "$errors" = 0 ] && [ "${states:-0}" != 0 ] &&
        ! grep -Eq 'max search depth too small|out of memory|reached -DMEMLIM|Search not completed' "$work/out"
}

# Lines of processes that no run reaches. That they never end is no news.
unreached() {
    awk '/^unreached in proctype/ { on = 1; next } /^unreached/ { on = 0 }
         on && /:[0-9]+, state/ && !/-end-/' "$work/out"
}

first=
while read -r kind property flags; do
    read -r -a flag <<<"$flags"
    options=()
    case $kind in
    '' | '#'*) continue ;;
    live) live="$live$property " ;;
    fair) fair="$fair$property " ;;
    esac
    read -r -a options <<<"$(options_of "$property")"
    if [ "$kind" = broken ]; then
        verifier -O0 "${flag[@]}"
        search "$property" "${options[@]}"
        [ "${errors:-0}" -gt 0 ] || bad "$property: nothing is found although $flags"
        echo "broken: $flags: $property fails, after ${states:-no} states"
        continue
    fi
    verifier -O1 "${flag[@]}"
    search "$property" "${options[@]}"
    holds || bad "$property: errors: ${errors:-?} $flags"
    if [ -z "$first" ]; then
        first=$property
        [ -z "$(unreached)" ] || bad "lines that nothing reaches: $(unreached)"
    fi
    echo "holds: $property${flags:+ ($flags)}: errors: ${errors:-?}, ${states:-no} states"
done <"$checks"
echo "models.$name: $built verifiers, $searched searches, $wrong wrong"
[ "$searched" -gt 0 ] && [ "$wrong" = 0 ]
