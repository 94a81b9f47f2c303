"""JSON schemas of tools, in the form that each family of providers accepts."""
