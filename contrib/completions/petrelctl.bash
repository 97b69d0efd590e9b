# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of petrelctl for bash. Commands and options come from `petrelctl help`, so that they
# are those of the program at hand; contacts and devices come from the running daemon, if there is
# one.

# petrelctl with what follows, on the home of the line.
_petrelctl_at_home() {
    local home=() i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --home) home=(--home "${COMP_WORDS[i + 1]}") ;;
        esac
    done
    "${COMP_WORDS[0]}" "${home[@]}" "$@"
}

_petrelctl_contacts() {
    command -v jq >/dev/null || return 0
    _petrelctl_at_home contacts --json 2>/dev/null |
        jq -r 'if .contacts then .contacts[] else . end
               | if (.name // "") != "" then .name else (.id // empty) end' 2>/dev/null
}

_petrelctl_devices() {
    _petrelctl_at_home devices 2>/dev/null | sed -n '/holds the identity/!s/ .*//p'
}

# The lines of usage that begin with the words given, without these.
_petrelctl_usage() {
    "${COMP_WORDS[0]}" help 2>/dev/null | sed -n "s/^  $*\( .*\)\{0,1\}$/\1/p"
}

_petrelctl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local i said=() words=

    COMPREPLY=()
    case $previous in
    --home)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --timeout | --account) return ;;
    esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --home | --timeout | --account) i=$((i + 1)) ;;
        -*) ;;
        *) said+=("${COMP_WORDS[i]}") ;;
        esac
    done
    if [ ${#said[@]} = 0 ]; then
        words="--home --account --json --timeout --help --version
            $("${COMP_WORDS[0]}" help --list 2>/dev/null | cut -d ' ' -f 1 | sort -u)"
    else
        case ${said[0]} in
        block | verify | send | history | delete | read)
            [ ${#said[@]} != 1 ] || words=$(_petrelctl_contacts)
            ;;
        relay | devices)
            if [ ${#said[@]} = 1 ]; then
                words=$(_petrelctl_usage "${said[0]}" | grep -o '^ [a-z]*' || :)
                said=(none)
            else
                [ "${said[*]}" != "devices remove" ] || words=$(_petrelctl_devices)
                said[0]="${said[0]} ${said[1]}"
            fi
            ;;
        esac
        words+=" --json --timeout $(_petrelctl_usage "${said[0]}" | grep -o -e '--[a-z-]*' || :)"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _petrelctl petrelctl
