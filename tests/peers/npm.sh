# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# npm.sh, sourced with $here (folder with package.json and its lock file) and $build set: installs
# the npm packages of the lock file into $work, under the build folder. Exits with 77, and the
# reason, where npm or its registry is not there.

: "${here:?} ${build:?}"

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
