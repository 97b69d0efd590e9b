#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh PETRELD PETRELCTL BUILD_FOLDER: installs the npm packages of the lock file into the build
# folder and lets two people meet. 77, with the reason, where npm or its registry is not there.
set -eu

petreld=$1
petrelctl=$2
build=$3
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=tests/peers/npm.sh
. "$here/../npm.sh"

cp "$here/people.mjs" "$work/"
exec node "$work/people.mjs" "$petreld" "$petrelctl"
