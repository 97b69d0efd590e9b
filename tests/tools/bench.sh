#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# bench.sh BUILD_FOLDER PROGRAM...: runs the bench programs one after another (the target bench).
#
# Each program prints lines `name: value unit` and may say more in lines that begin with #. It works
# in PETREL_BENCH_DIR, an empty folder inside the build folder, so that what is measured is a real
# disk: a file system in memory is refused.
set -euo pipefail

build=$1
shift
scratch=$build/bench
limit_s=1200 # for all together
lines=0 failed=()

rm -rf "$scratch"
mkdir -p "$scratch"
kind=$(stat -f -c %T "$scratch")
echo "# file system of $scratch: $kind"
case $kind in
tmpfs | ramfs)
    echo "$kind is no disk: nothing durable can be measured here" >&2
    exit 1
    ;;
esac
echo "# processors: $(nproc), load: $(cut -d' ' -f1-3 /proc/loadavg)"

deadline=$((SECONDS + limit_s))
for program in "$@"; do
    name=${program##*/}
    case $program in
    missing:*)
        echo "# ${program#missing:}: not built: a library that it compares with is missing" >&2
        failed+=("${program#missing:}")
        continue
        ;;
    esac
    left=$((deadline - SECONDS))
    if [ "$left" -le 0 ]; then
        echo "# $name: no time left" >&2
        failed+=("$name")
        continue
    fi
    echo "# $name"
    mkdir "$scratch/$name"
    if ! PETREL_BENCH_DIR=$scratch/$name timeout "$left" "$program" | tee "$scratch/$name.out"; then
        failed+=("$name")
    fi
    count=$(grep -Ec '^[a-z0-9_]+: [0-9.]+( .+)?$' "$scratch/$name.out" || true)
    if [ "$count" -eq 0 ]; then
        echo "# $name printed no value" >&2
        failed+=("$name")
    fi
    lines=$((lines + count))
    rm -rf "${scratch:?}/$name"
done

echo "# bench: $# programs, $lines values, ${#failed[@]} failures ${failed[*]}"
[ "$lines" -gt 0 ] && [ "${#failed[@]}" -eq 0 ]
