"""When an upstream wants to be asked again, from an error in any form in which vendors say so."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_UNIFIED: Final = "anthropic-ratelimit-unified"
_ANTHROPIC: Final = "anthropic-ratelimit-"
_OPENAI: Final = ("x-ratelimit-", "ratelimit-")
_LIMITED: Final = 429
_BUSY: Final = frozenset({429, 503, 529})
_READ_MOST: Final = 16 * 1024
"""Characters of an error that are read."""

_DURATION: Final = re.compile(
    r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?"
)
"""OpenAI's durations, such as ``6m0s`` or ``120ms``."""
_UNITS: Final = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_UNIT_NAMES: Final = {
    **dict.fromkeys(("ms", "msec", "millisecond"), 0.001),
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("m", "min", "minute"), 60.0),
    **dict.fromkeys(("h", "hr", "hour"), 3600.0),
    **dict.fromkeys(("d", "day"), 86400.0),
}
_PART: Final = (
    r"(\d{1,9}(?:\.\d{1,9})?) ?(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)"
    r"(?![a-z])"
)
_PARTS: Final = re.compile(_PART, re.IGNORECASE)
_WORDS: Final = re.compile(
    r"\b(?:(?:re)?try(?:ing)?(?: your request| the request)?(?: again)?|available|wait(?:ing)?|resets?) "
    rf"(?:(?:in|after|for) )?(?:about |approximately |at least )?((?:{_PART}(?:,? (?:and )?)?){{1,4}})",
    re.IGNORECASE,
)
"""A duration in words: "Please try again in 6m0s", "retry after 20 seconds", "available in 6 seconds"."""

_FIELD: Final = re.compile(
    r"""(?:retry_?delay|retry[_-]after(?:_seconds)?)\\{0,3}["'][ \\nrt]{0,8}:[ \\nrt]{0,8}\\{0,3}["']?"""
    r"(\d{1,9}(?:\.\d{1,9})?)(?![\d.]|ms)",
    re.IGNORECASE,
)
"""Google's ``RetryInfo`` and other servers' own fields, in JSON or in a text that quotes it."""

_MILLISECONDS_FROM: Final = 1e11
_UNIX_FROM: Final = 1e9


def retry_after(
    status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes | str = b"", *, now: datetime
) -> float | None:
    """Return the seconds after which an upstream wants to be asked again; None where it does not say.

    What it says in ``retry-after`` counts. Otherwise the limits that are used up: Anthropic's
    ``anthropic-ratelimit-<limit>-reset`` and OpenAI's ``x-ratelimit-reset-<limit>`` count where nothing is left, or
    where a subscription's window has the status ``rejected``; the latest of them decides. Otherwise the error's
    ``body``: Google's ``RetryInfo``, or its words. A 429 that only names resets, and not what is left, means the
    earliest of them.
    """
    found = {name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, value in headers}
    said = _said(found, now)
    if said is None:
        said = max(_resets(found, now), default=None)
    if said is None and status in _BUSY:
        said = in_words(body if isinstance(body, str) else body[:_READ_MOST].decode("utf-8", "replace"))
    if said is None and status == _LIMITED:
        said = min(_unexplained(found, now), default=None)
    return said


def in_words(text: str) -> float | None:
    """Return the seconds after which an error's text says to try again; None where it does not say."""
    text = text[:_READ_MOST]
    field = _FIELD.search(text)
    if field is not None:
        return float(field[1])
    words = _WORDS.search(text)
    if words is None:
        return None
    return sum(float(number) * _UNIT_NAMES[_singular(unit)] for number, unit in _PARTS.findall(words[1]))


def _singular(unit: str) -> str:
    unit = unit.lower()
    return unit if unit in _UNIT_NAMES else unit.removesuffix("s")


def _said(found: Mapping[str, str], now: datetime) -> float | None:
    milliseconds = _number(found.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = found.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        return _until(parsedate_to_datetime(text), now)
    except (ValueError, IndexError):
        return None


def _resets(found: Mapping[str, str], now: datetime) -> Iterator[float]:
    """Yield when the limits that are used up are reset."""
    for name, value in found.items():
        seconds = None
        if name.startswith(_ANTHROPIC) and name.endswith("-reset"):
            if _used_up(found, name.removesuffix("-reset")):
                seconds = _time(value, now)
        elif _left(found, name) == 0:
            seconds = _reset(value, now)
        if seconds is not None:
            yield seconds


def _unexplained(found: Mapping[str, str], now: datetime) -> Iterator[float]:
    """Yield when limits are reset of which nothing says how much is left."""
    for name, value in found.items():
        seconds = _reset(value, now) if _counterpart(name) not in ("", *found) else None
        if seconds is not None:
            yield seconds


def _left(found: Mapping[str, str], reset: str) -> float | None:
    """What is left of the limit that a header of OpenAI's form names the reset of."""
    return _number(found.get(_counterpart(reset), ""))


def _counterpart(reset: str) -> str:
    """The header that says what is left of a limit, by the one that says when it is reset; empty for other headers."""
    for prefix in _OPENAI:
        if reset == f"{prefix}reset" or reset.startswith(f"{prefix}reset-"):
            return f"{prefix}remaining{reset.removeprefix(f'{prefix}reset')}"
    return ""


def _used_up(found: Mapping[str, str], limit: str) -> bool:
    if limit.startswith(_UNIFIED):
        return found.get(f"{limit}-status") == "rejected"
    return _number(found.get(f"{limit}-remaining", "")) == 0


def _time(text: str, now: datetime) -> float | None:
    """Read a time in RFC 3339, or in Unix seconds."""
    seconds = _number(text)
    if seconds is not None:
        return max(0.0, seconds - now.timestamp())
    try:
        return _until(datetime.fromisoformat(text), now)
    except ValueError:
        return None


def _reset(text: str, now: datetime) -> float | None:
    """Read a duration, or a time in Unix seconds or milliseconds."""
    seconds = _number(text)
    if seconds is None or seconds < _UNIX_FROM:
        return _duration(text)
    return max(0.0, (seconds / 1000 if seconds > _MILLISECONDS_FROM else seconds) - now.timestamp())


def _until(date: datetime, now: datetime) -> float:
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())


def _duration(text: str) -> float | None:
    seconds = _number(text)
    if seconds is not None:
        return seconds
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        return None
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS, strict=True) if part is not None)


def _number(text: str) -> float | None:
    whole = text.replace(".", "", 1)
    return float(text) if whole.isascii() and whole.isdigit() and len(text) < 16 else None
