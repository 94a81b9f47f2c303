"""Reads ``gateway.json`` piece by piece, so that thousands of routes never block an event loop."""

import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from claude_gateway.contract.bundle import BundleError
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Route
from claude_gateway.names import GATEWAY_JSON

_BATCH: Final = 50
_PAUSE_SECONDS: Final = 0.0005
"""After each batch of routes the loading thread pauses, so that requests do not wait for the rest."""


def read(data: bytes) -> tuple[Policy, Iterator[tuple[Route, bytes]]]:
    """Return the policy without its routes, and each route with its JSON, decoded as it is asked for.

    For a thread of its own: it pauses. Raises BundleError with the part and the reason, also while routes are read.
    """
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        routes = _array(parts.pop("routes", msgspec.Raw(b"[]")))
        policy = Policy.model_validate_json(msgspec.json.encode(parts))
    except (msgspec.DecodeError, RecursionError) as error:
        raise BundleError(f"{GATEWAY_JSON} cannot be read: {error}") from None
    except ValidationError as error:
        raise BundleError(f"{GATEWAY_JSON} cannot be read: {_first(error)}") from None
    return policy, _routes([bytes(route) for route in routes])


def _array(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise BundleError(f"{GATEWAY_JSON} cannot be read: routes: {error}") from None


def _routes(parts: list[bytes]) -> Iterator[tuple[Route, bytes]]:
    for number, raw in enumerate(parts):
        if number % _BATCH == _BATCH - 1:
            time.sleep(_PAUSE_SECONDS)
        try:
            route = Route.model_validate_json(raw)
        except ValidationError as error:
            raise BundleError(f"{GATEWAY_JSON} cannot be read: routes.{number}.{_first(error)}") from None
        yield route, raw


def _first(error: ValidationError) -> str:
    details: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    return f"{'.'.join(str(part) for part in details[0]['loc'])}: {details[0]['msg']}"
