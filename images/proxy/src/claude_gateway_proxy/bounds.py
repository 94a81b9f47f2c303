"""The limits of an upstream's answer in lanes that translate, counted after decompression.

Route authors choose the upstream, so every answer is limited.
"""

from typing import Final

WHOLE_MOST: Final = 32 * 1024 * 1024
"""The most bytes of a whole answer: 2,048 embeddings of 3,072 dimensions in base64 fit."""

STREAM_MOST: Final = 128 * 1024 * 1024
"""The most bytes of a stream: three times the longest answers of today's models, at one event per token."""

ERROR_MOST: Final = 64 * 1024
"""The most bytes of an error that are read; the rest is left out."""
