"""Log lines of the data plane: one JSON object a line on standard output, written through standard ``logging``.

Fields: ``time`` (RFC 3339, UTC), ``level``, ``event`` (what happened, a few fixed words), ``logger``, then the event's
own. Nothing here redacts: the caller names every field that it logs, and none of them may be content or a secret.
"""

import json
import logging
import sys
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


class JsonFormatter(logging.Formatter):
    """Renders a record as one JSON object, tracebacks under ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        """Render ``record``; the event's own fields come last and cannot hide the fixed ones."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {
            "time": time,
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        line = {**line, **getattr(record, _FIELDS, {}), **line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)
