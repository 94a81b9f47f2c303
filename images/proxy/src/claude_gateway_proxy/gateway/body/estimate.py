"""An estimate of a request's tokens for targets that cannot count them; it is rather too high.

Too low would do harm: a client would fill a context that is already full. The weights were fitted so that
prose in twenty languages, code, logs, JSON, keys and encoded data come out above what the tokenizers of GPT-4
(``cl100k_base``), GPT-4o (``o200k_base``) and Claude 2 count, and below twice the highest of the three for the bodies
that Claude Code sends (1.3 times as a rule). The exceptions: short words of random letters count too few, and non-Latin
scripts up to six times too many where the tokenizer is a new one. Pictures count as the largest ones cost Claude.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.body.document import readable
from claude_gateway_proxy.gateway.body.parts import parts

_REQUEST: Final = 12
"""Tokens that frame a request."""

_TOOLS: Final = 350
"""Tokens of the instructions that come with any tools."""

_WEIGHTS: Final = {
    "lower": 0.0,
    "Upper": 0.22,
    "digit": 0.46,
    "space": 0.02,
    "newline": 1.85,
    "punctuation": 0.73,
    "Latin": 4.0,
    "Greek": 1.4,
    "Cyrillic": 0.6,
    "Semitic": 1.35,
    "Indic": 2.3,
    "Symbol": 1.75,
    "Han": 1.25,
    "Korean": 1.35,
    "Wide": 3.0,
    "Emoji": 3.0,
    "continued": 0.0,
}
"""Tokens per character, by its first byte in UTF-8."""

_WORD: Final = 0.98
_HUMP: Final = 1.7
_NUMBER: Final = 0.5
_PUNCTUATION: Final = 0.34
_LONG: Final = 0.6
"""Tokens of each letter of a word after the eighth; the first eight are usually one token."""

_READ_MOST: Final = 4 * 1024 * 1024
"""The most bytes of text that are read, because it happens on the event loop."""

_WIDE_BYTES: Final = 32
"""The most bytes that one token has in scripts without spaces."""

_LETTERS: Final = 32
"""The most letters that one token has in a long run, such as of one letter."""

_SHORTENING: Final = ("truncation", "transforms", "plugins")
"""Fields of OpenAI's Responses and of OpenRouter with which an upstream drops what does not fit."""

_FIRST: Final = (
    (0x20, "newline"),
    (0x21, "space"),
    (0x80, "punctuation"),
    (0xC0, "continued"),
    (0xCA, "Latin"),
    (0xD0, "Greek"),
    (0xD5, "Cyrillic"),
    (0xE0, "Semitic"),
    (0xE2, "Indic"),
    (0xE3, "Symbol"),
    (0xEA, "Han"),
    (0xEE, "Korean"),
    (0xF0, "Wide"),
    (0x100, "Emoji"),
)
"""Kinds of first bytes; each ends before the first byte of the next kind."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The input tokens of a request: an estimate that is rather too high, and a lower bound."""

    tokens: int
    least: int


def _kind(byte: int) -> str:
    letter = chr(byte)
    if byte < 0x80 and letter.isalnum():
        return "digit" if letter.isdigit() else "lower" if letter.islower() else "Upper"
    return next(kind for end, kind in _FIRST if byte < end)


_NUMBERS: Final = {kind: number for number, kind in enumerate(_WEIGHTS)}
_KINDS: Final = bytes(_NUMBERS[_kind(byte)] for byte in range(256))
_COSTS: Final = [(bytes([_NUMBERS[kind]]), cost) for kind, cost in _WEIGHTS.items() if cost]
_HUMPS: Final = bytes([_NUMBERS["lower"], _NUMBERS["Upper"]])


def _mask(*kinds: str) -> bytes:
    return bytes(_kind(byte) in kinds for byte in range(256))


_WORDS: Final = _mask("lower", "Upper")
_DIGITS: Final = _mask("digit")
_WIDE: Final = bytes(byte >= 0x80 for byte in range(256))
_ANY_WORDS: Final = bytes(byte in b"'" or _WORDS[byte] or _WIDE[byte] for byte in range(256))
"""With the apostrophe: some vocabularies have ``don't`` as one token."""
_RUNS: Final = (
    (_WORDS, _WORD),
    (_DIGITS, _NUMBER),
    (_mask("punctuation"), _PUNCTUATION),
)
"""What a run of such bytes costs in addition to its bytes."""


_PER_BYTE: Final = 2
"""The most tokens of one byte of text: an accented letter has two bytes and costs 4."""

ESCAPES: Final = (b"\\u005", b"\\u006", b"\\u007")
"""Prefixes of escaped letters and underscores; without them, a word in JSON is not escaped."""

_HEAVY: Final = (b'"image', b'"input_image"', b'"document"', b'"file"', b'"input_file"', *ESCAPES)
"""One of these is in every body with a block that costs more than its bytes."""

_INLINE: Final = (b'"base64"', b";base64,")
"""One of these is in every body that has a picture or a document, unless it is escaped."""

_SMALL: Final = 32 * 1024
"""The size up to which it hardly matters whether bytes are text or a picture."""

_ROUGH: Final = 3
"""Roughly the bytes of a token."""


def text(data: bytes) -> float:
    """Estimate the tokens of UTF-8 text, in a few passes at the speed of memory."""
    kinds = data.translate(_KINDS)
    found = sum(cost * kinds.count(kind) for kind, cost in _COSTS) + _HUMP * kinds.count(_HUMPS)
    found += sum(cost * _runs(data, mask) for mask, cost in _RUNS)
    return found + _LONG * _long_letters(data)


def _long_letters(data: bytes) -> int:
    """Count the letters that end a run of at least nine: all bytes as one integer, at the speed of memory."""
    letters = int.from_bytes(data.translate(_WORDS), "little")
    letters &= letters >> 8  # two in a row
    letters &= letters >> 16
    letters &= letters >> 32  # eight
    return (letters & letters >> 8).bit_count()


def least(data: bytes) -> int:
    """Return the fewest tokens of UTF-8 text in any usual vocabulary: no token spans two words, or words and numbers.

    Characters between them do not count, because a line of dashes is one token.
    """
    wide = data.translate(_WIDE).count(b"\1")
    more = wide // _WIDE_BYTES + _long_letters(data) // _LETTERS
    return _runs(data, _ANY_WORDS) + _runs(data, _DIGITS) + more


def measure(body: bytes) -> Measure:
    """Estimate the input tokens of a request in any format; from all its bytes if it cannot be read.

    Linear, and bounded: at most 4 MiB of text are read, and the estimate grows with the rest.
    """
    try:
        request = msgspec.json.decode(readable(body), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Measure(tokens=_scaled(body) + _REQUEST, least=0)
    found = parts(request)
    words = b"\n".join((*found.said, *found.rest))
    more = found.more + _REQUEST + (_TOOLS if request.get("tools") else 0)
    shortened = any(request.get(name) for name in _SHORTENING) or _edits(request.get("context_management"))
    said = 0 if shortened else least(b"\n".join(found.said)[:_READ_MOST])
    return Measure(tokens=_scaled(words) + more, least=said)


def at_most(body: bytes) -> int | None:
    """Return an upper bound of ``tokens`` from the size alone; None if blocks may cost more than their bytes."""
    if any(mark in body for mark in _HEAVY):
        return None
    return _PER_BYTE * len(body) + _REQUEST + _TOOLS


def roughly(body: bytes) -> int | None:
    """Return the tokens of a request by its size; None if it has files, which cost less than their bytes."""
    if len(body) > _SMALL and any(mark in body for mark in _INLINE):
        return None
    return len(body) // _ROUGH


def tokens(body: bytes) -> int:
    """Estimate the input tokens of a request, rather too high."""
    return measure(body).tokens


def _scaled(data: bytes) -> int:
    if len(data) <= _READ_MOST:
        return round(text(data))
    return round(text(data[:_READ_MOST]) * len(data) / _READ_MOST)


def _runs(data: bytes, mask: bytes) -> int:
    """Count the runs of the bytes that ``mask`` maps to one."""
    return (b"\0" + data.translate(mask)).count(b"\0\1")


def _edits(management: object) -> bool:
    """Whether the upstream removes more than earlier thinking from the conversation before the model reads it."""
    edits = management.get("edits") if isinstance(management, dict) else management
    if not isinstance(edits, list):
        return bool(edits)
    kinds = [edit.get("type") if isinstance(edit, dict) else None for edit in edits]
    return any(not isinstance(kind, str) or not kind.startswith("clear_thinking") for kind in kinds)
