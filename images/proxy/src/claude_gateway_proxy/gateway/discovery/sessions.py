"""Releases a session that the brake stopped: ``POST /v1/sessions/{id}/release``, with the caller's own key."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

import msgspec

from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.presented import presented
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import new_request_id
from claude_gateway_runtime.asgi import JSON, Scope, Send, send_document, send_whole

_PATH: Final = re.compile(rb"/v1/sessions/([^/?]{1,1024})/release/?")

Release = Callable[[Principal, str], bool]
"""Releases a session of a caller's; returns whether it is known."""


def released_session(raw_path: bytes) -> str | None:
    """Return the id of the session that a path releases; None for every other path."""
    match = _PATH.fullmatch(raw_path)
    return None if match is None else unquote(match[1].decode("latin-1"))


async def answer_release(
    scope: Scope, send: Send, *, snapshot: Snapshot | None, issuers: Issuers, session: str, release: Release
) -> None:
    """Release a session, if it is the caller's: of the same client and user."""
    request_id = new_request_id()
    try:
        if scope["method"] != "POST":
            raise errors.wrong_method(scope["method"], "POST")
        if snapshot is None:
            raise errors.not_ready("no configuration was loaded yet")
        principal = await snapshot.callers.identify(dict(scope["headers"]), issuers, shown=presented(scope))
        if not release(principal, session):
            raise errors.unknown_session(session)
    except errors.Failure as failure:
        status, headers, body = errors.render(failure, shape=Wire.ANTHROPIC, request_id=request_id)
        await send_whole(send, status=status, headers=headers, body=body)
        return
    body = msgspec.json.encode({"type": "session", "id": session, "released": True})
    await send_document(send, status=200, kind=JSON, body=body, headers=[(b"request-id", request_id.encode())])
