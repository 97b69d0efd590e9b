#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh SCRIPT CLI BUILD_FOLDER: lets nodes of several kinds share a DHT. exchange.py wants the npm
# packages of the lock file, which are installed into the build folder. 77, with the reason, where
# npm, its registry or libtorrent is not there.
set -eu

script=$1
cli=$2
build=$3
here=$(cd "$(dirname "$0")" && pwd)

# Debian's binding is for Debian's Python.
python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import libtorrent' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "skipped: python3-libtorrent is not installed"
    exit 77
fi

export PYTHONDONTWRITEBYTECODE=1
if [ "$script" != exchange.py ]; then
    exec "$python" "$here/$script" "$cli"
fi

# shellcheck source=tests/peers/npm.sh
. "$here/../npm.sh"

cp "$here/peer.mjs" "$work/"
exec "$python" "$here/exchange.py" "$cli" "$work"
