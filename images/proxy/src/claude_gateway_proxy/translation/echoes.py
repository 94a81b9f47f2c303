"""What of an upstream's words is text of the request, which some servers quote in their errors.

Otherwise the author of a prompt could make the gateway believe, for all clients, that the model does not support
something.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

_WORDS_MOST: Final = 4_000
"""The most characters of an upstream's message that are read."""

_TEXT_MOST: Final = 512 * 1024
"""Characters of a request that words are compared with; those of a larger one are taken for an echo altogether."""

_RUN: Final = 24
"""Letters and digits in a row that are an echo. Prompts and errors share shorter phrases by chance."""

_STEP: Final = _RUN // 2
_SHORT: Final = 6
"""Letters and digits of a phrase of the request that is an echo as a whole."""

_PHRASE: Final = re.compile(r"[^\w./-]")
"""What is in a phrase, and in none of the words that a format has for roles, kinds and efforts."""

_BETWEEN: Final = re.compile(r'\\[nrt"\\/]|[\W_]')
"""What quoting may change: escapes, blanks and punctuation."""

_GAP: Final = " … "


def without_echoes(words: str, request: object) -> str:
    """Return an upstream's message without the words that are also in a text of the request."""
    words = words[:_WORDS_MOST]
    read, places = _read(words)
    texts: list[str] = []
    short: set[str] = set()
    left = _TEXT_MOST
    for text in _texts(request):
        left -= len(text)
        if left < 0:
            return ""
        plain = _BETWEEN.sub("", text).lower()
        texts.append(plain)
        if _SHORT <= len(plain) < _RUN and _PHRASE.search(text):
            short.add(plain)
    runs = [*_runs(read, "\0".join(texts)), *_whole(short, read)]
    found, end = [], 0
    for first, last in sorted(runs):
        start = places[first]
        if start >= end:
            found += [words[end:start], _GAP]
        end = max(end, places[last - 1] + 1)
    return "".join([*found, words[end:]])


def _read(words: str) -> tuple[str, list[int]]:
    """Return the letters and digits of an upstream's message, and their positions."""
    kept: list[str] = []
    places: list[int] = []
    spoken = _BETWEEN.sub(lambda match: " " * len(match[0]), words)
    for place, character in enumerate(spoken):
        if character != " ":
            lower = character.lower()
            kept.append(lower)
            places += [place] * len(lower)
    return "".join(kept), places


def _texts(request: object) -> Iterator[str]:
    """Return all texts of a request; the names of its fields are not the client's."""
    waiting: list[Any] = [request]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _runs(read: str, text: str) -> Iterator[tuple[int, int]]:
    """Return the stretches of at least ``_RUN`` that are also in a text; each of them has a whole step."""
    end = 0
    for start in range(0, len(read) - _STEP + 1, _STEP):
        first, last = start, start + _STEP
        if last <= end or read[first:last] not in text:
            continue
        for step in (512, 256, 128, 64, 32, 16, 8, 4, 2, 1):
            while last + step <= len(read) and read[first : last + step] in text:
                last += step
            while step <= first and read[first - step : last] in text:
                first -= step
        if last - first >= _RUN:
            end = last
            yield first, last


def _whole(texts: set[str], read: str) -> Iterator[tuple[int, int]]:
    for text in texts:
        at = read.find(text)
        while at >= 0:
            yield at, at + len(text)
            at = read.find(text, at + len(text))
