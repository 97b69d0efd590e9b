#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test.sh [quick|full|long|bench]: installs what is missing, builds, and runs the tests.
#
#   quick  presets dev and asan, every test that has the label quick (what CI runs; the default)
#   full   preset tsan, everything of quick under valgrind, lint, coverage of proto/
#   long   fuzzing of every decoder whose files changed, AFL++ on all of them, the long kill tests
#   bench  preset release, target bench
#
# The first three end with CTest's summary. The exit code is 0 only if everything passed. PETREL_VECTORS, the
# folder with the conformance vectors of others, is handed on (tests/vectors/SOURCES says where to
# get them); PETREL_JOBS is how many compilers run at a time (default 2), and one more test.

# shellcheck source=contrib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

jobs=${PETREL_JOBS:-2}
failed=()

# step NAME COMMAND...: runs it; a failure is noted and told at the end, and the rest still runs.
step() {
    local name=$1
    shift
    if ! "$@"; then
        failed+=("$name")
        printf '== FAILED: %s\n' "$name" >&2
        return 1
    fi
}

# run_tests PRESET LABEL
run_tests() {
    say "tests: preset $1, label $2"
    # One more than compilers: some tests wait for a minute or more.
    ctest --preset "$1" -L "^$2\$" -j "$((jobs + 1))" --no-tests=error
}

# build_and_test LABEL PRESET...: builds all of them first, so that the tests' words come last.
build_and_test() {
    local label=$1 preset built=()
    shift
    for preset in "$@"; do
        if step "build $preset" build "$preset"; then
            built+=("$preset")
        fi
    done
    for preset in "${built[@]}"; do
        step "tests of $preset" run_tests "$preset" "$label" || true
    done
}

quick() {
    packages_install "${packages_build[@]}" "${packages_quick[@]}"
    build_and_test quick dev asan
}

full() {
    packages_install "${packages_build[@]}" "${packages_quick[@]}" "${packages_full[@]}"
    if step "build dev" build dev; then
        say "lint: clang-tidy and cppcheck"
        step lint cmake --build --preset dev --target lint || true
    fi
    if step "build coverage" build coverage; then
        say "coverage: line rate of proto/"
        step coverage cmake --build --preset coverage --target coverage || true
    fi
    build_and_test quick tsan
    step "tests under valgrind" run_tests dev full || true
}

long() {
    packages_install "${packages_build[@]}" "${packages_quick[@]}" "${packages_long[@]}"
    if step "build fuzz" build fuzz; then
        step fuzzing cmake --build --preset fuzz --target fuzz-all || true
        step "weakened cores" cmake --build --preset fuzz --target fuzz-weakened || true
    fi
    if cmake --preset afl >/dev/null; then
        step "fuzzing with AFL++" cmake --build --preset afl --target afl-all || true
    else
        failed+=("configure afl")
    fi
    build_and_test long dev asan tsan
}

bench() {
    packages_install "${packages_build[@]}" "${packages_quick[@]}" "${packages_bench[@]}"
    if step "build release" build release; then
        say "bench: at most 15 minutes"
        step bench cmake --build --preset release --target bench || true
    fi
}

main() {
    local what=${1:-quick}
    if [ -n "${PETREL_VECTORS:-}" ]; then
        say "vectors: $PETREL_VECTORS"
    else
        say "vectors: PETREL_VECTORS is not set; the tests that need it are skipped"
    fi
    case $what in
    quick | full | long | bench) "$what" ;;
    *)
        printf 'usage: %s [quick|full|long|bench]\n' "${0##*/}" >&2
        exit 2
        ;;
    esac
    if [ "${#failed[@]}" -gt 0 ]; then
        printf '== FAILED:' >&2
        printf ' %s;' "${failed[@]}" >&2
        printf '\n' >&2
        exit 1
    fi
}

main "$@"
