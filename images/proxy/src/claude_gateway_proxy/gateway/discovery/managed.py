"""The settings of Claude Code that the gateway serves to people who signed in at it.

Source: the protocol that Claude Code's own gateway documents at ``GET /protocol``: the checksum is over the settings as
canonical JSON, 304 answers an ``if-none-match`` only, and 404 means that there are none.
"""

import hashlib
from typing import Final

import msgspec

from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.presented import presented
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import new_request_id
from claude_gateway_runtime.asgi import JSON, Scope, Send, send_document, send_whole

PATH: Final = "/managed/settings"
_METHODS: Final = ("GET", "HEAD")


async def answer_settings(scope: Scope, send: Send, *, snapshot: Snapshot | None, issuers: Issuers) -> None:
    """Answer ``GET /managed/settings`` with the settings of the caller's client."""
    request_id = new_request_id()
    try:
        settings = await _settings(scope, snapshot, issuers)
    except errors.Failure as failure:
        status, headers, body = errors.render(failure, shape=Wire.ANTHROPIC, request_id=request_id)
        await send_whole(send, status=status, headers=headers, body=body)
        return
    checksum = f"sha256:{hashlib.sha256(settings.encode()).hexdigest()}"
    tag = f'"{checksum}"'.encode()
    if dict(scope["headers"]).get(b"if-none-match") == tag:
        await send_whole(send, status=304, headers=[(b"etag", tag)], body=b"")
        return
    document = {"uuid": checksum[7:39], "checksum": checksum, "settings": msgspec.Raw(settings.encode())}
    body = msgspec.json.encode(document)
    await send_document(send, status=200, kind=JSON, body=body, headers=[(b"etag", tag)])


async def _settings(scope: Scope, snapshot: Snapshot | None, issuers: Issuers) -> str:
    if scope["method"] not in _METHODS:
        raise errors.wrong_method(scope["method"], ", ".join(_METHODS))
    if snapshot is None:
        raise errors.not_ready("no configuration was loaded yet")
    client = (await snapshot.callers.identify(dict(scope["headers"]), issuers, shown=presented(scope))).client
    if not client.settings:
        raise errors.unknown_path(PATH)
    return client.settings
