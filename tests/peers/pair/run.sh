#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_FOLDER SESSION_JSON: installs the npm packages of the lock file into the build folder
# and recomputes the vectors. 77, with the reason, where npm or its registry is not there.
set -eu

build=$1
vectors=$2
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "skipped: node and npm are not installed"
    exit 77
fi

work=$build/node
mkdir -p "$work"
if ! cmp -s "$here/package-lock.json" "$work/installed-lock.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    if ! (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund \
            --fetch-retries=1 --fetch-retry-mintimeout=1000 >npm.log 2>&1); then
        tail -n 3 "$work/npm.log"
        # Only a registry that cannot be reached is a skip; anything else is a fault of ours.
        if grep -Eq 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH' \
            "$work/npm.log"; then
            echo "skipped: the npm registry cannot be reached"
            exit 77
        fi
        exit 1
    fi
    cp "$here/package-lock.json" "$work/installed-lock.json"
fi
cp "$here/session.mjs" "$here/check.mjs" "$work/"
exec node "$work/check.mjs" "$vectors"
