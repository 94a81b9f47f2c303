"""Timestamps as text, in the form that logs, events and documents use."""

from datetime import UTC, datetime


def utc(unix: float, *, timespec: str = "milliseconds") -> str:
    """Return a timestamp in RFC 3339, in UTC with a ``Z``; ``timespec`` is that of ``isoformat``."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
