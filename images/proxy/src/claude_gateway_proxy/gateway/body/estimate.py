"""How many tokens a request has, where nobody can count them: an estimate that is rather too high.

Too low would be the harmful side: a client would fill a context that is full already. The weights were fitted so that
prose in twenty languages, code, logs, JSON, keys and encoded data come out above what the tokenizers of GPT-4
(``cl100k_base``), GPT-4o (``o200k_base``) and Claude 2 count, and below twice the highest of the three for the bodies
that Claude Code sends (1.3 times as a rule). The exceptions: short words of random letters count too few, and non-Latin
scripts up to six times too many where the tokenizer is a new one. Pictures count as the largest ones cost Claude.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.body.document import readable

PICTURE: Final = 1600
"""Tokens of a picture at most; larger ones are scaled down."""

PAGE: Final = 3000
"""Tokens of a page of a PDF at most, as text and as picture."""

_PAGE_BYTES: Final = 4096
"""Size of a page of a PDF whose pages cannot be counted, at least."""

_PDF_PAGE: Final = re.compile(rb"/Type\s*/Page\b")
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
"""Tokens per character, by the first byte that it has in UTF-8."""

_WORD: Final = 0.98
_HUMP: Final = 1.7
_NUMBER: Final = 0.5
_PUNCTUATION: Final = 0.34
_LONG: Final = 0.6

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
"""Kinds of first bytes, each up to a byte that belongs to the next kind."""


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


_LETTERS: Final = _mask("lower", "Upper")
_RUNS: Final = ((_mask("digit"), _NUMBER), (_mask("punctuation"), _PUNCTUATION))
"""What a run of such bytes costs beside its bytes, as a run of letters costs ``_WORD``."""

_PER_BYTE: Final = 2
"""Tokens of a byte of text at most: an accented letter has two bytes and costs 4."""

ESCAPES: Final = (b"\\u005", b"\\u006", b"\\u007")
"""How escapes of letters and underscores begin; without them, a word in JSON is written as it is."""

_HEAVY: Final = (b'"image', b'"input_image"', b'"document"', b'"file"', b'"input_file"', *ESCAPES)
"""One of these is in every body with a block that costs more than its bytes."""


def text(data: bytes) -> float:
    """Estimate the tokens of UTF-8 text, in a few passes at the speed of memory."""
    kinds = data.translate(_KINDS)
    found = sum(cost * kinds.count(kind) for kind, cost in _COSTS) + _HUMP * kinds.count(_HUMPS)
    found += sum(cost * _runs(_bits(data, mask)) for mask, cost in _RUNS)
    letters = _bits(data, _LETTERS)
    return found + _WORD * _runs(letters) + _LONG * _beyond_eight(letters)


def _bits(data: bytes, mask: bytes) -> int:
    """Return a number with one byte, 0 or 1, for each byte of the data: counting in it needs no step per word."""
    return int.from_bytes(data.translate(mask), "little")


def _runs(bits: int) -> int:
    return (bits & ~(bits << 8)).bit_count()


def _beyond_eight(bits: int) -> int:
    """Count what is beyond the eighth in each run: up to there, letters are one token together as a rule."""
    ends = bits & (bits >> 8)
    ends &= ends >> 16
    ends &= ends >> 32
    return (ends & (bits >> 64)).bit_count()


def at_most(body: bytes) -> int | None:
    """Return what ``tokens`` cannot exceed, from the size alone; None where blocks may cost more than their bytes."""
    if any(mark in body for mark in _HEAVY):
        return None
    return _PER_BYTE * len(body) + _REQUEST + _TOOLS


def tokens(body: bytes) -> int:
    """Estimate the input tokens of a request in any format; of what cannot be read, of all its bytes."""
    try:
        request = msgspec.json.decode(readable(body), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return round(text(body)) + _REQUEST
    parts = list(_parts(request))
    words = b"\n".join(part for part in parts if isinstance(part, bytes))
    more = sum(part for part in parts if isinstance(part, int))
    return round(text(words) + more + _REQUEST + (_TOOLS if request.get("tools") else 0))


def _parts(request: Mapping[str, Any]) -> Iterator[bytes | int]:
    """The texts of a request, and the tokens of what is not text."""
    for name in ("tools", "tool_choice", "output_config"):
        if request.get(name):
            yield msgspec.json.encode(request[name])
    left: list[Any] = [request.get(name) for name in ("system", "messages", "instructions", "input", "prompt")]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value.encode("utf-8", "replace")
        elif isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            yield from _block(value, left)


def _block(block: Mapping[str, Any], left: list[Any]) -> Iterator[bytes | int]:
    """One message or content block; what is within it goes to ``left``."""
    match block.get("type"):
        case "text" | "input_text" | "output_text":
            left.append(block.get("text"))
        case "image" | "image_url" | "input_image":
            yield PICTURE
        case "file" | "input_file":
            file = block.get("file", block)
            data = file.get("file_data") if isinstance(file, dict) else None
            yield PAGE * (_pages(data.rpartition(",")[2]) if isinstance(data, str) else 1)
        case "document":
            left += [block.get("title"), block.get("context")]
            yield from _document(block.get("source"), left)
        case "thinking":
            left.append(block.get("thinking"))
        case "redacted_thinking":
            pass  # for Claude alone
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            yield msgspec.json.encode([block.get("name"), block.get("input")])
        case "function_call_output" | "custom_tool_call_output":
            left += [block.get("call_id"), block.get("output")]
        case "tool_result" | "message" | None:
            # A message has a role, and a type in Responses only.
            left += [block.get("role"), block.get("tool_use_id"), block.get("content")]
            if block.get("tool_calls"):
                yield msgspec.json.encode(block["tool_calls"])
        case _:
            yield msgspec.json.encode(block)


def _document(source: object, left: list[Any]) -> Iterator[int]:
    if not isinstance(source, dict):
        return
    data = source.get("data")
    if source.get("type") == "base64" and isinstance(data, str):
        yield PAGE * _pages(data)
    elif source.get("type") in ("text", "content"):
        left += [data, source.get("content")]
    else:
        yield PAGE


def _pages(data: str) -> int:
    try:
        file = base64.b64decode(data)
    except (binascii.Error, ValueError):
        return 1
    counted = len(_PDF_PAGE.findall(file))
    return counted or len(file) // _PAGE_BYTES + 1
