#!/bin/sh
# Sets up Claude Code on a developer's machine, and checks that it works. Hand it out with one of the helpers.
#
#   examples/key-helpers/setup.sh https://llm.example.com vault
#
# It may be run again at any time, and changes nothing that is right.
set -eu
url=${1:?usage: setup.sh URL vault|jwt|rotating-file}
helper=${2:?usage: setup.sh URL vault|jwt|rotating-file}
folder=$(cd "$(dirname "$0")" && pwd)
shift 2
exec claude-gateway setup --url "$url" --helper "$folder/$helper.sh" --ttl 5m "$@"
