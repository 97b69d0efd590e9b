#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tree.sh CHECK ROOT [ARGUMENT...]: checks of every file of the tree; each prints how many it
# looked at and fails at none.
#
#   headers ROOT CC [FLAG...]   every header compiles alone, and twice in a row
#   format ROOT                 clang-format 14 would change nothing (77: it is not installed)
#   spdx ROOT                   every source has its licence line among the first three
#   scripts ROOT                shellcheck has nothing to say (77: it is not installed)
#   man ROOT                    mandoc has nothing to say (77: it is not installed)
set -euo pipefail

# sources NAME_PATTERN...: files of ours, one a line, without builds and fetched packages.
sources() {
    local names=() pattern
    for pattern in "$@"; do
        names+=(-o -name "$pattern")
    done
    find . \( -path ./build -o -path ./.git -o -name node_modules -o -name __pycache__ \) -prune \
        -o -type f \( "${names[@]:1}" \) -print | LC_ALL=C sort
}

# needs TOOL: ends with a visible skip where it is missing.
needs() {
    command -v "$1" >/dev/null || {
        echo "skipped: $1 is not installed"
        exit 77
    }
}

# verdict COUNT WRONG WHAT
verdict() {
    echo "$3: $1 files checked, $2 wrong"
    [ "$1" -gt 0 ] && [ "$2" -eq 0 ]
}

headers() {
    local files file wrong=0
    mapfile -t files < <(sources '*.h' | sed 's|^\./||' | grep -E '^(proto|daemon|ctl|tests)/')
    for file in "${files[@]}"; do
        printf '#include "%s"\n#include "%s"\nextern int not_empty;\n' "$file" "$file" |
            "$@" -std=c17 -D_GNU_SOURCE -DPETREL_VERSION='"0"' -Wall -Wextra -Wpedantic -Werror \
                -I. -Iproto -Itests -fsyntax-only -x c - || wrong=$((wrong + 1))
    done
    verdict "${#files[@]}" "$wrong" headers
}

format() {
    needs clang-format
    clang-format --version | grep -q 'version 14\.' || {
        echo "skipped: the tree is formatted with clang-format 14, here is $(clang-format --version)"
        exit 77
    }
    local files wrong=0
    mapfile -t files < <(sources '*.c' '*.h')
    clang-format --dry-run -Werror "${files[@]}" || wrong=1
    verdict "${#files[@]}" "$wrong" format
}

spdx() {
    local files file wrong=0
    mapfile -t files < <(sources '*.c' '*.h' '*.py' '*.sh' '*.bash' '*.js' '*.mjs' '*.cmake' \
        CMakeLists.txt '*.service' '*.service.in' run)
    for file in "${files[@]}"; do
        head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2\.0' || {
            echo "$file: no SPDX-License-Identifier: Apache-2.0 in its first three lines"
            wrong=$((wrong + 1))
        }
    done
    verdict "${#files[@]}" "$wrong" spdx
}

scripts() {
    needs shellcheck
    local files wrong=0
    mapfile -t files < <(sources '*.sh' '*.bash' run)
    shellcheck -x "${files[@]}" || wrong=1
    verdict "${#files[@]}" "$wrong" scripts
}

man() {
    needs mandoc
    local files wrong=0
    mapfile -t files < <(sources '*.[1-8]' | grep '/docs/man/')
    if [ "${#files[@]}" -gt 0 ]; then
        mandoc -T lint -W warning "${files[@]}" || wrong=1
    fi
    verdict "${#files[@]}" "$wrong" man
}

check=$1
cd "$2"
shift 2
case $check in
headers | format | spdx | scripts | man) "$check" "$@" ;;
*)
    echo "unknown check: $check" >&2
    exit 2
    ;;
esac
