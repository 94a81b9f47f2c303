"""Where usage events go: a file, an HTTP server, or an OpenTelemetry collector (OTLP logs over HTTP, as JSON)."""

import fcntl
import http.client
import logging
import os
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

import msgspec

from claude_gateway_runtime.logs import emit

_TIMEOUT: Final = 10.0
_ANSWER: Final = 64 * 1024
_LONGEST: Final = 64 * 1024
"""More bytes than any event has."""
_OTLP: Final = "otlp+"

Events = Sequence[tuple[str, bytes]]

_log: Final = logging.getLogger(__name__)


class SinkError(Exception):
    """A sink did not acknowledge events; the message says why, and holds no header."""


class Sink(Protocol):
    """Receives events, and returns when they are stored safely."""

    def mark(self) -> Mapping[str, Any]:
        """Return a mark before the first event of a process."""

    def deliver(self, events: Events, mark: Mapping[str, Any]) -> Mapping[str, Any]:
        """Deliver events; ``mark`` is what the last delivery returned. Raises SinkError if they may be missing."""


def sink_of(url: str, headers: Path | None) -> Sink:
    """Return the sink at a URL: ``file:///path``, ``http(s)://…`` or ``otlp+http(s)://…``."""
    if url.startswith("file://"):
        return FileSink(Path(unquote(urlsplit(url).path)))
    otlp = url.startswith(_OTLP)
    return HttpSink(url.removeprefix(_OTLP), headers=headers, otlp=otlp)


class FileSink:
    """Appends to a file, so that each event is in it once.

    A mark is the file's length after the last acknowledged event. Events after it were written before the process was
    killed, and are not written again; half a line at the end is removed. The file is locked meanwhile, because
    processes may share it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> Mapping[str, Any]:
        """Return the current length of the file, without half a line at its end."""
        try:
            with self._path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)
                status = os.fstat(file.fileno())
                file.seek(max(0, status.st_size - _LONGEST))
                half = len(file.read().rpartition(b"\n")[2])
        except OSError:
            # Without a mark, the whole file is read as soon as it can be.
            return {}
        return {"inode": status.st_ino, "length": status.st_size - half}

    def deliver(self, events: Events, mark: Mapping[str, Any]) -> Mapping[str, Any]:
        """Append the events that the file does not have yet. Raises SinkError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                there = self._there(file, mark)
                data = b"".join(event + b"\n" for ident, event in events if ident not in there)
                start = file.seek(0, os.SEEK_END)
                try:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(start)
                    raise
                status = os.fstat(file.fileno())
                return {"inode": status.st_ino, "length": status.st_size}
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror or error}") from None

    def _there(self, file: Any, mark: Mapping[str, Any]) -> set[str]:
        """Return the ids after the mark; an incomplete line is removed. A rotated file is read as a whole."""
        status = os.fstat(file.fileno())
        known = mark.get("inode") == status.st_ino and mark.get("length", 0) <= status.st_size
        at = int(mark["length"]) if known else 0
        found: set[str] = set()
        if at == status.st_size:
            return found
        file.seek(at)
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(at)
                break
            at += len(line)
            found.add(_id(line))
        return found


class HttpSink:
    """Posts events, as JSON lines or as OTLP logs; a status of 2xx acknowledges all of them.

    Each event has a unique ``id``, also when it is sent again because an acknowledgement was lost.
    """

    def __init__(self, url: str, *, headers: Path | None, otlp: bool) -> None:
        """``headers`` is a file with lines of ``Name: value``, read before each delivery."""
        self._url = urlsplit(url)
        self._headers = headers
        self._otlp = otlp

    def mark(self) -> Mapping[str, Any]:
        """Return an empty mark: a server identifies the events that it has by their ids."""
        return {}

    def deliver(self, events: Events, mark: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post the events. Raises SinkError."""
        kind = "application/json" if self._otlp else "application/x-ndjson"
        body = otlp(events) if self._otlp else b"".join(event + b"\n" for _, event in events)
        headers = {"content-type": kind, "user-agent": "claude-gateway", **_headers(self._headers)}
        path = f"{self._url.path or '/'}{'?' + self._url.query if self._url.query else ''}"
        connection = self._connection()
        try:
            connection.request("POST", path, body=body, headers=headers)
            response = connection.getresponse()
            answer = response.read(_ANSWER)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise SinkError(f"{self._url.hostname}: {reason}") from None
        finally:
            connection.close()
        if not 200 <= response.status < 300:
            raise SinkError(f"{self._url.hostname} answered {response.status}")
        if self._otlp and (count := rejected(answer)):
            # Its protocol forbids sending them again.
            emit(_log, "usage_rejected", level=logging.ERROR, count=count, sink=self._url.hostname)
        return mark

    def _connection(self) -> http.client.HTTPConnection:
        host = self._url.netloc.rpartition("@")[2]
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, timeout=_TIMEOUT, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, timeout=_TIMEOUT)


def otlp(events: Events) -> bytes:
    """Return events as one OTLP logs request in JSON; the event is the body, its id and names are attributes too.

    Source: opentelemetry-proto, logs/v1, and its mapping to JSON.
    """
    records = []
    for ident, event in events:
        fields = msgspec.json.decode(event)
        at = datetime.fromisoformat(fields.get("ended_at") or fields["started_at"])
        named = {"event.name": "claude_gateway.usage", "event.id": ident, **{name: fields.get(name) for name in _SHOWN}}
        records.append(
            {
                "timeUnixNano": str(round(at.timestamp() * 1000) * 1_000_000),
                "body": {"stringValue": event.decode()},
                "attributes": [
                    {"key": name, "value": {"stringValue": value}}
                    for name, value in named.items()
                    if isinstance(value, str) and value
                ],
                "severityNumber": 9,
                "severityText": "INFO",
            }
        )
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-gateway"}}]}
    scope = {"scope": {"name": "claude_gateway.usage"}, "logRecords": records}
    return msgspec.json.encode({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]})


_SHOWN: Final = ("client", "user", "team", "route", "model", "session", "agent", "cost_usd", "outcome")


def rejected(answer: bytes) -> int:
    """Return how many log records a collector rejected as invalid; 0 if its answer does not say."""
    try:
        return int(msgspec.json.decode(answer)["partialSuccess"]["rejectedLogRecords"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return 0


def _headers(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise SinkError(f"the file with the headers cannot be read: {error.strerror}") from None
    pairs = (line.partition(":") for line in lines if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _id(line: bytes) -> str:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(found.get("id", "")) if isinstance(found, dict) else ""
