#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_FOLDER SESSION_JSON: installs the npm packages of the lock file into the build folder
# and recomputes the vectors. 77, with the reason, where npm or its registry is not there.
set -eu

build=$1
vectors=$2
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=tests/peers/npm.sh
. "$here/../npm.sh"

cp "$here/session.mjs" "$here/check.mjs" "$work/"
exec node "$work/check.mjs" "$vectors"
