"""Log lines of the data plane: one JSON object a line on standard output, written through standard ``logging``.

Fields: ``time`` (RFC 3339, UTC), ``level``, ``event`` (what happened, a few fixed words), ``logger``, then the event's
own. Nothing here redacts: the caller names every field that it logs, and none of them may be content or a secret. Of
an exception nobody expected only its type and where it came from are written: its message could quote what it was
given.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final, Protocol

_FIELDS: Final = "fields"


class Stream(Protocol):
    """What ``logging`` needs of a stream."""

    def write(self, text: str, /) -> object:
        """Take the text."""

    def flush(self) -> object:
        """Pass on what was taken."""


def configure(level: str, *, stream: Stream | None = None) -> None:
    """Send everything that is logged in this process, libraries included, to standard output as JSON lines.

    ``stream`` takes them instead, if given. Raises ValueError for a level that ``logging`` does not know.
    """
    handler = logging.StreamHandler(sys.stdout if stream is None else stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def emit(logger: logging.Logger, event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event with its fields; a value that JSON does not know is written as text."""
    logger.log(level, event, extra={_FIELDS: fields})


def unexpected(logger: logging.Logger, event: str, error: BaseException, **fields: Any) -> None:
    """Log an exception that nobody expected: its type (``error``) and its way (``at``), not its message."""
    emit(logger, event, level=logging.ERROR, **fields, **_told(error))


def _told(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    at = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "at": at}


class JsonFormatter(logging.Formatter):
    """Renders a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Render ``record``; the event's own fields come last and cannot hide the fixed ones."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        error = record.exc_info[1] if record.exc_info else None
        message = record.getMessage()
        if error is not None:
            # What asyncio and others add below the first line is the representation of the exception.
            message = message.partition("\n")[0]
        line: dict[str, Any] = {
            "time": time,
            "level": record.levelname.lower(),
            "event": message,
            "logger": record.name,
        }
        line = {**line, **getattr(record, _FIELDS, {}), **line}
        if error is not None:
            line.update(_told(error))
        return json.dumps(line, default=str, ensure_ascii=False)
