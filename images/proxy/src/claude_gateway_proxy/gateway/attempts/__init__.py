"""Attempts at one target each, and what a failed one means for the client and for the next target."""
