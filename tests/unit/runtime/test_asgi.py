"""Request bodies: read whole, up to a size and a patience."""

import asyncio
from typing import Any

import pytest

from claude_gateway_runtime.asgi import BodyTooLarge, BodyTooSlow, ClientGone, Incoming, Receive, read_body


def _receive(*messages: dict[str, Any]) -> Receive:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    return receive


def _part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_all_its_parts() -> None:
    assert await read_body(_receive({"type": "http.request"})) == b""
    assert await read_body(_receive(_part(b"ab"), _part(b"cd", more=False)), limit=4, seconds=5) == b"abcd"


async def test_a_body_has_a_limit_a_pace_and_a_client() -> None:
    with pytest.raises(BodyTooLarge):
        await read_body(_receive(_part(b"ab"), _part(b"cd", more=False)), limit=3)
    with pytest.raises(BodyTooSlow):
        await read_body(_receive(_part(b"ab")), seconds=0.05)
    with pytest.raises(ClientGone):
        await read_body(_receive(_part(b"ab"), {"type": "http.disconnect"}))


async def test_a_body_that_is_there_is_read_without_a_timer() -> None:
    left = [_part(b"ab"), _part(b"cd", more=False)]

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    incoming = Incoming(receive, ready=lambda: True, watch=lambda _: None, unwatch=lambda _: None)
    # Of no seconds at all, a timer would take the first one.
    assert await read_body(incoming, seconds=0) == b"abcd"
