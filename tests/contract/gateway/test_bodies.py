"""How large a request may be and how slowly it may come, and that the gateway waits for no more than it must."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import KEY, Gateway, chunk, gateway, upstream, whole

_ANSWER = b'{"id":"msg_1","content":[],"usage":{"input_tokens":5,"output_tokens":7}}'
_LIMIT = 32 * 1024 * 1024
_HEAD = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"


def _body(size: int) -> bytes:
    """Return a valid body of exactly so many bytes."""
    frame = b'{"model":"c","messages":[{"role":"user","content":"%s"}]}'
    return frame % (b"x" * (size - len(frame) + 2))


async def _dial(gw: Gateway, sent: str, *parts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = urlsplit(gw.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"{_HEAD}{sent}\r\n".encode())
    for part in parts:
        writer.write(part)
        await writer.drain()
    return reader, writer


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(text.partition("content-length: ")[2].partition("\r\n")[0])
    return int(text.split(" ")[1]), text, await reader.readexactly(length)


async def test_a_body_of_the_limit_passes_whole() -> None:
    body = _body(_LIMIT)
    assert len(body) == _LIMIT
    async with upstream(whole(_ANSWER)) as up, gateway(route("c", targets=[target(base_url=up.url, model="*")])) as gw:
        answer = await gw.post("/v1/messages", body)
        assert (answer.status, await answer.read()) == (200, _ANSWER)
        assert up.seen[0].body == body


async def test_a_byte_more_is_refused_before_any_of_it_was_sent() -> None:
    async with upstream(whole(_ANSWER)) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        reader, writer = await _dial(gw, f"content-length: {_LIMIT + 1}\r\n")
        status, head, body = await _answer(reader)
        writer.close()
    assert status == 413
    assert "x-should-retry: false" in head
    assert json.loads(body)["error"]["type"] == "request_too_large"
    assert up.seen == []


async def test_a_byte_more_of_undeclared_length_is_refused_before_its_end() -> None:
    body = _body(_LIMIT + 1)
    pieces = [chunk(body[at : at + 2**20]) for at in range(0, len(body), 2**20)]
    async with upstream(whole(_ANSWER)) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        reader, writer = await _dial(gw, "transfer-encoding: chunked\r\n", *pieces)
        status, _, _ = await _answer(reader)
        writer.close()
    assert status == 413
    assert up.seen == []


@pytest.mark.parametrize("begun", [b"", b'{"model":'])
async def test_a_body_that_does_not_go_on_is_given_up(begun: bytes) -> None:
    async with gateway(route("c"), body_seconds=0.2) as gw:
        reader, writer = await _dial(gw, "content-length: 99\r\n", begun)
        status, head, body = await _answer(reader)
        assert await reader.read() == b""  # closed: the rest could be taken for the next request
        writer.close()
        (record,) = await gw.records()
    assert (status, json.loads(body)["error"]["type"]) == (408, "timeout_error")
    assert "connection: close" in head
    assert record["outcome"] == "client_error"


async def test_a_body_that_comes_slowly_is_taken() -> None:
    body = _body(200)
    async with (
        upstream(whole(_ANSWER)) as up,
        gateway(route("c", targets=[target(base_url=up.url)]), body_seconds=0.4) as gw,
    ):
        reader, writer = await _dial(gw, f"content-length: {len(body)}\r\n")
        for at in range(0, len(body), 25):
            await asyncio.sleep(0.1)
            writer.write(body[at : at + 25])
        status, _, answer = await _answer(reader)
        writer.close()
    assert (status, answer) == (200, _ANSWER)
