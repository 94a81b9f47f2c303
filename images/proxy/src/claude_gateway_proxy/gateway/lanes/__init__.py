"""The ways a request can take to a target: one module or package per lane."""
