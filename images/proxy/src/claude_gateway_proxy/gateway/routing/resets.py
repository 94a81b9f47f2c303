"""When an upstream wants to be asked again, from the headers of an error in any form in which it may say so."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_UNIFIED: Final = "anthropic-ratelimit-unified"
_ANTHROPIC: Final = "anthropic-ratelimit-"
_OPENAI: Final = "x-ratelimit-"
_DURATION: Final = re.compile(
    r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?"
)
"""OpenAI's durations, such as ``6m0s`` or ``120ms``."""
_UNITS: Final = (86400.0, 3600.0, 60.0, 1.0, 0.001)


def retry_after(headers: Sequence[tuple[bytes, bytes]], *, now: datetime) -> float | None:
    """Return the seconds after which an upstream wants to be asked again; None where it does not say.

    What it says in ``retry-after`` counts. Otherwise the limits that are used up: Anthropic's
    ``anthropic-ratelimit-<limit>-reset`` and OpenAI's ``x-ratelimit-reset-<limit>`` count where nothing is left, or
    where a subscription's window has the status ``rejected``; the latest of them decides.
    """
    found = {name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, value in headers}
    said = _said(found, now)
    return said if said is not None else max(_resets(found, now), default=None)


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
    for name, value in found.items():
        seconds = None
        if name.startswith(_ANTHROPIC) and name.endswith("-reset"):
            limit = name.removesuffix("-reset")
            if _used_up(found, limit):
                seconds = _time(value, now)
        elif name.startswith(f"{_OPENAI}reset-"):
            limit = name.removeprefix(f"{_OPENAI}reset-")
            if _number(found.get(f"{_OPENAI}remaining-{limit}", "")) == 0:
                seconds = _duration(value)
        if seconds is not None:
            yield seconds


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
