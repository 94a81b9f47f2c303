"""Answers a request from the cache, or has it answered and caches the answer.

A hit sends no request to a target and takes nothing from any limit or budget: the record says ``hit`` and has no
tokens. Identical concurrent requests are each sent.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from claude_gateway.contract.route import Cache
from claude_gateway.names import HEADER_GATEWAY_CACHE, HEADER_GATEWAY_CLIENT
from claude_gateway_proxy.gateway.caching.key import cacheable, directives, fingerprint, key_of
from claude_gateway_proxy.gateway.caching.store import Kept, Store
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_runtime.asgi import Headers, Message, Receive, Send, send_whole

Answer = Callable[[Call, Receive, Send], Awaitable[None]]

_CACHE: Final = HEADER_GATEWAY_CACHE.encode()
_OF_ONE_ANSWER: Final = frozenset(
    {b"request-id", b"x-request-id", b"x-amzn-requestid", HEADER_GATEWAY_CLIENT.encode(), b"content-length"}
)
_OF_ITS_TIME: Final = (b"x-ratelimit-", b"anthropic-ratelimit-", b"retry-after")
_NO_STORE: Final = "no-store"
_NULL: Final = msgspec.Raw(b"null")
_ERROR: Final = msgspec.Raw(b'"error"')
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NO_READ: Final = frozenset({"no-cache", "max-age=0"})


class ResponseCache:
    """The cache of one process, in front of ``store``; created once at start."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        """Cache answers in ``store``; ``clock`` returns Unix time."""
        self._store = store
        self._clock = clock
        self._revision = ""
        self._fingerprints: dict[str, bytes] = {}

    async def answer(self, call: Call, receive: Receive, send: Send, *, ask: Answer) -> None:
        """Answer a request from the store or with ``ask``. Raises what ``ask`` raises."""
        wanted = call.route.cache
        said = directives(call) if wanted is not None and cacheable(call) else {_NO_STORE}
        if wanted is None or _NO_STORE in said:
            await ask(call, receive, send)
            return
        key = key_of(call, self._fingerprint(call))
        kept = None if _NO_READ & said else await self._store.get(key)
        if kept is not None:
            await self._give(kept, call, send)
            return
        call.record.cache = "miss"
        captured = _CapturedAnswer(send, most=wanted.max_bytes)
        await ask(call, receive, captured)
        await self._keep(key, captured, call=call, wanted=wanted)

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def _give(self, kept: Kept, call: Call, send: Send) -> None:
        record = call.record
        ident = record.request_id.encode()
        headers = [
            *kept.headers,
            (b"request-id", ident),
            (b"x-request-id", ident),
            (b"content-length", b"%d" % len(kept.body)),
            (b"age", b"%d" % max(0, self._clock() - kept.at)),
            (HEADER_GATEWAY_CLIENT.encode(), record.client.encode()),
            (_CACHE, b"hit"),
        ]
        record.cache, record.status, record.first_byte = "hit", kept.status, time.monotonic()
        record.bytes_out = len(kept.body)
        await send_whole(send, status=kept.status, headers=headers, body=kept.body)

    async def _keep(self, key: bytes, captured: "_CapturedAnswer", *, call: Call, wanted: Cache) -> None:
        """Store an answer that is complete, successful and small enough."""
        if captured.body is None or not captured.complete or captured.status != 200 or call.record.outcome != "ok":
            return
        if not _answers(captured.body):
            return
        headers = [(name, value) for name, value in captured.headers if not _passing(name)]
        if any(name == b"content-encoding" for name, _ in headers):
            return
        kept = Kept(captured.status, tuple(headers), bytes(captured.body), self._clock())
        await self._store.put(key, kept, ttl=wanted.ttl)

    def _fingerprint(self, call: Call) -> bytes:
        """Return the route's fingerprint, computed once per revision."""
        if call.snapshot.revision != self._revision:
            self._revision, self._fingerprints = call.snapshot.revision, {}
        found = self._fingerprints.get(call.route.name)
        if found is None:
            found = self._fingerprints[call.route.name] = fingerprint(call.route)
        return found


class _CapturedAnswer:
    """Passes an answer on, and keeps a copy up to a limit: ``body`` is None above it."""

    def __init__(self, send: Send, *, most: int) -> None:
        self._send = send
        self._most = most
        self.status = 0
        self.headers: Headers = ()
        self.body: bytearray | None = bytearray()
        self.complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
            message = {**message, "headers": [*self.headers, (_CACHE, b"miss")]}
        elif self.body is not None:
            self.body += message.get("body", b"")
            if len(self.body) > self._most:
                self.body = None
        await self._send(message)
        self.complete = message["type"] == "http.response.body" and not message.get("more_body", False)


def _answers(body: bytes | bytearray) -> bool:
    """Whether a body is complete JSON and not an error, which some servers send with status 200."""
    try:
        found = _members(body)
    except msgspec.DecodeError:
        return False
    return found.get("error", _NULL) == _NULL and found.get("type") != _ERROR


def _passing(name: bytes) -> bool:
    """Whether a header is about one response or its time, and not about the content."""
    return name in _OF_ONE_ANSWER or name.startswith(_OF_ITS_TIME)
