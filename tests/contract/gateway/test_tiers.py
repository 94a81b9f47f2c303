"""Tiers across clouds: Anthropic, then Bedrock, then Vertex AI, then another model; the client always gets Messages."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import pytest
from tests.support.builders.bundles import route, target
from tests.support.builders.clouds import service_account
from tests.support.processes.inprocess import (
    Gateway,
    Reply,
    Seen,
    Upstream,
    drop,
    events,
    gateway,
    head,
    stream,
    upstream,
    whole,
)

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Aws, Format, Google, Target, Translation, Wire
from claude_gateway.names import LITELLM_SOCKET

_BODY: Final = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_BEARER: Final = b'{"bearerToken": "aws-bearer"}'
_MESSAGE: Final = whole(
    json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "hello"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 5, "output_tokens": 7},
        }
    ).encode()
)
_CHAT: Final = whole(
    json.dumps(
        {
            "id": "c",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7},
        }
    ).encode()
)
_FAILURES: Final = (
    whole(b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', status="529 Overloaded"),
    whole(b'{"message":"Too many requests"}', status="429 Too Many Requests", headers="retry-after: 60\r\n"),
    drop,
)


@dataclass(frozen=True)
class Tiers:
    """A gateway and its four upstreams, the first to be tried first."""

    gateway: Gateway
    upstreams: list[Upstream]


@asynccontextmanager
async def _tiers() -> AsyncIterator[Tiers]:
    async with AsyncExitStack() as stack:
        ups = [await stack.enter_async_context(upstream(reply)) for reply in (*[_MESSAGE] * 3, _CHAT)]
        google = await stack.enter_async_context(upstream(whole(b'{"access_token": "token", "expires_in": 3600}')))
        key = json.dumps(service_account(f"{google.url}/token")).encode()
        bearer, file = secret_entry("ns.aws", _BEARER), secret_entry("ns.google", key)
        gw = await stack.enter_async_context(
            gateway(route("claude-*", targets=_targets(ups, bearer, file)), secrets={bearer: _BEARER, file: key})
        )
        yield Tiers(gw, ups)


def _targets(ups: list[Upstream], bearer: str, file: str) -> list[Target]:
    return [
        target(base_url=ups[0].url, model="*", id="ns/c/0.0"),
        target(
            wire=Wire.BEDROCK,
            base_url=ups[1].url,
            model="*",
            aws=Aws(region="us-east-1"),
            secret=bearer,
            id="ns/c/1.0",
            priority=1,
        ),
        target(
            wire=Wire.VERTEX,
            base_url=ups[2].url,
            model="*",
            google=Google(project="p", location="global"),
            secret=file,
            id="ns/c/2.0",
            priority=2,
        ),
        target(
            wire=Wire.OPENAI,
            base_url=f"{ups[3].url}/v1",
            model="gpt-5.4",
            translation=Translation(codec=(Format.MESSAGES,)),
            id="ns/c/3.0",
            priority=3,
        ),
    ]


@pytest.mark.parametrize("failing", _FAILURES)
async def test_each_tier_takes_over_from_the_one_before_it(failing: Reply) -> None:
    async with _tiers() as tiers:
        for number, up in enumerate(tiers.upstreams):
            found = [len(each.seen) for each in tiers.upstreams]
            answer = await tiers.gateway.post("/v1/messages", _BODY)
            said = json.loads(await answer.read())
            assert (answer.status, said["content"]) == (200, [{"type": "text", "text": "hello"}])
            asked = [len(each.seen) - before for each, before in zip(tiers.upstreams, found, strict=True)]
            assert asked[number:] == [1] + [0] * (3 - number)
            up.replies[:] = [failing]


async def test_the_first_tier_is_asked_again_when_it_is_well() -> None:
    async with _tiers() as tiers:
        tiers.upstreams[0].replies[:] = [
            whole(b"{}", status="429 Too Many Requests", headers="retry-after-ms: 100\r\n"),
            _MESSAGE,
        ]
        targets = []
        for _ in range(5000):
            answer = await tiers.gateway.post("/v1/messages", _BODY)
            assert answer.status == 200
            await answer.read()
            targets.append(len(tiers.upstreams[0].seen))
            if targets[-1] == 3:
                break
    assert targets[-1] == 3
    assert len(tiers.upstreams[1].seen) == len(targets) - 2
    assert tiers.upstreams[2].seen == tiers.upstreams[3].seen == []


_CHAT_ERROR: Final = b'data: {"error":{"message":"busy","type":"server_error","code":"server_error"}}\n\n'
_CHAT_ROLE: Final = b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
_EVENT_ERROR: Final = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
_EVENTS: Final = events("message_start", "content_block_start", "message_delta", "message_stop")


async def _cut(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(head())
    writer.close()


@pytest.mark.parametrize(
    "failing", [_FAILURES[0], drop, _cut, stream(_CHAT_ERROR), stream(_CHAT_ROLE, _CHAT_ERROR), stream(_CHAT_ROLE)]
)
async def test_the_codec_lane_fails_over_before_the_first_content(failing: Reply) -> None:
    async with upstream(failing) as bad, upstream(stream(*_EVENTS)) as good:
        translated = target(
            wire=Wire.OPENAI,
            base_url=f"{bad.url}/v1",
            translation=Translation(codec=(Format.MESSAGES,)),
            id="ns/c/0.0",
        )
        async with gateway(route("claude-*", targets=[translated, _last(good)])) as gw:
            assert await _streamed(gw) == b"".join(_EVENTS)
            (record,) = await gw.records()
    assert (record["attempts"], record["target"], record["lane"]) == (2, "ns/c/1.0", "relay")
    assert (len(bad.seen), len(good.seen)) == (1, 1)


@pytest.mark.parametrize(
    "failing",
    [_FAILURES[0], drop, _cut, stream(_EVENT_ERROR), stream(_EVENTS[0], _EVENT_ERROR), stream(_EVENTS[0])],
)
async def test_the_litellm_lane_fails_over_before_the_first_content(failing: Reply) -> None:
    translated = target(base_url="http://127.0.0.1:1", formats=(), id="ns/c/0.0")
    async with (
        upstream(stream(*_EVENTS)) as good,
        gateway(route("claude-*", targets=[translated, _last(good)])) as gw,
        upstream(failing, path=gw.run_dir / LITELLM_SOCKET) as worker,
    ):
        assert await _streamed(gw) == b"".join(_EVENTS)
        (record,) = await gw.records()
    assert (record["attempts"], record["target"], record["lane"]) == (2, "ns/c/1.0", "relay")
    # A worker that goes away gets a request once more when it is back; nobody has answered it.
    assert len(worker.seen) == (2 if failing is drop else 1)
    assert len(good.seen) == 1


def _last(good: Upstream) -> Target:
    return target(base_url=good.url, id="ns/c/1.0", priority=1)


async def _streamed(gw: Gateway) -> bytes:
    answer = await gw.post("/v1/messages", {**_BODY, "stream": True})
    assert answer.status == 200
    return await answer.read()
