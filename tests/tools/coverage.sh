#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# coverage.sh SOURCE_FOLDER BUILD_FOLDER CTEST: runs unit tests, vectors, the harness and the
# corpora, and prints how many lines of proto/ they reach; below the wanted rate it fails.
set -euo pipefail

source=$1 build=$2 ctest=$3
wanted=85 # per cent of lines

command -v gcovr >/dev/null || {
    echo "gcovr is missing (package gcovr)" >&2
    exit 1
}
find "$build" -name '*.gcda' -delete
"$ctest" --test-dir "$build" -L '^(unit|vectors|sim|corpus)$' -j "${PETREL_JOBS:-2}" \
    --no-tests=error --output-on-failure
gcovr --root "$source" --filter "$source/proto/" --object-directory "$build" "$build" \
    --print-summary --fail-under-line "$wanted"
