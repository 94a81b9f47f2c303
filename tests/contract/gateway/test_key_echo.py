"""An upstream that quotes the key that it was called with: the client never sees it, on any lane."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import KEY, Gateway, Reply, Seen, Upstream, chunk, gateway, head, upstream, whole

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Aws, Target, Wire
from claude_gateway.names import LITELLM_SOCKET

_SECRET = "sk-proj-A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"
_ENTRY = secret_entry("ns.key", _SECRET.encode())
_TOKEN = "aws-bearer-A1b2C3d4E5f6G7h8I9j0"
_AWS_SECRET = json.dumps({"bearerToken": _TOKEN}, separators=(",", ":")).encode()
_AWS = secret_entry("ns.aws", _AWS_SECRET)
_LANES: dict[str, tuple[str, dict[str, Any], str]] = {
    "anthropic": ("/v1/messages", {"wire": Wire.ANTHROPIC, "secret": _ENTRY}, _SECRET),
    "openai": ("/v1/chat/completions", {"wire": Wire.OPENAI, "secret": _ENTRY}, _SECRET),
    "bedrock": ("/v1/messages", {"wire": Wire.BEDROCK, "secret": _AWS, "aws": Aws(region="x-y-1")}, _TOKEN),
}
_BODY = {"model": "c", "max_tokens": 9, "messages": []}


def _lane(name: str) -> Callable[[str], Target]:
    return lambda url: target(base_url=url, **_LANES[name][1])


@asynccontextmanager
async def _serving(reply: Reply, there: Callable[[str], Target]) -> AsyncIterator[tuple[Gateway, Upstream]]:
    """A gateway whose only route leads to an upstream with this reply."""
    secrets = {_ENTRY: _SECRET.encode(), _AWS: _AWS_SECRET}
    async with upstream(reply) as up, gateway(route("c", targets=[there(up.url)]), secrets=secrets) as gw:
        yield gw, up


async def _ask(gw: Gateway, path: str, **more: object) -> str:
    """The whole answer, headers and log included."""
    answer = await gw.post(path, {**_BODY, **more})
    text = (await answer.read()).decode()
    return f"{answer.status} {answer.headers} {text} {await gw.records()}"


def _quoted(key: str) -> bytes:
    error = {"type": "invalid_request_error", "message": f"bad header {key}, {key[:7]}...{key[-4:]} and {key[:-4]}"}
    text = json.dumps({"type": "error", "error": error, "request_id": "req_1"})
    return text.replace(key[-6:], "".join(f"\\u{ord(each):04x}" for each in key[-6:]), 1).encode()


_PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("br", bytes),
]


@pytest.mark.parametrize("lane", _LANES)
@pytest.mark.parametrize("status", ["400 Bad", "529 Busy"])
@pytest.mark.parametrize(("encoding", "pack"), _PACKED)
async def test_an_error_without_the_key(lane: str, status: str, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    path, _, key = _LANES[lane]
    headers = f"content-type: application/json\r\nanthropic-echo: {key}\r\nrequest-id: {key}\r\n"
    headers += f"content-encoding: {encoding}\r\n" if encoding else ""
    async with _serving(whole(pack(_quoted(key)), status=status, headers=headers), _lane(lane)) as (gw, up):
        said = await _ask(gw, path)
    assert key in str(up.seen[0].headers)
    assert said.startswith(status[:3])
    assert key[-4:] not in said
    assert key[:12] not in said
    assert ("bad header [key]" in said) is (encoding != "br")
    assert "content-encoding" not in said.lower()


@pytest.mark.parametrize("size", [300_000, 100_000_000])
async def test_a_large_error_is_dropped_and_never_unpacked_whole(size: int) -> None:
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(b" " * 1_000_000) for _ in range(max(1, size // 1_000_000))]
    body = b"".join((packer.compress(b'{"error":"x'), *parts, packer.compress(b'"}'), packer.flush()))
    reply = whole(body, status="400 Bad", headers="content-encoding: gzip\r\n")
    async with _serving(reply, _lane("anthropic")) as (gw, _):
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, (await answer.json())["error"]["message"][-14:]) == (400, "and no message")


async def test_the_workers_error_without_the_key() -> None:
    there = target(base_url="http://127.0.0.1:1", formats=(), secret=_ENTRY)
    async with (
        gateway(route("c", targets=[there]), secrets={_ENTRY: _SECRET.encode()}) as gw,
        upstream(whole(_quoted(_SECRET), status="400 Bad"), path=gw.run_dir / LITELLM_SOCKET),
    ):
        said = await _ask(gw, "/v1/messages")
    assert _SECRET[-4:] not in said
    assert "bad header [key]" in said


async def test_an_error_of_the_clients_own_login_is_its_own() -> None:
    said = _quoted(_SECRET)
    login = {"x-gateway-key": KEY, "authorization": f"Bearer {_SECRET}"}
    reply = whole(said, status="400 Bad")
    async with _serving(reply, lambda url: target(base_url=url, forward_client_token=True)) as (gw, _):
        answer = await gw.post("/v1/messages", _BODY, headers=login)
        assert await answer.read() == said


async def test_an_error_without_a_key_is_not_touched() -> None:
    said = b'{ "type":"error",  "error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1 \\u00e9"}}'
    async with _serving(whole(said, status="400 Bad"), _lane("anthropic")) as (gw, _):
        answer = await gw.post("/v1/messages", _BODY)
        assert await answer.read() == said


@pytest.mark.parametrize("cut", [0, 5, 20, 60, 90, 120])
async def test_an_error_within_a_stream_without_the_key(cut: int) -> None:
    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + chunk(b'event: message_start\ndata: {"type":"message_start"}\n\n'))
        event = b"event: error\ndata: %s\n\n" % _quoted(_SECRET)
        for part in (event[:cut], event[cut:]):
            if part:
                writer.write(chunk(part))
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.write(chunk(b""))

    async with _serving(reply, _lane("anthropic")) as (gw, _):
        said = await _ask(gw, "/v1/messages", stream=True)
    assert "event: error\ndata: " in said
    assert "bad header [key]" in said
    assert _SECRET[-4:] not in said


async def test_an_answer_that_quotes_the_whole_key_keeps_its_length() -> None:
    body = json.dumps({"headers": {"x-api-key": _SECRET}, "content": []}).encode()
    async with _serving(whole(body), _lane("anthropic")) as (gw, _):
        answer = await gw.post("/v1/messages", _BODY)
        assert await answer.read() == body.replace(_SECRET.encode(), b"*" * len(_SECRET))


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_within_a_successful_answer_of_an_openai_server(stream: bool) -> None:
    document = json.dumps(
        {"id": "gen-1", "error": {"code": 502, "message": f"{_SECRET[:7]}...{_SECRET[-4:]}"}}
    ).encode()

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + chunk(b'data: {"choices":[]}\n\n') + chunk(b"data: %s\n\n" % document) + chunk(b""))

    async with _serving(reply if stream else whole(document), _lane("openai")) as (gw, _):
        said = await _ask(gw, "/v1/chat/completions", stream=stream)
    assert said.startswith("200")
    assert '"message":"[key]"' in said
    assert _SECRET[-4:] not in said
