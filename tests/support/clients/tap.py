"""A relay on loopback that writes down every HTTP exchange that passes it, byte for byte, and changes nothing."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

_NO_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer. ``first`` is its first line; header names are as sent; ``body`` is without chunk sizes.

    ``whole`` tells whether its end was seen.
    """

    first: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool
    time: float

    def header(self, name: str) -> str | None:
        """Return a header's first value, whatever its spelling."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def method(self) -> str:
        """A request's method."""
        return self.first.split()[0]

    @property
    def target(self) -> str:
        """A request's path and query, as sent."""
        return self.first.split()[1]

    @property
    def status(self) -> int:
        """An answer's status."""
        return int(self.first.split()[1])


@dataclass(frozen=True, slots=True)
class Passed:
    """A request and its answer, if one began."""

    request: Message
    answer: Message | None


@dataclass(slots=True)
class _Bytes:
    """One direction of a connection: what came, and when each piece began."""

    data: bytearray = field(default_factory=bytearray)
    marks: list[tuple[int, float]] = field(default_factory=list)
    ended: bool = False

    def time(self, offset: int) -> float:
        return next((moment for start, moment in reversed(self.marks) if start <= offset), 0.0)


class Tap:
    """A context manager; ``url`` leads to ``target`` (``http://host:port``)."""

    def __init__(self, target: str) -> None:
        split = urlsplit(target)
        self._target = (str(split.hostname), int(split.port or 80))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[tuple[_Bytes, _Bytes]] = []
        self._sockets: list[socket.socket] = []
        self._seen = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="tap", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for one in (self._listener, *self._sockets):
            _shut(one)
            one.close()

    @property
    def passed(self) -> tuple[Passed, ...]:
        """All exchanges since the start or the last ``forget``, in the order in which they began."""
        return tuple(self._all()[self._seen :])

    def forget(self) -> None:
        """Leave out what passed until now."""
        self._seen = len(self._all())

    def _all(self) -> list[Passed]:
        found = [passed for there, back in list(self._connections) for passed in _exchanges(there, back)]
        return sorted(found, key=lambda passed: passed.request.time)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            there, back = _Bytes(), _Bytes()
            self._connections.append((there, back))
            self._sockets += [client, server]
            for source, sink, notes in ((client, server, there), (server, client, back)):
                threading.Thread(target=_pump, args=(source, sink, notes), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, notes: _Bytes) -> None:
    try:
        while piece := source.recv(1 << 16):
            notes.marks.append((len(notes.data), time.monotonic()))
            notes.data += piece
            sink.sendall(piece)
    except OSError:
        pass
    notes.ended = True
    _shut(sink)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _exchanges(there: _Bytes, back: _Bytes) -> list[Passed]:
    found: list[Passed] = []
    sent = received = 0
    while (request := _message(there, sent)) is not None:
        sent, message = request
        answer = _message(back, received, bodiless=message.method == "HEAD")
        while answer is not None and answer[1].status == 100:
            answer = _message(back, answer[0])
        received = answer[0] if answer else received
        found.append(Passed(message, answer[1] if answer else None))
    return found


def _message(notes: _Bytes, start: int, *, bodiless: bool = False) -> tuple[int, Message] | None:
    """Read one message from ``start`` on; returns where the next one begins. None while its head is not complete."""
    data = bytes(notes.data)
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        return None
    first, *lines = data[start:end].decode("latin-1").split("\r\n")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    fields = {name.lower(): value for name, value in headers}
    answers = first.startswith("HTTP/")
    if bodiless or (answers and (int(first.split()[1]) in _NO_BODY or first.split()[1].startswith("1"))):
        length, body, whole = 0, b"", True
    elif fields.get("transfer-encoding") == "chunked":
        length, body, whole = _unchunk(data, end + 4)
    elif "content-length" in fields or not answers:
        length = int(fields.get("content-length", 0))
        body = data[end + 4 : end + 4 + length]
        whole = len(body) == length
    else:
        body = data[end + 4 :]
        length, whole = len(body), notes.ended
    return end + 4 + length, Message(first, headers, body, whole, notes.time(start))


def _unchunk(data: bytes, start: int) -> tuple[int, bytes, bool]:
    """Return how many bytes a chunked body takes, what it says, and whether it is complete."""
    parts, at = [], start
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].split(b";")[0], 16)
        parts.append(data[line + 2 : line + 2 + size])
        at = line + 2 + size + 2
        if size == 0 and len(data) >= at:
            return at - start, b"".join(parts), True
    return len(data) - start, b"".join(parts), False
