"""Masks provider keys in upstreams' messages, in every form in which servers echo them.

Servers quote a key whole or abbreviated (``sk-...abcd``, ``sk-ab****abcd``), and a quoted text may be escaped
for JSON, a URL or HTML, or be the base64 of Basic authentication. All work is linear in the text.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

import msgspec

MASKED: Final = "[key]"

_DEPTH: Final = 3
"""The most nested escapes that are decoded."""

_SHORT: Final = 12
"""The longest key that is only searched as a whole: a part of it could be any word."""

_WORD: Final = 4
"""The longest key that is not searched at all: servers without keys get such a word."""

_LONG: Final = 20
"""The length from which a key's beginning or end is masked even without the sign of an abbreviation."""

_FRAME: Final = "-----"
_ANCHOR: Final = 3
_GAP: Final = re.compile(
    r"[*.#\u2026\u2022\u00b7\u2588]{2,512}|\u2026|[xX]{4,512}|[-_]{3,512}| ?[\[(<][^\])>\n]{1,24}[\])>] ?"
)
_STARS: Final = re.compile(r"(?<![*.#\u2026\u2022\u00b7\u2588])(?:[*.#\u2026\u2022\u00b7\u2588]{3,512}|\u2026)")
_ESCAPED: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|([/"\\]))')
_ENTITY: Final = re.compile(r"&(?:#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))|(amp|lt|gt|quot|apos));?")
_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{12,}")
_TO_URL_SAFE: Final = str.maketrans("+/", "-_")
_MINTED: Final = re.compile(r"\bya29\.[A-Za-z0-9_-]{16,}")
"""Access tokens of Google, which the libraries that fetch them do not show us."""

_DATA: Final = b"data:"

Span = tuple[int, int]


class Mask:
    """The keys that one request was sent with; false if there are none."""

    __slots__ = ("_keys", "_raw")

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys: tuple[str, ...] = ()
        self._raw: tuple[bytes, ...] = ()
        self.add(keys)

    def __repr__(self) -> str:
        return f"Mask(of {len(self._keys)})"

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, keys: Iterable[str]) -> None:
        """Add keys: those of an identity that is fetched while the request is sent.

        Of a key of several lines (PEM), each line is one: servers escape what is between them in many ways.
        """
        lines = (line.strip() for key in keys for line in key.splitlines())
        self._keys += tuple(line for line in lines if _is_secret(line))
        self._raw = tuple(key.encode() for key in self._keys)

    def cover(self, data: bytes) -> bytes:
        """Bytes of an answer with stars in place of whole keys: the length is kept, and so is any format."""
        for raw in self._raw:
            data = data.replace(raw, b"*" * len(raw))
        return data

    def text(self, text: str) -> str:
        """Return a text without the keys; where only an escaped spelling had one, the escapes are undone as well."""
        if not self._keys:
            return text
        text = view = self._masked(text)
        for _ in range(_DEPTH):
            plain = _unescaped(view)
            if plain == view:
                break
            view = self._masked(plain)
            if view != plain:
                text = view
        return self._masked_base64(text)

    def document(self, body: bytes) -> bytes:
        """Return a JSON document without the keys: the same bytes where it had none, and none where it is not JSON."""
        if not self._shown_in(body):
            return body
        try:
            cleaned = msgspec.json.encode(self._cleaned(msgspec.json.decode(body)))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return b""
        return b"" if self._shown_in(cleaned) else cleaned

    def events(self, data: bytes) -> bytes:
        """Return server-sent events without the keys; ``data`` ends where an event ends."""
        return b"".join(self._line(line) for line in data.splitlines(keepends=True)) if self._keys else data

    def _line(self, line: bytes) -> bytes:
        if not self._shown_in(line):
            return line
        ending = line[len(line.rstrip(b"\r\n")) :]
        if not line.startswith(_DATA):
            return self.text(line.rstrip(b"\r\n").decode("utf-8", "replace")).encode("utf-8", "replace") + ending
        return b"data: " + (self.document(line[len(_DATA) :].strip()) or b"{}") + ending

    def _shown_in(self, data: bytes) -> bool:
        text = data.decode("utf-8", "replace")
        return self.text(text) != text

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._cleaned(each) for each in value]
        if isinstance(value, dict):
            return {self.text(name): self._cleaned(each) for name, each in value.items()}
        return value

    def _masked(self, text: str) -> str:
        return _without(text, [span for key in self._keys for span in _spans(text, key)])

    def _masked_base64(self, text: str) -> str:
        found = [match.span() for match in _BASE64.finditer(text) if self._packed_in(match[0])]
        return _without(text, [*found, *(match.span() for match in _MINTED.finditer(text))])

    def _packed_in(self, word: str) -> bool:
        usable = word[: len(word) - (len(word) % 4 == 1)].translate(_TO_URL_SAFE)
        packed = urlsafe_b64decode(usable + "=" * (-len(usable) % 4))
        return any(raw in packed for raw in self._raw)


NOTHING: Final = Mask()


def _is_secret(line: str) -> bool:
    """Whether a line of a key is worth looking for: not a short word, and not the frame of a PEM file."""
    return len(line) > _WORD and not (len(line) < _SHORT and line.isalpha()) and not line.startswith(_FRAME)


def _without(text: str, spans: Iterable[Span]) -> str:
    parts, at = [], 0
    for start, end in sorted(spans):
        if start >= at:
            parts += [text[at:start], MASKED]
        at = max(at, end)
    return "".join((*parts, text[at:])) if parts else text


def _spans(text: str, key: str) -> Iterator[Span]:
    """Return the positions of a key in a text, complete or in part."""
    if len(key) < _SHORT:
        yield from (
            (at, at + len(key))
            for at in _places(text, key)
            if not (_in_word(text[max(0, at - 1) : at]) or _in_word(text[at + len(key) : at + len(key) + 1]))
        )
        return
    size = min(_LONG, max(_SHORT, len(key) // 2))
    for at in _places(text, key[:size]):
        yield at, at + _agreement(text[at : at + len(key)], key)
    tail = key[::-1]
    for at in _places(text, key[-size:]):
        end = at + size
        yield end - _agreement(text[max(0, end - len(key)) : end][::-1], tail), end
    yield from _abbreviated(text, key, size)


def _in_word(character: str) -> bool:
    return character.isalnum() or character in ("_", "-")


def _abbreviated(text: str, key: str, size: int) -> Iterator[Span]:
    """Where a key's beginning is followed by the sign of an abbreviation, or its end follows one."""
    for at in _places(text, key[:_ANCHOR]):
        end = at + _ANCHOR
        if text.startswith(key[_ANCHOR], end):
            end = at + _agreement(text[at : at + size], key)
        gap = _GAP.match(text, end)
        if gap is None:
            continue
        after = _ending(text, gap.end(), key, size)
        if after >= 2 or end - at >= 2 * _ANCHOR:
            yield at, gap.end() + after
    for stars in _STARS.finditer(text):
        after = _ending(text, stars.end(), key, size)
        if after >= _ANCHOR + (stars[0][0] in ".\u2026"):
            yield stars.start(), stars.end() + after


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def _agreement(text: str, key: str) -> int:
    """Return the length of the common prefix of two texts."""
    return next((count for count, (one, other) in enumerate(zip(text, key, strict=False)) if one != other), len(text))


def _ending(text: str, at: int, key: str, size: int) -> int:
    """Return how many characters of a key's end are at a position."""
    if text[at : at + 1] not in key[-size:]:
        return 0
    return next((count for count in range(size, 1, -1) if text.startswith(key[-count:], at)), 0)


def _unescaped(text: str) -> str:
    """Return the text decoded as JSON, a URL and HTML, each once."""
    if "\\" in text:
        text = _ESCAPED.sub(_character, text)
    if "%" in text:
        text = unquote(text)
    return _ENTITY.sub(_entity, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[2]
    code = int(found[1], 16)
    return found[0] if 0xD800 <= code < 0xE000 else chr(code)


def _entity(found: re.Match[str]) -> str:
    if found[3] is not None:
        return _NAMED[found[3]]
    code = int(found[1], 16) if found[1] is not None else int(found[2])
    return found[0] if code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code)
