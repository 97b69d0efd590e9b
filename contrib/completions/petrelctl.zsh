#compdef petrelctl
# SPDX-License-Identifier: Apache-2.0
#
# Completion of petrelctl for zsh.

local -a commands relay
commands=(
  'init:make an identity'
  'id:print the own ID'
  'status:what this node is and does'
  'invite:make an invitation link'
  'add:add a contact by link or ID'
  'requests:contact requests that wait'
  'accept:accept a contact request'
  'block:block a contact'
  'contacts:list the contacts'
  'verify:show the safety number'
  'send:send a text'
  'history:show a conversation'
  'events:print what happens'
  'relay:the relay in use'
  'words:print the recovery words'
  'stop:stop the daemon'
)
relay=(
  'use:use a relay'
  'status:state of the relay in use'
  'invite:make a code for a new member of this relay'
)

_arguments -C \
  '--home[home folder of the node]:folder:_directories' \
  '--json[one JSON object a line]' \
  '--help[show help]' \
  '--version[show the version]' \
  '1:command:->command' \
  '*::argument:->argument'

case $state in
  command) _describe command commands ;;
  argument)
    case $words[1] in
      relay) _arguments '1:what:(($relay))' '--code[code of the relay]:code' '*:address' ;;
      events) _arguments '--as[name of the consumer]:name' '--since[cursor]:cursor' \
        '--count[stop after so many]:number' '--ack[acknowledge what was printed]' ;;
      *) _message 'see petrelctl(1)' ;;
    esac ;;
esac
