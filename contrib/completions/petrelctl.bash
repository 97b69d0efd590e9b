# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of petrelctl for bash. Contacts come from the running daemon, if there is one.

_petrelctl_contacts() {
    local home=() i
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [ "${COMP_WORDS[i]}" = --home ]; then
            home=(--home "${COMP_WORDS[i + 1]}")
        fi
    done
    command -v jq >/dev/null || return 0
    "${COMP_WORDS[0]}" "${home[@]}" contacts --json 2>/dev/null |
        jq -r 'if .contacts then .contacts[] else . end
               | if (.name // "") != "" then .name else (.id // empty) end' 2>/dev/null
}

_petrelctl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local commands='init id status invite add requests accept block contacts verify send history
        events relay words stop'
    local i command='' words=''

    COMPREPLY=()
    if [ "$previous" = --home ]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --home) i=$((i + 1)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $command in
    '') words="--home --json --help --version $commands" ;;
    init) words='--passphrase-fd --json' ;;
    accept | add) words='--name --json' ;;
    block | verify | send | history)
        words="--json $([ "$previous" = "$command" ] && _petrelctl_contacts)"
        ;;
    events) words='--as --since --count --ack --json' ;;
    relay) words=$([ "$previous" = relay ] && echo 'use status invite' || echo '--code --json') ;;
    *) words='--json' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _petrelctl petrelctl
