"""The contract of a gateway for Claude Code as a suite that runs against any gateway, from outside.

It knows a URL, a key and model names, and where there is a scripted model behind the gateway (``--upstream``), what
that received. It imports nothing of ours but names, and nothing but the standard library for the wire, so that what
it sends and when it reads is exactly what a check says.
"""
