#!/bin/sh
# Prints a token of the company's identity provider, for `apiKeyHelper` of Claude Code: here for a machine, with client
# credentials. For a person, use --refresh-token-file in place of --client-secret-file.
#
#   claude-gateway setup --url https://llm.example.com --helper "$PWD/examples/key-helpers/jwt.sh"
#
# IDP_TOKEN_URL is the token endpoint, IDP_CLIENT_ID the client, and IDP_SECRET_FILE a file with its secret, mode 600.
exec claude-gateway key-helper jwt \
  --token-url "$IDP_TOKEN_URL" \
  --client-id "$IDP_CLIENT_ID" \
  --client-secret-file "${IDP_SECRET_FILE:-$HOME/.config/claude-gateway/client-secret}" \
  "$@"
