"""Signing in to Claude: a page for people, and the one writer of logins."""
