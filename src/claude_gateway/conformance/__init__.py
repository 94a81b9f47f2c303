"""The contract of a gateway for Claude Code, as a test suite that runs against any gateway from outside.

The suite knows only a URL, a key and model names. With ``--upstream`` it also knows what the scripted model behind the
gateway received. It imports only ``names`` from this project, and uses only the standard library for HTTP, so that a
check controls exactly what is sent and when the response is read.
"""
