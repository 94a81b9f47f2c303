"""The way to Anthropic: a server on loopback that lets exactly one call of each process through.

Claude Code asks again by itself after ``max_tokens``, a refusal, an unknown tool or a broken answer. Each process gets
an address of its own (``ANTHROPIC_BASE_URL``) at which its first call is passed on, byte by byte, and every other one
is refused. So a request costs one call, whatever Claude Code does, and its status and headers are known exactly.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp

from claude_gateway_claude_code import failures
from claude_gateway_claude_code.refusal import failure_of, failure_of_event
from claude_gateway_claude_code.upstream import Upstream
from claude_gateway_runtime.asgi import JSON, BodyTooLarge, ClientGone, Receive, Scope, Send, read_body, send_document
from claude_gateway_runtime.envelope import anthropic_error
from claude_gateway_runtime.failure import Failure
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)
_LARGEST: Final = 128 * 1024 * 1024
_LARGEST_ERROR: Final = 64 * 1024
_TAIL: Final = 8 * 1024
"""Bytes of the end of an answer that are kept, to find the error that ended it."""
_LINGER_SECONDS: Final = 2.0
"""How long the rest of a complete answer may take, so that its connection can be used again."""
_HOP: Final = frozenset(
    {b"connection", b"host", b"content-length", b"transfer-encoding", b"keep-alive", b"accept-encoding", b"expect"}
)
_BACK: Final = frozenset({"content-type", "request-id", "retry-after", "x-should-retry"})
_FACTS: Final = ("request-id", "anthropic-ratelimit-")
_END: Final = re.compile(rb"\nevent: ?message_stop\r?\n")
_ERROR: Final = re.compile(rb"\nevent: ?error\r?\ndata: ?([^\r\n]*)\r?\n")


class Pass:
    """What one process may ask: nothing until ``allow``, then one call of the named kind."""

    def __init__(self, shim: "Shim", secret: str, base_url: str) -> None:
        """Belong to the address ``base_url``, which ends in ``secret``."""
        self.base_url = base_url
        self.failure: Failure | None = None
        self.facts: Mapping[bytes, bytes] = {}
        self.complete = False
        self._shim = shim
        self._secret = secret
        self._kind: str | None = None
        self._used = False
        self._task: asyncio.Task[None] | None = None
        self._settled: Callable[[], None] = lambda: None

    def allow(self, kind: str) -> None:
        """Let one call to ``/v1/<kind>`` through; counts of tokens may be several, because they cost nothing."""
        self._kind = kind

    def on_settled(self, settled: Callable[[], None]) -> None:
        """Call ``settled`` when the process can get no more of its answer than it has."""
        self._settled = settled

    def close(self) -> None:
        """Let nothing more through, and end what is under way; what is complete is read to its end first."""
        self._shim.forget(self._secret)
        self._settled = lambda: None
        if self._task is None or self._task.done():
            return
        if self.complete:
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._task.cancel)
        else:
            self._task.cancel()

    def admits(self, kind: str) -> bool:
        """Whether a call of this kind is the one that may go; it then has been."""
        if kind != self._kind or (self._used and kind == "messages"):
            return False
        self._used = True
        self._task = asyncio.current_task()
        return True

    def fail(self, failure: Failure) -> None:
        """Record why the answer is incomplete; the first reason stays."""
        self.failure = self.failure or failure
        self._settled()


class Shim:
    """The ASGI application that the processes ask."""

    draining = False

    def __init__(self, upstream: Upstream, *, refused: Callable[[], None]) -> None:
        """Pass calls on to ``upstream``; ``refused`` is called for each that is not."""
        self.origin = ""
        self._upstream = upstream
        self._refused = refused
        self._open: dict[str, Pass] = {}

    def open(self) -> Pass:
        """Return the pass of a new process."""
        secret = secrets.token_urlsafe(24)
        self._open[secret] = made = Pass(self, secret, f"{self.origin}/{secret}")
        return made

    def forget(self, secret: str) -> None:
        """Close an address."""
        self._open.pop(secret, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call of a process."""
        _, secret, path = (*scope["path"].split("/", 2), "", "")[:3]
        found = self._open.get(secret)
        kind = path.removeprefix("v1/")
        if found is None or scope["method"] != "POST" or not path.startswith("v1/messages"):
            await _refuse(send, 404, "not found")
        elif not found.admits(kind):
            # A second call: the answer to the first has been, whole or not.
            self._refused()
            found.fail(failures.broken_off() if kind == "messages" else failures.ended())
            await _refuse(send, 400, "this request has had its one call")
        else:
            await self._forward(found, kind, scope, receive, send)

    async def _forward(self, found: Pass, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, limit=_LARGEST)
        except (BodyTooLarge, ClientGone):
            found.fail(failures.ended())
            return
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP]
        query = scope["query_string"].decode("latin-1")
        target = f"/v1/{kind}?{query}" if query else f"/v1/{kind}"
        try:
            async with self._upstream.post(target, headers=headers, body=body) as response:
                found.facts = _facts(response)
                if response.status != 200:
                    await self._fail(found, response, send)
                else:
                    await self._relay(found, response, send, streamed=kind == "messages")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = type(error).__name__
            emit(_log, "upstream_unreachable", level=logging.WARNING, error=reason)
            found.fail(failures.unreachable(reason) if not found.facts else failures.broken_off())
            await _refuse(send, 502, "unreachable")

    async def _fail(self, found: Pass, response: aiohttp.ClientResponse, send: Send) -> None:
        body = await response.content.read(_LARGEST_ERROR)
        found.fail(failure_of(response.status, response.headers, body))
        await send_document(send, status=response.status, kind=JSON, body=body, headers=[(b"x-should-retry", b"false")])

    async def _relay(self, found: Pass, response: aiohttp.ClientResponse, send: Send, *, streamed: bool) -> None:
        back = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers.items()]
        kept = [pair for pair in back if pair[0].decode() in _BACK or pair[0].startswith(b"anthropic-")]
        await send({"type": "http.response.start", "status": 200, "headers": kept})
        tail = b"\n"
        async for piece in response.content.iter_any():
            tail = (tail + piece)[-_TAIL:]
            # Noted before it is passed on: the process may be closed as soon as it has read this. The text of an answer
            # has no bare line ends, so it cannot contain either line.
            found.complete = _END.search(tail) is not None
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if (error := _ERROR.search(tail)) is not None:
                found.fail(failure_of_event(error[1], response.headers))
                return
        if streamed and not found.complete:
            # Before the process sees the end: it would make up the rest of the answer.
            found.fail(failures.broken_off())
        await send({"type": "http.response.body", "body": b""})


def _facts(response: aiohttp.ClientResponse) -> Mapping[bytes, bytes]:
    return {
        name.lower().encode(): value.encode("latin-1")
        for name, value in response.headers.items()
        if name.lower().startswith(_FACTS)
    }


async def _refuse(send: Send, status: int, message: str) -> None:
    body = anthropic_error(kind="invalid_request_error", message=message, request_id=None)
    await send_document(send, status=status, kind=JSON, body=body, headers=[(b"x-should-retry", b"false")])
