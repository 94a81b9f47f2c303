"""The list of models that a client may use, in Anthropic's or OpenAI's shape."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final
from urllib.parse import parse_qs

import msgspec

from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.errors import bad_request, unknown_model
from claude_gateway_proxy.gateway.routing.names import Routing

AT_ONCE: Final = 500
"""The most names listed on the event loop, which takes some milliseconds; longer lists go to a thread."""

_LIMIT_DEFAULT: Final = 20
_LIMIT_MOST: Final = 1000
_EPOCH: Final = "1970-01-01"
"""Anthropic's own value for a model whose release date is not known."""

_DATED: Final = re.compile(r"[-@](20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?![\da-z])")
"""A release date within a name, as in ``claude-opus-4-5-20251101`` and ``gpt-4o-2024-08-06``."""


def listing(routing: Routing, client: Client, *, shape: Wire, query: bytes) -> bytes:
    """The body of ``GET /v1/models``: names sorted, in pages where the shape is Anthropic's.

    OpenAI's list has no pages. Raises Failure 400 for a limit other than a number from 1 to 1000.
    """
    names = routing.names(client)
    if shape is Wire.OPENAI:
        return msgspec.json.encode({"object": "list", "data": [_openai(routing, client, name) for name in names]})
    page, more = _page(names, {name: values[-1] for name, values in parse_qs(query.decode("latin-1")).items()})
    return msgspec.json.encode(
        {
            "data": [_anthropic(routing, client, name) for name in page],
            "has_more": more,
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def single(routing: Routing, client: Client, name: str, *, shape: Wire) -> bytes:
    """The body of ``GET /v1/models/{id}``; a name that only a pattern serves is found here too.

    Raises Failure 404 for a name that is not served or not for this client.
    """
    if routing.display_name(client, name) is None:
        raise unknown_model(name, routing.nearest(client, name))
    model = _openai if shape is Wire.OPENAI else _anthropic
    return msgspec.json.encode(model(routing, client, name))


def _page(names: Sequence[str], query: Mapping[str, str]) -> tuple[Sequence[str], bool]:
    wish = query.get("limit", str(_LIMIT_DEFAULT))
    limit = int(wish) if wish.isascii() and wish.isdigit() and len(wish) <= 4 else 0
    if not 1 <= limit <= _LIMIT_MOST:
        raise bad_request(f"limit must be a number from 1 to {_LIMIT_MOST}")
    if "before_id" in query:
        end = bisect_left(names, query["before_id"])
        start = max(0, end - limit)
        return names[start:end], start > 0
    start = bisect_right(names, query["after_id"]) if "after_id" in query else 0
    return names[start : start + limit], start + limit < len(names)


def _anthropic(routing: Routing, client: Client, name: str) -> dict[str, object]:
    limits = routing.limits(client, name)
    return {
        "type": "model",
        "id": name,
        "display_name": routing.display_name(client, name),
        "created_at": f"{_released(name)}T00:00:00Z",
        "max_input_tokens": limits.window,
        "max_tokens": limits.output,
    }


def _openai(routing: Routing, client: Client, name: str) -> dict[str, object]:
    """Return a model as OpenAI lists it; OpenAI lists no limits, so that each is named as others name it.

    ``max_model_len`` is vLLM's word for the window, ``context_length`` is OpenRouter's; ``max_completion_tokens`` is
    what both Groq and OpenRouter call the most output.
    """
    created = int(datetime.fromisoformat(f"{_released(name)}T00:00:00+00:00").timestamp())
    limits = routing.limits(client, name)
    named = (
        ("context_length", limits.window),
        ("max_model_len", limits.window),
        ("max_completion_tokens", limits.output),
    )
    found = {"id": name, "object": "model", "created": created, "owned_by": "claude-gateway"}
    return {**found, **{key: value for key, value in named if value is not None}}


def _released(name: str) -> str:
    """The only known date of a model: the one in its name."""
    match = _DATED.search(name)
    try:
        return _EPOCH if match is None else date.fromisoformat("-".join(match.groups())).isoformat()
    except ValueError:  # such as the 31st of April
        return _EPOCH
