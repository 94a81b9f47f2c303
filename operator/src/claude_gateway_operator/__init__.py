"""The operator: LIST, decide, apply."""
