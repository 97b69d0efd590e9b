#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# lint.sh SOURCE_FOLDER BUILD_FOLDER: clang-tidy (.clang-tidy) and cppcheck over every source of
# proto/, daemon/ and ctl/. Prints how many files each checked, and fails at none.
set -euo pipefail

source=$1 build=$2
cd "$source"
status=0

for tool in clang-tidy cppcheck; do
    command -v "$tool" >/dev/null || {
        echo "$tool is missing (package $tool)" >&2
        exit 1
    }
done
mapfile -t files < <(find proto daemon ctl -name '*.c' 2>/dev/null | LC_ALL=C sort)
count=${#files[@]}

printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "${PETREL_JOBS:-2}" clang-tidy --quiet -p "$build" || status=1
echo "clang-tidy: $count files checked"

cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
    --error-exitcode=1 --suppress=missingIncludeSystem --library=posix -j "${PETREL_JOBS:-2}" \
    -D_GNU_SOURCE -DPETREL_VERSION='"0"' -I . -I proto "${files[@]}" || status=1
echo "cppcheck: $count files checked"

[ "$count" -gt 0 ] && [ "$status" -eq 0 ]
