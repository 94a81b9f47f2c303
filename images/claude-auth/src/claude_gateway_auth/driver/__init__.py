"""Drives the genuine Claude Code CLI, which creates, refreshes and revokes logins; there is no OAuth code here."""
