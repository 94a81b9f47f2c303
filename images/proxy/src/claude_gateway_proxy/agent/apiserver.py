"""The Kubernetes API server as the agent sees it: get and watch of one named object, and nothing else.

Plain aiohttp: Kubernetes' own client takes more than twice the memory, in every pod, for two calls.
"""

import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

CONNECT_SECONDS: Final = 5.0
GET_SECONDS: Final = 30.0
WATCH_SECONDS: Final = 300
"""How long the API server is asked to keep one watch open."""
_SILENCE: Final = 1.1
"""A watch that says nothing for this many times its duration has died without a word."""
_BUFFER_BYTES: Final = 4 << 20
"""A watch gives one object a line: 1 MiB at most as stored, more as base64 in JSON."""
BOOKMARK: Final = "BOOKMARK"
DELETED: Final = "DELETED"
_ERROR: Final = "ERROR"
_GONE: Final = 410
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""A node that lost its network notices after half a minute, not when the watch should have ended."""


class ApiError(Exception):
    """An answer that is no use; ``expired`` says that a watch cannot go on from where it was."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Named:
    """One object: ``resource`` as in paths (``configmaps``), ``kind`` as people say it."""

    kind: str
    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch; the next one may begin at ``version``. The ``object`` of a ``BOOKMARK`` is a shell."""

    type: str
    object: dict[str, Any] = field(repr=False)
    version: str

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Read one line. Raises ApiError for an ``ERROR`` event, or for a line that is no event."""
        try:
            event = json.loads(line)
            kind, found = event["type"], event["object"]
            if kind == _ERROR:
                code = found.get("code")
                raise ApiError(f"the watch ended: {found.get('message', code)}", expired=code == _GONE)
            return cls(type=str(kind), object=found, version=str(found["metadata"]["resourceVersion"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            # Nothing of the line is told: it may hold a Secret.
            raise ApiError("the watch gave a line that is no event") from None


def entries(found: Mapping[str, Any]) -> dict[str, bytes]:
    """The entries of a ConfigMap (text, or base64 in ``binaryData``) or of a Secret (base64). Pure.

    Raises ApiError, which tells nothing of the content.
    """
    try:
        text, binary = found.get("data") or {}, found.get("binaryData") or {}
        if found["kind"] == "Secret":
            text, binary = {}, text
        stored = {str(name): str(value).encode() for name, value in text.items()}
        return stored | {str(name): base64.b64decode(value, validate=True) for name, value in binary.items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ApiError("an object came with entries that cannot be read") from None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the API server is and what to show and trust there."""

    url: str
    token_file: Path
    ca_file: Path

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["Connection"]:
        """A fresh connection. Raises OSError if a file cannot be read.

        Both files are read anew each time: the token in a projected volume is replaced long before it expires.
        """
        with _sockets() as make:
            async with aiohttp.ClientSession(
                self.url,
                connector=aiohttp.TCPConnector(ssl=self._trust(), socket_factory=make),
                headers={"authorization": f"Bearer {self._token()}", "accept": "application/json"},
                timeout=aiohttp.ClientTimeout(total=GET_SECONDS, sock_connect=CONNECT_SECONDS),
                read_bufsize=_BUFFER_BYTES,
            ) as session:
                yield Connection(session)

    def _token(self) -> str:
        return self.token_file.read_text(encoding="utf-8").strip()

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        # Python 3.13 also asks for extensions that the certificates of many clusters do not have.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


class Connection:
    """Raises ApiError, aiohttp.ClientError, OSError and TimeoutError."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Made by ``Cluster.connect``."""
        self._session = session

    async def get(self, named: Named) -> dict[str, Any] | None:
        """The object, or None if there is none."""
        async with self._session.get(f"{_path(named)}/{named.name}", allow_redirects=False) as response:
            if response.status == 404:
                return None
            await _refuse(response, f"get {named}")
            try:
                found = json.loads(await response.read())
            except ValueError:
                raise ApiError(f"get {named}: the answer is no JSON") from None
        if not isinstance(found, dict):
            raise ApiError(f"get {named}: the answer is no object")
        return found

    @asynccontextmanager
    async def watch(self, named: Named, *, since: str | None, seconds: int) -> AsyncIterator[AsyncIterator[Event]]:
        """Watch one object; ``since`` None begins with what is there. The events end when the server ends them."""
        query = {
            "watch": "1",
            "fieldSelector": f"metadata.name={named.name}",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        if since is not None:
            query["resourceVersion"] = since
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=seconds * _SILENCE)
        async with self._session.get(_path(named), params=query, timeout=timeout, allow_redirects=False) as response:
            await _refuse(response, f"watch {named}")
            yield _events(response.content)


async def _events(stream: aiohttp.StreamReader) -> AsyncIterator[Event]:
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            raise ApiError("the watch gave a line that is too long") from None
        if not line.endswith(b"\n"):
            # The end, or a line that was cut off there: a watch that resumes gets it whole.
            return
        yield Event.parse(line)


async def _refuse(response: aiohttp.ClientResponse, what: str) -> None:
    if response.status == 200:
        return
    try:
        said = json.loads(await response.read())["message"]
    except (ValueError, KeyError, TypeError):
        said = response.reason
    raise ApiError(f"{what}: {response.status} {said}", expired=response.status == _GONE)


def _path(named: Named) -> str:
    return f"/api/v1/namespaces/{named.namespace}/{named.resource}"


@contextmanager
def _sockets() -> Iterator[Callable[[aiohttp.AddrInfoType], socket.socket]]:
    """Makes sockets that are all down at the end.

    A session that ends with a request under way leaves its connection to TLS, which waits half a minute for the other
    side's goodbye: on a dead network it never comes, and each new attempt would leave one more behind.
    """
    made: list[socket.socket] = []

    def make(address: aiohttp.AddrInfoType) -> socket.socket:
        made.append(_socket(address))
        return made[-1]

    try:
        yield make
    finally:
        for each in made:
            # Most are closed already, as they should be.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        # Linux has all three; others call the first one differently.
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
