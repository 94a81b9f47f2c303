"""The ways that a request can take to a target: one module or package per lane, all with the protocol of ``lane``."""
