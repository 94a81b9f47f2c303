"""What requests cost, over real sockets: on every lane, of broken answers too, and with the same sum everywhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from prometheus_client.parser import text_string_to_metric_families
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.idp import identity_provider
from tests.support.processes.inprocess import (
    Gateway,
    Reply,
    Seen,
    chunk,
    events,
    gateway,
    head,
    stream,
    upstream,
    whole,
)
from tests.support.processes.lone_gateway import LoneGateway

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.client import Client, TokenRule
from claude_gateway.contract.target import Format, Translation, Wire
from claude_gateway.names import LITELLM_SOCKET

_SECRET = b"sk-upstream"
_ENTRY = secret_entry("ns.key", _SECRET)
_ASKED: dict[str, Any] = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}
_STREAMED = {**_ASKED, "stream": True}
_AGENT = {"x-claude-code-session-id": "s-1", "x-claude-code-agent-id": "a-1"}
_WHOLE = json.dumps({"type": "message", "usage": {"input_tokens": 5, "output_tokens": 7}}).encode()
_CHAT = json.dumps(
    {
        "id": "c",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 5},
    }
).encode()
_WORDS = "many words that somebody has to pay for "
_SAID = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":%b}\n\n'
    % json.dumps({"type": "text_delta", "text": _WORDS}).encode()
)
_BEGUN = (*events("message_start"), *[_SAID] * 20)
_CHAT_CHUNK = (
    b"data: %b\n\n"
    % json.dumps(
        {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": _WORDS}}]}
    ).encode()
)
_LANES: dict[str, tuple[bytes, ...]] = {"relay": _BEGUN, "codec": (_CHAT_CHUNK,) * 20, "litellm": _BEGUN}
"""What an upstream of each lane says before it breaks off; the worker of LiteLLM speaks the client's format."""


@asynccontextmanager
async def lane(name: str, *replies: Reply) -> AsyncIterator[Gateway]:
    """A gateway whose one route goes through a lane, to an upstream with these replies."""
    async with AsyncExitStack() as stack:
        if name == "litellm":
            there = target(
                wire=Wire.OPENAI, provider="openai", model="gpt-5", base_url="http://127.0.0.1:1", secret=_ENTRY
            )
            gw = await stack.enter_async_context(gateway(route("m", targets=[there]), secrets={_ENTRY: _SECRET}))
            await stack.enter_async_context(upstream(*replies, path=gw.run_dir / LITELLM_SOCKET))
        else:
            up = await stack.enter_async_context(upstream(*replies))
            codec = Translation(codec=(Format.MESSAGES, Format.COUNT_TOKENS))
            there = (
                target(base_url=up.url, model="claude-opus-4-6")
                if name == "relay"
                else target(
                    wire=Wire.OPENAI,
                    provider="openai",
                    model="gpt-5",
                    base_url=f"{up.url}/v1",
                    secret=_ENTRY,
                    translation=codec,
                )
            )
            gw = await stack.enter_async_context(gateway(route("m", targets=[there]), secrets={_ENTRY: _SECRET}))
        yield gw


def breaking(*parts: bytes) -> Reply:
    """Answer with the beginning of a stream, and close the connection."""

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + b"".join(map(chunk, parts)))
        await writer.drain()
        writer.close()

    return reply


async def _reads_to_the_end(gw: Gateway) -> None:
    async with await gw.post("/v1/messages", _STREAMED, headers=_AGENT) as answer:
        assert answer.status == 200
        with pytest.raises(ClientPayloadError):
            await answer.read()


async def _leaves(gw: Gateway) -> None:
    async with await gw.post("/v1/messages", _STREAMED, headers=_AGENT) as answer:
        read = 0
        while read < 20 * len(_WORDS):
            read += len(await answer.content.readany())
        answer.close()


@pytest.mark.parametrize("name", _LANES)
@pytest.mark.parametrize("how", ["the upstream breaks off", "the client leaves"])
async def test_a_stream_that_does_not_end_costs_what_was_sent(name: str, how: str) -> None:
    breaks = how == "the upstream breaks off"
    said = breaking(*_LANES[name]) if breaks else stream(*_LANES[name], end=False)
    async with lane(name, said) as gw:
        await (_reads_to_the_end if breaks else _leaves)(gw)
        (record,) = await gw.records()
    assert record["lane"] == name
    assert record["cost_estimated"] is True
    # Twenty times eight words: about 160 tokens, rather too many than too few, and never the bytes of the frame.
    assert 120 <= record["output_tokens"] <= 400
    assert record["input_tokens"] > 0
    assert Decimal(record["cost_usd"]) > 0
    assert (record["session"], record["agent"]) == ("s-1", "a-1")


async def _metric(gw: Gateway, name: str) -> float:
    families = text_string_to_metric_families(gw.metrics.text().decode())
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


async def _usage(gw: Gateway) -> dict[str, Any]:
    headers = {"authorization": "Bearer cgw_test-key"}
    async with gw.client.get(f"{gw.url}/v1/usage", headers=headers) as answer:
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        found: dict[str, Any] = json.loads(await answer.read())
    return found


_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


async def test_log_metrics_and_usage_have_the_same_sums() -> None:
    replies = (whole(_WHOLE), stream(*events("message_start", "message_delta", "message_stop")), breaking(*_BEGUN))
    async with lane("relay", *replies) as gw:
        for body in (_ASKED, _STREAMED):
            async with await gw.post("/v1/messages", body) as answer:
                await answer.read()
        await _reads_to_the_end(gw)
        async with await gw.post("/v1/messages", {**_ASKED, "model": "nobody-has-it"}) as answer:
            assert answer.status == 404
        records = await gw.records(4)
        await gw.idle()
        document = await _usage(gw)
        counted = await _metric(gw, "claude_gateway_cost_dollars_total")
        tokens = await _metric(gw, "claude_gateway_tokens_total")
    total = sum(Decimal(record["cost_usd"]) for record in records)
    assert total > 0
    assert document["total"]["requests"] == 3, "what reached no target costs nothing, and is not counted"
    for name in ("hour", "day", "week", "month"):
        assert Decimal(document["windows"][name]["cost_usd"]) == total
    assert Decimal(document["total"]["cost_usd"]) == total
    assert Decimal(document["total"]["estimated_usd"]) == Decimal(records[2]["cost_usd"])
    assert [Decimal(each["cost_usd"]) for each in document["models"]] == [total]
    assert counted == pytest.approx(float(total), rel=1e-12)
    sums = {name: sum(record[name] for record in records) for name in _TOKENS}
    assert {name: document["total"][name] for name in _TOKENS} == sums
    assert tokens == sum(sums.values())


async def test_an_answer_that_was_translated_costs_what_its_upstream_counted() -> None:
    async with lane("codec", whole(_CHAT)) as gw:
        async with await gw.post("/v1/messages", _ASKED) as answer:
            assert answer.status == 200
        (record,) = await gw.records()
        await gw.idle()
        document = await _usage(gw)
    # 11 tokens at $1.25 and 5 at $10 per million.
    assert (record["cost_usd"], record["billed_model"], "cost_estimated" in record) == ("0.00006375", "gpt-5", False)
    assert document["models"][0]["cost_usd"] == "0.00006375"


@pytest.fixture(scope="module")
def callers() -> Iterator[tuple[LoneGateway, dict[str, dict[str, str]]]]:
    """A gateway, and what each kind of caller shows to it."""
    with identity_provider() as idp:
        rule = TokenRule.model_validate({"issuer": idp.issuer, "audiences": ("claude-gateway",)})
        client = Client(name="ns/dev", tokens=(rule,))
        token = idp.token(sub="alice@example.com", aud="claude-gateway")
        shown = {"key": {"x-api-key": "cgw_k"}, "person": {"authorization": f"Bearer {token}"}, "nobody": {}}
        with LoneGateway(bundle(clients=[client], keys={"cgw_k": "ns/dev"})) as running:
            yield running, shown


@pytest.mark.parametrize(
    ("method", "path", "caller", "status"),
    [
        ("GET", "/v1/usage", "key", 200),
        ("HEAD", "/v1/usage", "key", 200),
        ("GET", "/v1/usage", "person", 200),
        ("GET", "/v1/usage", "nobody", 401),
        ("POST", "/v1/usage", "key", 405),
        ("GET", "/api/oauth/usage", "person", 200),
        ("GET", "/api/oauth/usage", "key", 404),
        ("GET", "/api/oauth/usage", "nobody", 401),
        ("DELETE", "/api/oauth/usage", "person", 405),
    ],
)
def test_everybody_may_ask_for_their_own_usage_alone(
    callers: tuple[LoneGateway, dict[str, dict[str, str]]], method: str, path: str, caller: str, status: int
) -> None:
    gw, shown = callers
    answer = gw.call(method, path, headers=shown[caller])
    assert answer.status == status
    if method != "GET":
        return
    if status == 200:
        assert answer.headers["cache-control"] == "no-store"
        document = answer.json
        assert document["limits"] == [] if "oauth" in path else document["total"]["requests"] == 0
        assert document.get("user", "alice@example.com") == ("alice@example.com" if caller == "person" else None)
    else:
        assert answer.json["error"]["message"]
