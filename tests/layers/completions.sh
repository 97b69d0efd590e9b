#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# completions.sh PETRELCTL SOURCE_FOLDER: asks the bash completion what it offers and compares that
# with the commands and options that petrelctl says it has. Both scripts may name no option of a
# command themselves; zsh's runs only where there is a zsh.
set -euo pipefail

ctl=$1 source=$2
export HOME=/nonexistent
# shellcheck source=/dev/null
. "$source/contrib/completions/petrelctl.bash"
checked=0

# offers LINE... -- WORD...: after the words of LINE, exactly these are offered beside --json and
# --timeout, in any order.
offers() {
    local typed=() got want
    while [ "$1" != -- ]; do
        typed+=("$1")
        shift
    done
    shift
    COMP_WORDS=("$ctl" "${typed[@]}" '')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _petrelctl
    got=$(printf '%s\n' "${COMPREPLY[@]}" | sort -u)
    want=$(printf '%s\n' --json --timeout "$@" | sort -u)
    checked=$((checked + 1))
    [ "$got" = "$want" ] || {
        printf 'after "%s": offered\n%s\nexpected\n%s\n' "${typed[*]}" "$got" "$want" >&2
        exit 1
    }
}

mapfile -t names < <("$ctl" help --list)
[ ${#names[@]} -ge 20 ]
mapfile -t first < <(printf '%s\n' "${names[@]%% *}" | sort -u)
offers -- --home --account --help --version "${first[@]}"
offers --timeout 5 --home /tmp --account 2 -- --home --account --help --version "${first[@]}"

# What is written down here is what a person would look for, not derived from the same text.
offers init -- --another --passphrase --passphrase-fd --words-fd
offers unlock -- --passphrase-fd
offers events -- --as --ack --since --count --no-follow --exec --tries
offers add -- --name --text
offers accept -- --name
offers help -- --list
offers relay -- use leave status audit invite members remove limits
offers relay use -- --code --second
offers remove-account -- --now
offers relay audit -- --verify
offers relay invite -- --days
offers relay members --
offers relay remove --
offers relay limits -- --envelopes --mib --days
offers history bob -- --limit --before
offers send bob --
offers stop --
offers rpc --
offers doctor --

# Every option that a command's source takes is offered somewhere.
mapfile -t taken < <(grep -ohE '\{"--[a-z-]+", (&|NULL)' "$source"/ctl/cmd/*.c "$source"/ctl/command.c |
    grep -oE -e '--[a-z-]+' | sort -u)
[ ${#taken[@]} -ge 10 ]
help=$("$ctl" help)
for option in "${taken[@]}"; do
    checked=$((checked + 1))
    [[ $help =~ $option([^a-z-]|$) ]] || {
        echo "petrelctl help does not name $option" >&2
        exit 1
    }
done

if command -v zsh >/dev/null; then
    zsh -n "$source/contrib/completions/petrelctl.zsh"
    checked=$((checked + 1))
fi
echo "completions: $checked checks"
