"""Bedrock's inference profiles, which Claude Code in Bedrock mode requests at its start.

With ``CLAUDE_CODE_SKIP_BEDROCK_AUTH``, it sends that request without a key: it gets an empty list, and continues with
the ids that it knows.
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs

import msgspec

from claude_gateway.contract.client import Client
from claude_gateway.contract.model_ids import plain_name, variants
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.auth import sigv4
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.presented import presented
from claude_gateway_proxy.gateway.discovery.models import AT_ONCE
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import new_request_id
from claude_gateway_proxy.gateway.wire.model_ids import written_for
from claude_gateway_runtime.asgi import JSON, Scope, Send, send_whole

_METHODS: Final = ("GET", "HEAD")
_LOGINS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-gateway-key"})
_KIND: Final = "SYSTEM_DEFINED"


async def answer_profiles(
    scope: Scope, send: Send, *, snapshot: Snapshot, issuers: Issuers, wanted: str, verify: bool
) -> None:
    """Answer ``GET /inference-profiles``, or with the id that is ``wanted``."""
    request_id = new_request_id()
    try:
        body = await _body(scope, snapshot, issuers, wanted=wanted, verify=verify)
    except errors.Failure as failure:
        status, headers, body = errors.render(failure, shape=Wire.BEDROCK, request_id=request_id)
        await send_whole(send, status=status, headers=headers, body=body)
        return
    headers = [
        (b"content-type", JSON),
        (b"content-length", b"%d" % len(body)),
        (b"x-amzn-requestid", request_id.encode()),
    ]
    await send_whole(send, status=200, headers=headers, body=body)


async def _body(scope: Scope, snapshot: Snapshot, issuers: Issuers, *, wanted: str, verify: bool) -> bytes:
    if scope["method"] not in _METHODS:
        raise errors.wrong_method(scope["method"], ", ".join(_METHODS))
    headers = dict(scope["headers"])
    shown, client = presented(scope), None
    if shown is not None or _LOGINS & headers.keys():
        client = (await snapshot.callers.identify(headers, issuers, shown=shown)).client
    if client is not None and verify:
        sigv4.check(scope, b"")
    if client is not None and client.suspended:
        raise errors.client_suspended()
    if wanted:
        return msgspec.json.encode(_one(snapshot, client, wanted))
    asked = parse_qs(scope["query_string"].decode("latin-1")).get("type", [_KIND])[-1]
    if client is None or asked != _KIND:
        return _listing(())
    if snapshot.routing.size <= AT_ONCE:
        return _listing(_names(snapshot, client))
    return await asyncio.to_thread(lambda: _listing(_names(snapshot, client)))


def _listing(names: Sequence[str]) -> bytes:
    return msgspec.json.encode({"inferenceProfileSummaries": [_profile(name) for name in names]})


def _one(snapshot: Snapshot, client: Client | None, wanted: str) -> dict[str, object]:
    known = client is not None and snapshot.routing.display_name(client, wanted) is not None
    if not known or len(variants(wanted)) == 1:
        raise errors.unknown_path(f"/inference-profiles/{wanted}")
    return _profile(wanted)


def _names(snapshot: Snapshot, client: Client) -> Sequence[str]:
    """The names of routes that are ids of Bedrock."""
    names = snapshot.routing.names(client)
    return [name for name in names if "anthropic." in name and plain_name(name) != name]


def _profile(name: str) -> dict[str, object]:
    """Return one profile as AWS describes it; the ARNs belong to no account."""
    ident = name.rpartition("/")[2]
    model = written_for(Wire.BEDROCK, plain_name(name), "").partition(".")[2]
    return {
        "inferenceProfileName": ident,
        "inferenceProfileId": ident,
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{ident}",
        "models": [{"modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model}"}],
        "status": "ACTIVE",
        "type": _KIND,
    }
