#!/bin/sh
# Prints the key in a file that something else renews (Vault Agent, a mounted Secret, a cron job), for `apiKeyHelper` of
# Claude Code.
#
#   claude-gateway setup --url https://llm.example.com --helper "$PWD/examples/key-helpers/rotating-file.sh"
#
# GATEWAY_KEY_FILE is the file, mode 600.
exec claude-gateway key-helper exec "$@" -- cat "${GATEWAY_KEY_FILE:-$HOME/.config/claude-gateway/key}"
