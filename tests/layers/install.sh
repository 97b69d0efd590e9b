#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# install.sh CMAKE BUILD_FOLDER SOURCE_FOLDER: installs into .local of an empty folder and looks
# whether everything landed where it belongs, and where systemd looks for units of whoever has that
# folder as a home.
set -euo pipefail

cmake=$1 build=$2 source=$3
home=$(mktemp -d)
prefix=$home/.local
trap 'rm -rf "$home"' EXIT
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
# looks_in KIND FOLDER: whether systemd does.
looks_in() {
    env -u XDG_DATA_HOME -u XDG_DATA_DIRS HOME="$home" systemd-analyze "--$1" unit-paths |
        grep -qxF "$2" || bad "systemd does not look for $1 units in $2"
}

for place in lib/systemd/system share/systemd/user; do
    kind=${place##*/}
    landed "$place/petreld.service" 644
    unit=$prefix/$place/petreld.service
    grep -q "^ExecStart=$prefix/bin/petreld" "$unit" || bad "$kind unit starts another petreld"
    ! grep -n '@[A-Z_]*@' "$unit" || bad "$kind unit holds a placeholder"
    if [ -x "$prefix/bin/petreld" ] && command -v systemd-analyze >/dev/null; then
        XDG_RUNTIME_DIR=$prefix systemd-analyze verify --man=no "--$kind" "$unit" ||
            bad "$kind unit does not verify"
    fi
    if command -v systemd-analyze >/dev/null; then
        looks_in "$kind" "/usr/local/$place"
        [ "$kind" = system ] || looks_in "$kind" "$prefix/$place"
    fi
done

echo "install: $files files checked, $wrong wrong"
[ "$files" -gt 0 ] && [ "$wrong" -eq 0 ]
