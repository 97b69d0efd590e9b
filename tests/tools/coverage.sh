#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# coverage.sh SOURCE_FOLDER BUILD_FOLDER CTEST: runs unit tests, vectors, the harness and the
# corpora (not the long ones), and prints how many lines they reach of each file and each folder of
# proto/; below the wanted rate of the whole it fails.
set -euo pipefail

source=$1 build=$2 ctest=$3
wanted=90 # per cent of lines

command -v gcovr >/dev/null || {
    echo "gcovr is missing (package gcovr)" >&2
    exit 1
}
find "$build" -name '*.gcda' -delete
"$ctest" --test-dir "$build" -L '^(unit|vectors|sim|corpus)$' -LE '^long$' \
    -j "${PETREL_JOBS:-2}" --no-tests=error --output-on-failure
gcovr --root "$source" --filter "$source/proto/" --object-directory "$build" "$build" \
    --csv "$build/coverage.csv" --txt - --print-summary --fail-under-line "$wanted" || status=$?
# Columns: filename, line_total, line_covered, ...
awk -F, 'NR > 1 { split($1, part, "/"); folder = part[1] "/" part[2]
                  total[folder] += $2; covered[folder] += $3 }
         END { for (folder in total) { printf "%-16s %5.1f %% of %d lines\n", folder,
                                              100 * covered[folder] / total[folder], total[folder] } }' \
    "$build/coverage.csv" | LC_ALL=C sort
exit "${status:-0}"
