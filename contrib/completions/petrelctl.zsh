#compdef petrelctl
# SPDX-License-Identifier: Apache-2.0
#
# Completion of petrelctl for zsh. Commands and options come from `petrelctl help`, so that they are
# those of the program at hand.

local -a usage commands options relay devices
local line

usage=("${(@f)$(petrelctl help 2>/dev/null | sed -n 's/^  \([a-z]\)/\1/p')}")
for line in $usage; do
  case $line in
    relay\ *) relay+=(${${(z)line}[2]}) ;;
    devices\ *) devices+=(${${(z)line}[2]}) ;;
    *) commands+=(${line%% *}) ;;
  esac
done
(( $#relay )) && commands+=(relay)

_arguments -C \
  '--home[home folder of the node]:folder:_directories' \
  '--account[number of the account]:number' \
  '--json[one JSON object a line]' \
  '--timeout[how long a reply may take]:seconds' \
  '--help[show help]' \
  '--version[show the version]' \
  '1:command:->command' \
  '*::argument:->argument'

case $state in
  command) compadd -a commands ;;
  argument)
    local name=$words[1]
    if [[ $name = (relay|devices) ]]; then
      (( CURRENT == 2 )) && compadd -a $name
      name="$name $words[2]"
    fi
    for line in $usage; do
      [[ $line = $name || $line = "$name "* ]] || continue
      options=(${(f)"$(print -r -- $line | grep -o -e '--[a-z-]*')"})
    done
    options+=(--json --timeout)
    compadd -a options
    ;;
esac
