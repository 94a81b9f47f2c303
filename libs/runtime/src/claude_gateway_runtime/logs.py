"""Log lines of every process: one JSON object a line on standard output, written through standard ``logging``.

Fields: ``time`` (RFC 3339, UTC), ``level``, ``event`` (what happened, a few fixed words), ``logger``, then the event's
own. Nothing is redacted: callers choose every field that they log, and none may be content or a secret. For an
unexpected exception, also one that a library logs, only the type and the place are written: its message could quote its
input.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from typing import Any, Final, Protocol

from claude_gateway_runtime.clock import utc

_FIELDS: Final = "fields"


class Stream(Protocol):
    """The part of a text stream that ``logging`` uses."""

    def write(self, text: str, /) -> object:
        """Write text."""

    def flush(self) -> object:
        """Flush the stream."""


def configure(level: str, *, stream: Stream | None = None, quiet: Mapping[str, int] | None = None) -> None:
    """Write everything that is logged in this process, also by libraries, as JSON lines.

    They go to ``stream``, by default standard output. ``quiet`` has levels of noisy loggers by name. Raises ValueError
    for a level that ``logging`` does not know.
    """
    handler = logging.StreamHandler(sys.stdout if stream is None else stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, least in (quiet or {}).items():
        logging.getLogger(name).setLevel(least)


def emit(logger: logging.Logger, event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event with its fields; a value without a JSON form is written as text."""
    logger.log(level, event, extra={_FIELDS: fields})


def unexpected(logger: logging.Logger, event: str, error: BaseException, **fields: Any) -> None:
    """Log an unexpected exception: its type (``error``) and its frames (``at``), not its message."""
    emit(logger, event, level=logging.ERROR, **fields, **_described(error))


def _described(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    at = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "at": at}


class JsonFormatter(logging.Formatter):
    """Renders a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Render ``record``; the event's own fields come last and cannot hide the fixed ones."""
        time = utc(record.created)
        error = record.exc_info[1] if record.exc_info else None
        message = record.getMessage()
        if error is not None:
            # asyncio and others add the representation of the exception below the first line.
            message = message.partition("\n")[0]
        line: dict[str, Any] = {
            "time": time,
            "level": record.levelname.lower(),
            "event": message,
            "logger": record.name,
        }
        line = {**line, **getattr(record, _FIELDS, {}), **line}
        if error is not None:
            line.update(_described(error))
        return json.dumps(line, default=str, ensure_ascii=False)
