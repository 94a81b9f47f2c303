"""The lanes to targets: one module or package per lane, all with the protocol of ``lane``."""
