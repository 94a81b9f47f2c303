"""Connections to upstreams, and where they may go."""
