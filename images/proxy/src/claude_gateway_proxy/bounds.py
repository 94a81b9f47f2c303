"""How much of an upstream's answer a lane that translates reads, counted after decompression.

Whoever writes a route names the upstream, so each is bounded.
"""

from typing import Final

WHOLE_MOST: Final = 32 * 1024 * 1024
"""Bytes of a whole answer: 2,048 embeddings of 3,072 dimensions in base64 fit."""

STREAM_MOST: Final = 128 * 1024 * 1024
"""Bytes of a stream: three times what the longest answers of today's models take, at one event per token."""

ERROR_MOST: Final = 64 * 1024
"""Bytes of an error that are read; the rest is left out."""
