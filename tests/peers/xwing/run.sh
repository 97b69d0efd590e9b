#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh CLI BUILD_FOLDER VECTORS [--write]: installs the npm packages of the lock file into the
# build folder and runs the exchange. 77, with the reason, where npm or its registry is not there.
set -eu

cli=$1
build=$2
vectors=$3
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=tests/peers/npm.sh
. "$here/../npm.sh"

cp "$here/hpke.mjs" "$here/exchange.mjs" "$work/"
exec node "$work/exchange.mjs" "$cli" "$vectors" ${4:+"$4"}
