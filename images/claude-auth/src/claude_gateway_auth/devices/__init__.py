"""Signing Claude Code in at the gateway: OAuth's device flow, and the tokens that it ends with."""
