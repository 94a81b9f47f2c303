"""Requests of the CLI to a running gateway, to its sign-in page and to a cluster."""
