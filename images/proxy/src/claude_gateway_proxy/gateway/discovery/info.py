"""Liveness, readiness, the list of models, and requests for paths that are not served."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from claude_gateway.contract.target import Wire
from claude_gateway.names import HEADER_GATEWAY_CLIENT
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.presented import presented
from claude_gateway_proxy.gateway.discovery import models
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import new_request_id
from claude_gateway_runtime.asgi import JSON, TEXT, Scope, Send, send_whole

_ALIVE: Final = frozenset({"/healthz", "/health", "/", "/api/hello"})
_READY: Final = "/readyz"
_MODELS: Final = ("/v1/models", "/v1/v1/models", "/models")
_METHODS: Final = ("GET", "HEAD")
_ALLOW: Final = ", ".join(_METHODS)
_CLIENT: Final = HEADER_GATEWAY_CLIENT.encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer with status, type and body; ``client`` is the caller where it was identified."""

    status: int
    content_type: bytes
    body: bytes
    client: str = ""


async def answer_get(
    scope: Scope,
    send: Send,
    *,
    snapshot: Snapshot | None,
    issuers: Issuers,
    draining: bool,
    worker_started: Callable[[], Awaitable[bool]],
) -> None:
    """Answer a request that is not for a model, including requests for paths that are not served.

    ``worker_started`` says whether the LiteLLM worker listened once; readiness waits for it where a target needs it.
    """
    request_id = new_request_id()
    try:
        answer = await _answer(scope, snapshot=snapshot, issuers=issuers)
        if answer is None:
            answer = await _readiness(snapshot, draining=draining, worker_started=worker_started)
    except errors.Failure as failure:
        status, headers, body = errors.render(failure, shape=_shape(dict(scope["headers"])), request_id=request_id)
        await send_whole(send, status=status, headers=headers, body=body)
        return
    ident = request_id.encode()
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        (b"request-id", ident),
        (b"x-request-id", ident),
    ]
    if answer.client:
        headers.append((_CLIENT, answer.client.encode()))
    await send_whole(send, status=answer.status, headers=headers, body=answer.body)


async def _answer(scope: Scope, *, snapshot: Snapshot | None, issuers: Issuers) -> Answer | None:
    """Return the answer to every request except readiness probes."""
    path: str = scope["path"]
    listing = next((prefix for prefix in _MODELS if path == prefix or path.startswith(f"{prefix}/")), None)
    if path not in _ALIVE and path != _READY and listing is None:
        raise errors.unknown_path(path)
    if scope["method"] not in _METHODS:
        raise errors.wrong_method(scope["method"], _ALLOW)
    if listing is not None:
        return await _models(scope, snapshot, issuers, name=path[len(listing) + 1 :])
    return None if path == _READY else Answer(200, TEXT, b"ok\n")


async def _readiness(
    snapshot: Snapshot | None, *, draining: bool, worker_started: Callable[[], Awaitable[bool]]
) -> Answer:
    """Whether requests can be answered. After the worker has started once, its death does not end readiness.

    A restarted worker is back within seconds, and the relay lane does not need it: if it stays away, its own probe
    takes the pod out of the Service.
    """
    if draining:
        return Answer(503, TEXT, b"shutting down\n")
    if snapshot is None:
        return Answer(503, TEXT, b"no configuration was loaded yet\n")
    if snapshot.needs_worker and not await worker_started():
        return Answer(503, TEXT, b"the LiteLLM worker is starting\n")
    return Answer(200, TEXT, b"ready\n")


async def _models(scope: Scope, snapshot: Snapshot | None, issuers: Issuers, *, name: str) -> Answer:
    if snapshot is None:
        raise errors.not_ready("no configuration was loaded yet")
    headers = dict(scope["headers"])
    client = (await snapshot.callers.identify(headers, issuers, shown=presented(scope))).client
    if client.suspended:
        raise errors.client_suspended()
    shape = _shape(headers)
    if name:
        return Answer(200, JSON, models.single(snapshot.routing, client, name, shape=shape), client.name)
    routing = snapshot.routing
    listing = partial(models.listing, routing, client, shape=shape, query=scope["query_string"])
    body = listing() if routing.size <= models.AT_ONCE else await asyncio.to_thread(listing)
    return Answer(200, JSON, body, client.name)


def _shape(headers: dict[bytes, bytes]) -> Wire:
    return Wire.ANTHROPIC if b"anthropic-version" in headers else Wire.OPENAI
