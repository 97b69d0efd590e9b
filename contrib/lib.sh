# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# lib.sh: what the scripts of this folder share: the repository's place, saying what happens, and
# packages. Sourced, never run. It sets `repo` and changes into it, so that a script works from any
# folder. Nothing here touches the system but apt, and apt only for packages that are missing.

set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$repo"

readonly exit_skip=77 # cannot run here, and nothing was tried

# Compilers, build tools, the libraries that petreld and petrelctl link, and what CMake looks for to
# configure the tests.
packages_build=(gcc libc6-dev cmake ninja-build pkg-config
    libsodium-dev libmsgpack-dev libmd-dev libuv1-dev liblmdb-dev libxxhash-dev libinih-dev libseccomp-dev
    libjansson-dev check libsubunit-dev python3 patch)
# What the tests of `quick` run: systemd for what systemd-analyze says of the units, spin for the
# models; iproute2, nftables and util-linux make networks of hosts for e2e.hosts; libtorrent has
# nodes of peers.dht.
packages_quick=(binutils clang-format shellcheck mandoc systemd spin iproute2 nftables util-linux
    python3-libtorrent microsocks)
# For the second implementations in tests/peers. A Node.js that was installed in another way, often
# one package with npm in it, is as good.
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    packages_quick+=(nodejs npm)
fi
# Sanitizer runtimes come with gcc; these are for `full`, `long` and `bench`.
packages_full=(valgrind libc6-dbg gcovr clang clang-tidy cppcheck)
packages_long=(clang libclang-rt-14-dev afl++)
packages_bench=(redis-server libhiredis-dev libolm-dev libsignal-protocol-c-dev libtoxcore-dev)
# The demo reads the daemons' JSON with jq.
packages_demo=(jq)

# say WORDS...: one line that tells the reader what comes next.
say() {
    printf '== %s\n' "$*"
}

# die WORDS...: ends the script with 1.
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# packages_missing PACKAGE...: prints those that are not installed, one a line.
packages_missing() {
    local package status
    for package in "$@"; do
        status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=
        if [ "$status" != installed ]; then
            printf '%s\n' "$package"
        fi
    done
}

# as_root COMMAND...: runs it as root, directly or through sudo. sudo may ask for a password only
# where somebody can type one.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo -- "$@"
    else
        sudo -n -- "$@"
    fi
}

may_be_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null || return 1
    [ -t 0 ] || sudo -n true 2>/dev/null
}

# packages_install PACKAGE...: installs what is missing; without root or sudo it prints the line
# that would, and ends with 77.
packages_install() {
    local missing
    command -v dpkg-query >/dev/null || {
        printf 'This is no Debian: install the equivalents of: %s\n' "$*" >&2
        return 0
    }
    mapfile -t missing < <(packages_missing "$@")
    if [ "${#missing[@]}" -eq 0 ]; then
        say "packages: all $# are installed"
        return 0
    fi
    if ! may_be_root; then
        printf 'Packages are missing, and this is neither root nor sudo. Run, as root:\n' >&2
        printf '    apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
        exit "$exit_skip"
    fi
    say "packages: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get -q update </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends install "${missing[@]}" </dev/null
}

# build PRESET [TARGET...]: configures and builds build/PRESET; without targets, everything.
build() {
    local preset=$1 log
    shift
    log=$repo/build/$preset.configure.log
    say "build: preset $preset, in build/$preset"
    mkdir -p "$repo/build"
    cmake --preset "$preset" >"$log" 2>&1 || {
        cat "$log"
        return 1
    }
    cmake --build --preset "$preset" --parallel "${PETREL_JOBS:-2}" ${1:+--target "$@"}
}
