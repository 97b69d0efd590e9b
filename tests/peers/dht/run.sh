#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh CLI BUILD_FOLDER: installs the npm packages of the lock file into the build folder and lets
# nodes of three kinds share a DHT. 77, with the reason, where npm, its registry or libtorrent is not
# there.
set -eu

cli=$1
build=$2
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

# shellcheck source=tests/peers/npm.sh
. "$here/../npm.sh"

cp "$here/peer.mjs" "$work/"
exec "$python" "$here/exchange.py" "$cli" "$work/peer.mjs" "$here/torrent.py"
