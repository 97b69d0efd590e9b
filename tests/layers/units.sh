#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# units.sh CMAKE BUILD_FOLDER: installs into an empty folder and asks systemd-analyze how far the
# system unit is open to the machine: below 2.0 of 10. It must also be able to fail: the same unit
# without its lines of protection does not pass. (That a unit is well-formed is install.sh's to ask.)
#
# A user's unit has no score worth a limit: most of what counts is for the system's manager alone.
set -euo pipefail

cmake=$1 build=$2
readonly limit=20 # tenths
command -v systemd-analyze >/dev/null || {
    echo "skipped: systemd-analyze is not installed"
    exit 77
}
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
"$cmake" --install "$build" --prefix "$prefix" >/dev/null
unit=$prefix/lib/systemd/system/petreld.service

# score UNIT: prints the last line of the report; whether it is within the limit.
score() {
    local status=0 report
    report=$(systemd-analyze security --offline=true --no-pager --threshold=$limit "$1") || status=$?
    tail -n 1 <<<"$report"
    return "$status"
}

score "$unit"
bare=$prefix/bare.service
sed '/^Protect\|^Private\|^Restrict\|^SystemCallFilter/d' "$unit" >"$bare"
if score "$bare"; then
    echo "a unit without protection passes too"
    exit 1
fi
echo "units: the score of 1 unit checked"
