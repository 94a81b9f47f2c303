"""Connections to upstreams, and the addresses that they may use."""
