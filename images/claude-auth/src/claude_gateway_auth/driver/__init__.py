"""Drives the genuine Claude Code CLI: it makes, refreshes and revokes logins; nothing here speaks OAuth itself."""
