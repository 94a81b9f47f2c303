#!/bin/sh
# Prints this person's gateway key from HashiCorp Vault or OpenBao, for `apiKeyHelper` of Claude Code.
#
#   claude-gateway setup --url https://llm.example.com --helper "$PWD/examples/key-helpers/vault.sh"
#
# VAULT_ADDR is the address; `vault login` writes the token that is used. Whoever rotates the key writes the new one to
# secret/claude-gateway/NAME once the gateway accepts both, and removes the old one after an hour.
exec claude-gateway key-helper vault "claude-gateway/${GATEWAY_PERSON:-$USER}" "$@"
