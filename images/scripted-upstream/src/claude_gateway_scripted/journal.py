"""What came in: every request as it was received, with credentials replaced by a digest."""

import base64
import hashlib
import json
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway_scripted.script import Json

MAX_REQUESTS: Final = 10_000
MAX_BYTES: Final = 512 * 1024 * 1024
_CREDENTIALS: Final = frozenset(
    ("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "x-amz-security-token")
)


def digest(secret: str) -> str:
    """Return what the journal shows in a credential's place."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()[:12]


@dataclass(slots=True)
class Recorded:
    """One request. ``headers`` are in the order and spelling received; times are Unix seconds.

    ``status`` is what was answered (None: nothing yet), ``sent`` the content chunks of a stream that went out.
    ``ended`` is set when the answer was complete, ``disconnected`` when the client had left before that.
    """

    number: int
    time: float
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int | None = None
    sent: int = 0
    ended: float | None = None
    disconnected: float | None = None

    @property
    def json(self) -> Any:
        """The parsed body; None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def header(self, name: str) -> str | None:
        """Return a header's first value, whatever its spelling."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def credential(self) -> str | None:
        """Digest of the credential that was presented, in whatever header; compare it with ``digest(key)``."""
        shown = self.header("x-api-key") or self.header("x-goog-api-key") or self.header("authorization")
        return shown.removeprefix("Bearer ") if shown else None

    def as_json(self) -> Json:
        """Return the request for ``GET /__log``."""
        return {
            "number": self.number,
            "time": self.time,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": [list(header) for header in self.headers],
            "body_base64": base64.b64encode(self.body).decode(),
            "body": self.json,
            "status": self.status,
            "sent": self.sent,
            "ended": self.ended,
            "disconnected": self.disconnected,
        }


class Journal:
    """The newest requests, bounded in number and bytes."""

    def __init__(self) -> None:
        self._requests: deque[Recorded] = deque()
        self._bytes = 0
        self._count = 0

    def requests(self) -> tuple[Recorded, ...]:
        """Return what is kept, oldest first."""
        return tuple(self._requests)

    def add(self, *, method: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: bytes) -> Recorded:
        """Keep a request, and return it so that its end can be noted."""
        self._count += 1
        entry = Recorded(
            number=self._count,
            time=time.time(),
            method=method,
            path=path,
            query=query,
            headers=tuple((name, _shown(name, value)) for name, value in headers),
            body=body,
        )
        self._requests.append(entry)
        self._bytes += len(body)
        while len(self._requests) > MAX_REQUESTS or (self._bytes > MAX_BYTES and len(self._requests) > 1):
            self._bytes -= len(self._requests.popleft().body)
        return entry

    def clear(self) -> None:
        """Forget all requests."""
        self._requests.clear()
        self._bytes = 0


def _shown(name: str, value: str) -> str:
    if name.lower() not in _CREDENTIALS:
        return value
    scheme, space, secret = value.partition(" ")
    return f"{scheme} {digest(secret)}" if space else digest(value)
