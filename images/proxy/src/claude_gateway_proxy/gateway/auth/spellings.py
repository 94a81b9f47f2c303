"""Whether a text contains a client key of this gateway, in any encoding that a header can carry."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Container, Iterator
from hashlib import sha256
from typing import Final
from urllib.parse import unquote_to_bytes

_DEPTH: Final = 3
"""The most nested encodings that are decoded; each makes the text shorter, so that the work stays linear."""

_SHORTEST: Final = 8
"""The shortest word that can be a key, in bytes; the planner rejects shorter keys."""

_WORDS: Final = re.compile(rb"[\s,;:=\"'/@&?]+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def holds_key(value: bytes, *, sent: bytes, keys: Container[str]) -> bool:
    """Whether ``value`` contains the key that this request ``sent``, or any of ``keys`` as a separate word.

    ``keys`` are SHA-256 in hex. The key may be plain, percent-encoded, in base64 (as in Basic), or nested in these,
    after any scheme.
    """
    return any((sent and sent in text) or _has_word(text, keys) for text in _spellings(value))


def _has_word(text: bytes, keys: Container[str]) -> bool:
    words = {text.strip(), text.strip().partition(b" ")[2].strip(), *_WORDS.split(text)}
    return any(len(word) >= _SHORTEST and sha256(word).hexdigest() in keys for word in words)


def _spellings(value: bytes) -> Iterator[bytes]:
    """Yield the text, and its decoded forms."""
    texts = [value]
    for _ in range(_DEPTH + 1):
        yield from texts
        texts = [decoded for text in texts for decoded in _decoded(text)]


def _decoded(text: bytes) -> Iterator[bytes]:
    if b"%" in text:
        yield unquote_to_bytes(text)
    packed = [found for word in _BASE64.findall(text) if (found := _unpacked(word))]
    if packed:
        yield b" ".join(packed)


def _unpacked(word: bytes) -> bytes:
    """Return a decoded base64 word; one surplus character at the end is dropped, as lenient decoders do."""
    usable = word[: len(word) - (len(word) % 4 == 1)].translate(_TO_URL_SAFE)
    return urlsafe_b64decode(usable + b"=" * (-len(usable) % 4))
