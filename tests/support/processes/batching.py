"""A gateway whose routes lead to an account at the scripted Anthropic, and batches created through it."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, gateway

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Target
from claude_gateway_scripted import Scripted

KEY, OTHER, SUSPENDED = "cgw_of-the-creator", "cgw_of-somebody-else", "cgw_of-a-suspended-one"
API_KEY, SECOND_KEY = "sk-ant-api03-batches-0123456789", "sk-ant-api03-second-9876543210"
ENTRY, SECOND_ENTRY = (secret_entry(name, key.encode()) for name, key in (("k", API_KEY), ("l", SECOND_KEY)))
SECRETS: Final = {ENTRY: API_KEY.encode(), SECOND_ENTRY: SECOND_KEY.encode()}
PATH: Final = "/v1/messages/batches"
CLIENTS: Final = {
    KEY: Client(name="ns/dev"),
    OTHER: Client(name="ns/other"),
    SUSPENDED: Client(name="ns/gone", suspended=True),
}


def native(url: str, model: str = "claude-sonnet-4-5", **more: Any) -> Target:
    """Return a target at Anthropic with an API key."""
    return target(base_url=url, model=model, **{"secret": ENTRY, **more})


def request(ident: str = "a", *, model: str = "c", **params: Any) -> Any:
    """Return one request of a batch, with these parameters."""
    messages = [{"role": "user", "content": f"hello {ident}"}]
    return {"custom_id": ident, "params": {"model": model, "max_tokens": 50, "messages": messages, **params}}


@asynccontextmanager
async def serving(*names: str, **more: Any) -> AsyncIterator[tuple[Gateway, Scripted]]:
    """A gateway with a route to an account at the scripted Anthropic; ``names`` are its models."""
    async with Scripted() as up:
        fields = {"clients": CLIENTS, "secrets": SECRETS, **more}
        targets = fields.pop("targets", lambda url: [native(url)])(up.url)
        extra = fields.pop("routes", lambda _: [])(up.url)
        async with gateway(route(*(names or ("c",)), targets=targets), *extra, **fields) as gw:
            yield gw, up


async def ask(
    gw: Gateway, method: str, path: str, body: Any = None, *, key: str = KEY, **headers: str
) -> tuple[int, Any]:
    """Send a request with a client's key; return the status and the body, parsed if it is JSON."""
    data = None if body is None else io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    sent = {"x-api-key": key, "anthropic-version": "2023-06-01", **headers}
    async with gw.client.request(method, f"{gw.url}{path}", data=data, headers=sent) as response:
        text = await response.read()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text


async def create(gw: Gateway, *requests: Any, **more: Any) -> tuple[int, Any]:
    """Create a batch of these requests, or of one; return status and body."""
    return await ask(gw, "POST", PATH, {"requests": list(requests) or [request()]}, **more)


async def created(gw: Gateway, *requests: Any, **more: Any) -> str:
    """Create a batch like ``create``, and return its id."""
    status, found = await create(gw, *requests, **more)
    assert status == 200, found
    return str(found["id"])
