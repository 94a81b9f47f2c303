"""Requests in the form that the gateway's components get them: parsed, with a caller and a route."""

import json
import time
from collections.abc import Sequence

from tests.support.builders import bundles

from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.snapshot import build
from claude_gateway_proxy.gateway.telemetry.record import Record


def call(
    route: Route | None = None,
    *,
    wire: Wire = Wire.ANTHROPIC,
    format: Format = Format.MESSAGES,
    headers: Sequence[tuple[bytes, bytes]] = (),
    **body: object,
) -> Call:
    """A request of client ``ns/dev``, which has just begun; ``body`` is added to an empty conversation with ``m``."""
    route = route or bundles.route("m")
    parsed = parse(json.dumps({"model": "m", "messages": [], **body}).encode())
    return Call(
        wire=wire,
        format=format,
        path="/v1/messages",
        query=b"",
        headers=headers,
        login=(),
        raw=parsed.raw,
        facts=Facts(parsed, headers),
        frames=None,
        snapshot=build(bundles.bundle([route])),
        principal=Principal(Client(name="ns/dev")),
        route=route,
        record=Record(wire=wire, format=format, started=time.monotonic()),
    )
