"""Moments as text, as logs, events and documents write them."""

from datetime import UTC, datetime


def utc(unix: float, *, timespec: str = "milliseconds") -> str:
    """Return a moment in RFC 3339, in UTC with a ``Z``; ``unix`` are Unix seconds, ``timespec`` is ``isoformat``'s."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
