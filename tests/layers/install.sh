#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# install.sh CMAKE BUILD_FOLDER SOURCE_FOLDER: installs into an empty folder and looks whether
# everything landed where it belongs.
set -euo pipefail

cmake=$1 build=$2 source=$3
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
files=0 wrong=0

bad() {
    echo "$*"
    wrong=$((wrong + 1))
}

# landed PATH MODE
landed() {
    files=$((files + 1))
    if [ ! -f "$prefix/$1" ]; then
        bad "missing: $1"
    elif [ "$(stat -c %a "$prefix/$1")" != "$2" ]; then
        bad "$1 has mode $(stat -c %a "$prefix/$1"), not $2"
    fi
}

"$cmake" --install "$build" --prefix "$prefix" >/dev/null

for program in petreld petrelctl; do
    if [ -x "$build/$program" ]; then
        landed "bin/$program" 755
        "$prefix/bin/$program" --version >/dev/null || bad "$program --version fails"
    fi
done
for page in "$source"/docs/man/*.[158]; do
    if [ -f "$page" ]; then
        landed "share/man/man${page##*.}/${page##*/}" 644
    fi
done
landed share/bash-completion/completions/petrelctl 644
landed share/zsh/site-functions/_petrelctl 644
for kind in system user; do
    landed "lib/systemd/$kind/petreld.service" 644
    unit=$prefix/lib/systemd/$kind/petreld.service
    grep -q "^ExecStart=$prefix/bin/petreld" "$unit" || bad "$kind unit starts another petreld"
    ! grep -n '@[A-Z_]*@' "$unit" || bad "$kind unit holds a placeholder"
    if [ -x "$prefix/bin/petreld" ] && command -v systemd-analyze >/dev/null; then
        XDG_RUNTIME_DIR=$prefix systemd-analyze verify --man=no "--$kind" "$unit" ||
            bad "$kind unit does not verify"
    fi
done

echo "install: $files files checked, $wrong wrong"
[ "$files" -gt 0 ] && [ "$wrong" -eq 0 ]
