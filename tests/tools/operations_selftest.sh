#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# operations.py finds what is wrong. usage: operations_selftest.sh BIN SOURCE
# Backquotes below are those of the text, not commands.
# shellcheck disable=SC2016
set -u
bin=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tried=0 wrong=0

bad() {
    echo "$1"
    cat "$work/out"
    wrong=$((wrong + 1))
}

# must CODE WHAT SED [LINE]: the check of the changed text ends with this code, and says LINE.
must() {
    sed "$3" "$source/docs/operations.md" >"$work/text.md"
    python3 "$source/tests/tools/operations.py" "$bin" "$source" "$work/text.md" >"$work/out" 2>&1
    local code=$?
    tried=$((tried + 1))
    if [ "$1" != 0 ] && cmp -s "$work/text.md" "$source/docs/operations.md"; then
        bad "$2: the text was not changed"
    elif [ $code != "$1" ]; then
        bad "$2: exit code $code, wanted is $1"
    elif ! grep -q -- "${4:-}" "$work/out"; then
        bad "$2: does not say $4"
    fi
}

must 0 "as it is" ""
must 1 "another command" 's/petrelctl doctor/petrelctl physician/' '^command: '
must 1 "another option of petrelctl" 's/--no-follow/--unfollow/' '^option: --unfollow'
must 1 "an option of another command" 's/relay invite --days/relay invite --mib/' '^option: --mib'
must 1 "another option of petreld" 's/petreld --check`/petreld --examine`/' '^option: '
must 1 "another option alone" 's/With `--second`/With `--third`/' '^option: --third'
must 1 "another key" 's/^| `relay\.address`/| `relay.adress`/' '^key: relay.adress'
must 1 "another default" 's/^\(| `sandbox` |\) on |/\1 off |/' '^key: sandbox'
must 1 "another word for SIGHUP" 's/^\(| `sandbox` | on |\) no |/\1 yes |/' '^key: sandbox'
must 1 "a key less" '/^| `listen` |/d' '^key: listen is not in the table'
must 1 "a configuration that is none" 's/^relay = yes/relay = maybe/' '^configuration: '
must 1 "another value in the text" 's/`relay.registration = open`/`relay.registration = all`/' \
    '^configuration: '
must 1 "another error" 's/home-locked/home-lockt/' 'home-lockt'
must 1 "another error of one word" 's/^| `corrupt`/| `korrupt`/' 'korrupt'
must 1 "another event" 's/`invite\.misused`/`invite.misuse`/' 'invite.misuse$'
must 1 "another event in a program" 's/^invite\.misused/invite.misuse/' '^event: invite.misuse$'
must 1 "another finding" 's/finding `clock`/finding `watch`/' '^finding: watch'
must 1 "another log line" 's/^| `needs a restart`/| `wants a restart`/' '^log line: wants'
must 1 "a package less" 's/ liblmdb-dev / /' '^packages: '
must 1 "another section" 's/chapter 8, 8\.11/chapter 8, 8.99/' '^chapter: 8, 8.99'
must 1 "another file" 's/](bench\.md)/](bank.md)/' '^link: bank.md'
must 1 "another place in a file" 's/#1-own-relay/#1-our-relay/' '^link: threat-model.md#1-our'
must 1 "nothing at all" 'd' '^command: none was found'
echo "$tried texts, $wrong wrong"
[ $wrong = 0 ]
