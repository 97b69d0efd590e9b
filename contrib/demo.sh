#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh [--keep]: a message waits for someone who sleeps, end to end, with three real daemons on
# this machine: a relay, Alice and Bob, each with a home of its own in a temporary folder and free
# ports of 127.0.0.1.
#
# Installs what is missing, builds, plays the story and checks each step with what the daemons
# themselves say (--json). Exit code 0 only if all of it held. No process stays behind, except with
# --keep, which leaves the three running and prints commands to play with.

# shellcheck source=contrib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly patience=60 # seconds that any one step may take
readonly bin=$repo/build/release
keep=no
work=
checks=0
declare -A pids=() # of the daemons that run, by name

# --- daemons ---------------------------------------------------------------------------------

# ctl NAME ARGUMENT...: petrelctl on NAME's daemon.
ctl() {
    local who=$1
    shift
    timeout "$patience" "$bin/petrelctl" --home "$work/$who" "$@"
}

# ask NAME FILTER ARGUMENT...: what NAME's daemon answers, as JSON, through jq.
ask() {
    local who=$1 filter=$2
    shift 2
    ctl "$who" "$@" --json </dev/null | jq -r "$filter"
}

# A list comes as one object with the list in it, or as one object a line: both become one array.
readonly as_messages='[inputs | if has("messages") then .messages[] else . end]'
readonly as_contacts='[inputs | if has("contacts") then .contacts[] else . end]'

# list NAME ARRAY_FILTER FILTER ARGUMENT...
list() {
    local who=$1 array=$2 filter=$3
    shift 3
    ctl "$who" "$@" --json </dev/null | jq -nr "$array | $filter"
}

# start NAME ARGUMENT...: starts NAME's petreld and waits until it answers.
start() {
    local who=$1
    shift
    mkdir -p "$work/$who"
    setsid "$bin/petreld" --home "$work/$who" "$@" </dev/null >>"$work/$who.log" 2>&1 &
    pids[$who]=$!
    until_true "petreld of $who answers" answers "$who"
}

answers() {
    kill -0 "${pids[$1]}" 2>/dev/null || fail "petreld of $1 ended: $(tail -n 5 "$work/$1.log")"
    ctl "$1" status --json </dev/null >/dev/null 2>&1
}

is_gone() {
    ! kill -0 "$1" 2>/dev/null
}

# stop NAME: asks the daemon to end, and waits for its exit code.
stop() {
    local pid=${pids[$1]} status=0
    ctl "$1" stop </dev/null >/dev/null || fail "petrelctl stop fails for $1"
    until_true "petreld of $1 has ended" is_gone "$pid"
    wait "$pid" || status=$?
    unset "pids[$1]"
    check "petreld of $1 ended with exit code" "$status" 0
}

# murder NAME: SIGKILL, at once.
murder() {
    local pid=${pids[$1]} status=0
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || status=$?
    unset "pids[$1]"
    check "petreld of $1 died of SIGKILL, exit code" "$status" 137
}

# --- waiting and checking --------------------------------------------------------------------

fail() {
    printf '   FAILED: %s\n' "$*" >&2
    exit 1
}

# check WORDS ACTUAL EXPECTED
check() {
    [ "$2" = "$3" ] || fail "$1: expected '$3', the daemon says '$2'"
    checks=$((checks + 1))
    printf '   ok: %s: %s\n' "$1" "$2"
}

# until_true WORDS COMMAND...: asks again until the command succeeds, or the patience is over.
until_true() {
    local words=$1 deadline=$((SECONDS + patience))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$words: not within $patience s"
        sleep 0.1
    done
}

# is VALUE COMMAND...: whether the command prints the value.
is() {
    local expected=$1 actual
    shift
    actual=$("$@" 2>/dev/null) && [ "$actual" = "$expected" ]
}

# event NAME FILTER: waits for an event of NAME's daemon that the jq filter selects; prints it.
event() {
    local who=$1 filter=$2 stream feeder found=0
    exec {stream}< <(exec "$bin/petrelctl" --home "$work/$who" events --since 0 --json </dev/null)
    feeder=$!
    timeout "$patience" jq -cn "first(inputs | select($filter))" <&"$stream" || found=$?
    kill "$feeder" 2>/dev/null || true
    wait "$feeder" 2>/dev/null || true
    exec {stream}<&-
    [ "$found" -eq 0 ] || fail "$who: no event with $filter within $patience s"
}

# --- the story -------------------------------------------------------------------------------

start_three() {
    say "1. three daemons: a relay, Alice, Bob"
    start relay --listen 127.0.0.1:0 --relay
    start alice --listen 127.0.0.1:0
    start bob --listen 127.0.0.1:0
    address=$(ask relay .node status)
    port=${address##*:}
    check "the relay says it is one" "$(ask relay .relay status)" true
    echo "   relay: $address"
}

make_identities() {
    say "2. Alice and Bob make their identities: a key each, no name, no number"
    ctl alice init </dev/null >/dev/null
    ctl bob init </dev/null >/dev/null
    alice=$(ask alice .id id)
    bob=$(ask bob .id id)
    check "Alice's account" "$(ask alice .account status)" open
    check "Bob's account" "$(ask bob .account status)" open
    [ "$alice" != "$bob" ] || fail "Alice and Bob have the same ID"
    echo "   Alice: $alice"
    echo "   Bob:   $bob"
}

join_relay() {
    local who code
    say "3. both become members of the relay, each with a code of its operator"
    for who in alice bob; do
        code=$(ask relay .code relay invite)
        ctl "$who" relay use "$address" --code "$code" </dev/null >/dev/null
    done
    for who in alice bob; do
        until_true "the relay is ready for $who" is ready ask "$who" .state relay status
        check "relay of $who" "$(ask "$who" .state relay status)" ready
    done
    check "members that the relay counts" "$(ask relay .members status)" 2
}

contact_state() {
    list "$1" "$as_contacts" ".[] | select(.id == \"$2\") | .state" contacts
}

become_contacts() {
    local link number
    say "4. Alice hands Bob an invitation link"
    link=$(ask alice .link invite)
    echo "   ${link:0:60}..."
    check "Bob adds" "$(ask bob .id add "$link" --name Alice)" "$alice"
    until_true "Alice accepted Bob" is accepted contact_state alice "$bob"
    until_true "Bob knows that Alice accepted" is accepted contact_state bob "$alice"
    check "Bob, as Alice sees him" "$(contact_state alice "$bob")" accepted
    check "Alice, as Bob sees her" "$(contact_state bob "$alice")" accepted

    say "5. both compare the safety number"
    number=$(ask alice .number verify "$bob" | tr -d ' ')
    check "digits of Alice's" "${#number}" 60
    check "Bob's number" "$(ask bob .number verify Alice | tr -d ' ')" "$number"
}

# message NAME CONTACT ID FIELD: a field of one message in NAME's history.
message() {
    list "$1" "$as_messages" ".[] | select(.message == \"$3\") | .$4" history "$2"
}

write_to_sleeper() {
    local status=0
    say "6. Bob's daemon is stopped"
    stop bob
    ctl bob status </dev/null >/dev/null 2>&1 || status=$?
    check "petrelctl on Bob's home: no daemon, exit code" "$status" 5

    say "7. Alice writes to him"
    first_text='message 1: written while your daemon was not running'
    first=$(ask alice .message send "$bob" "$first_text")
    event alice ".type == \"message.at-relay\" and .data.message == \"$first\"" >/dev/null
    check "the message, as Alice sees it" "$(message alice "$bob" "$first" state)" at-relay

    say "8. the relay is killed with SIGKILL, and started again on the same home and port"
    murder relay
    start relay --listen "127.0.0.1:$port" --relay
    check "its address" "$(ask relay .node status)" "$address"
    check "its members" "$(ask relay .members status)" 2
}

wake_and_read() {
    say "9. Bob's daemon starts, and the message is there"
    start bob --listen 127.0.0.1:0
    event bob ".type == \"message.received\" and .data.message == \"$first\"" >/dev/null
    check "what Bob reads" "$(message bob Alice "$first" text)" "$first_text"
    check "its author" "$(message bob Alice "$first" from)" "$alice"
    check "its state" "$(message bob Alice "$first" state)" received
    event alice ".type == \"message.delivered\" and .data.message == \"$first\"" >/dev/null
    check "Alice's delivery receipt" "$(message alice "$bob" "$first" state)" delivered
}

answer_back() {
    say "10. Bob answers"
    second_text='message 2: good morning'
    second=$(printf '%s\n' "$second_text" | ctl bob send Alice - --json | jq -r .message)
    event alice ".type == \"message.received\" and .data.message == \"$second\"" >/dev/null
    check "what Alice reads" "$(message alice "$bob" "$second" text)" "$second_text"
    check "its author" "$(message alice "$bob" "$second" from)" "$bob"
    event bob ".type == \"message.delivered\" and .data.message == \"$second\"" >/dev/null
    check "Bob's delivery receipt" "$(message bob Alice "$second" state)" delivered

    say "11. nothing is lost, doubled or left over"
    check "Alice's history" "$(list alice "$as_messages" 'map(.message) | join(" ")' history "$bob")" \
        "$first $second"
    check "Bob's history" "$(list bob "$as_messages" 'map(.message) | join(" ")' history Alice)" \
        "$first $second"
    until_true "Alice's outbox is empty" is 0 ask alice .outbox status
    until_true "Bob's outbox is empty" is 0 ask bob .outbox status
    check "Alice's outbox" "$(ask alice .outbox status)" 0
    check "Bob's outbox" "$(ask bob .outbox status)" 0
}

# --- begin and end ---------------------------------------------------------------------------

# clean_up: ends what this script has started, by its own pids, and only that.
clean_up() {
    local status=$? who
    trap - EXIT
    for who in "${!pids[@]}"; do
        kill -KILL "${pids[$who]}" 2>/dev/null || true
        wait "${pids[$who]}" 2>/dev/null || true
    done
    if [ "$status" -ne 0 ] && [ -n "$work" ]; then
        for who in relay alice bob; do
            if [ -f "$work/$who.log" ]; then
                printf -- '--- last lines of %s\n' "$work/$who.log" >&2
                tail -n 15 "$work/$who.log" >&2
            fi
        done
        printf 'FAILED after %s checks; homes and logs are kept in %s\n' "$checks" "$work" >&2
    elif [ -n "$work" ]; then
        rm -rf "$work"
    fi
    exit "$status"
}

stop_three() {
    local who
    say "12. the three daemons are stopped"
    for who in alice bob relay; do
        stop "$who"
    done
}

tell_kept() {
    trap - EXIT
    say "they keep running, in $work"
    cat <<WORDS
   pids: relay ${pids[relay]}, Alice ${pids[alice]}, Bob ${pids[bob]}
   Play with them:
     alias alice='$bin/petrelctl --home $work/alice'
     alias bob='$bin/petrelctl --home $work/bob'
     alice send $bob 'hello'
     bob history Alice
     bob events --since 0
     alice status
   End them:
     for home in alice bob relay; do $bin/petrelctl --home $work/\$home stop; done
     rm -r $work
WORDS
}

tell_own_node() {
    say "your own node"
    cat <<WORDS
   $bin/petreld &
   $bin/petrelctl init
   $bin/petrelctl relay use ADDRESS --code CODE   # a relay's operator gives you both
   $bin/petrelctl invite                          # a link for a friend, who runs: petrelctl add LINK
   A relay of your own: petreld --relay --listen HOST:PORT; its address is in petrelctl status,
   a code for a member comes from petrelctl relay invite. 'cmake --install build/release' installs.
WORDS
}

main() {
    case ${1:-} in
    '') ;;
    --keep) keep=yes ;;
    *)
        printf 'usage: %s [--keep]\n' "${0##*/}" >&2
        exit 2
        ;;
    esac
    packages_install "${packages_build[@]}" "${packages_demo[@]}"
    build release petreld petrelctl
    unset PETREL_HOME
    umask 077
    # The path of a socket ends at 108 bytes, so a long TMPDIR will not do.
    work=$(mktemp -d /tmp/petrel-demo.XXXXXX)
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    mkdir "$work/run"
    export XDG_RUNTIME_DIR=$work/run

    start_three
    make_identities
    join_relay
    become_contacts
    write_to_sleeper
    wake_and_read
    answer_back
    if [ "$keep" = yes ]; then
        tell_kept
    else
        stop_three
    fi
    tell_own_node
    say "demo: all $checks checks held"
}

main "$@"
