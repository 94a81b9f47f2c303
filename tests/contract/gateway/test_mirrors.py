"""Shadow traffic: clients notice nothing of it, its answers are compared, and it is charged apart."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    Gateway,
    Reply,
    Seen,
    Upstream,
    drop,
    events,
    gateway,
    stream,
    upstream,
    whole,
)
from tests.support.processes.waiting import until_async

from claude_gateway.contract.route import Mirror, Timeouts
from claude_gateway.contract.target import Format, Translation, Wire
from claude_gateway_proxy.gateway.admission.load import Bounds, Load

_ASKED: Final[Mapping[str, Any]] = {"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_CALL: Final = '{"type":"tool_use","id":"t","name":"%s","input":{}}'


def _message(*tools: str, tokens: int = 1) -> bytes:
    content = ",".join(_CALL % name for name in tools)
    return (
        f'{{"type":"message","model":"c","content":[{content}],"usage":{{"input_tokens":{tokens},"output_tokens":1}}}}'
    ).encode()


@asynccontextmanager
async def _served(
    reply: Reply, candidate: Reply, *, percent: float = 100, load: Load | None = None, **more: Any
) -> AsyncIterator[tuple[Gateway, Upstream, Upstream]]:
    async with upstream(reply) as up, upstream(candidate) as other:
        mirror = Mirror(target=target(base_url=other.url, model="candidate", **more), percent=percent)
        timeouts = Timeouts(first_token=5, idle=5, total=5)
        there = route("c", targets=[target(base_url=up.url)], mirror=mirror, timeouts=timeouts)
        async with gateway(there, load=load) as gw:
            yield gw, up, other


async def _metric(gw: Gateway, name: str, **labels: str) -> float:
    text = "{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}"
    for line in gw.metrics.text().decode().splitlines():
        if line.startswith(f"{name}{text} "):
            return float(line.rpartition(" ")[2])
    return 0


async def _compared(gw: Gateway, result: str, count: int = 1) -> None:
    async def ask() -> bool:
        return await _metric(gw, "claude_gateway_mirrored_requests_total", route="ns/c", result=result) == count

    await until_async(ask, what=f"{count} comparisons as {result}")


async def test_a_copy_is_sent_compared_and_charged_apart() -> None:
    async with _served(whole(_message("Bash", tokens=3)), whole(_message("Bash", tokens=5))) as (gw, up, other):
        answer = await gw.post("/v1/messages", _ASKED, headers={"x-claude-code-session-id": "s"})
        assert await answer.read() == _message("Bash", tokens=3)
        await _compared(gw, "same_tools")
        first, second = sorted(await gw.records(2), key=lambda record: "mirrors" in record)
        labels = {"client": "ns/dev", "route": "ns/c"}
        name = "claude_gateway_mirror_tokens_total"
        assert await _metric(gw, name, **labels, side="original", type="input") == 3
        assert await _metric(gw, name, **labels, side="copy", type="input") == 5
        assert await _metric(gw, "claude_gateway_tokens_total", **labels, type="input") == 3
        model = {"provider": "anthropic", "model": "candidate"}
        spent = await _metric(gw, "claude_gateway_mirror_cost_dollars_total", **labels, **model, side="copy")
        assert spent == pytest.approx(float(second["cost_usd"]))
        assert spent > 0
        assert await _metric(gw, "claude_gateway_cost_dollars_total", **labels, **model) == 0
        assert await _metric(gw, "claude_gateway_mirror_duration_seconds_count", route="ns/c", side="copy") == 1
    assert json.loads(up.seen[0].body)["messages"] == json.loads(other.seen[0].body)["messages"]
    assert json.loads(other.seen[0].body)["model"] == "candidate"
    assert second["mirrors"] == first["request_id"]
    assert (second["client"], second["session"], second["input_tokens"]) == ("ns/dev", "s", 5)
    assert second["target"] != first["target"]


@pytest.mark.parametrize(
    ("reply", "candidate", "result"),
    [
        (whole(_message("Bash", "Read")), whole(_message("Read", "Bash")), "same_tools"),
        (whole(_message()), whole(_message()), "same_tools"),
        (whole(_message("Bash")), whole(_message()), "other_tools"),
        (whole(_message("Bash")), whole(_message("Read")), "other_tools"),
        (whole(_message()), whole(b"{}", status="500 Oh"), "failed"),
        (whole(_message()), drop, "failed"),
        (whole(b"{}", status="400 No"), whole(_message()), "original_failed"),
        (whole(b"{}", status="400 No"), whole(b"{}", status="400 No"), "both_failed"),
    ],
)
async def test_answers_are_compared_by_their_tools_and_failures(reply: Reply, candidate: Reply, result: str) -> None:
    async with _served(reply, candidate) as (gw, _, __):
        await (await gw.post("/v1/messages", _ASKED)).read()
        await _compared(gw, result)


async def test_a_candidate_of_another_format_is_compared_as_well() -> None:
    chat = (
        b'{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":'
        b'"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"Bash","arguments":'
        b'"{}"}}]},"finish_reason":"tool_calls"}]}'
    )
    more: dict[str, Any] = {"wire": Wire.OPENAI, "formats": (), "translation": Translation(codec=(Format.MESSAGES,))}
    async with _served(whole(_message("Bash")), whole(chat), **more) as (gw, _, __):
        tools = [{"name": "Bash", "input_schema": {"type": "object"}}]
        await (await gw.post("/v1/messages", {**_ASKED, "tools": tools})).read()
        await _compared(gw, "same_tools")


async def test_a_silent_candidate_delays_nothing_and_outlives_the_request() -> None:
    going = asyncio.Event()

    async def slow(_: Seen, writer: asyncio.StreamWriter) -> None:
        await going.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")

    parts = events("message_start", "content_block_delta", "message_delta", "message_stop")
    async with _served(stream(*parts), slow) as (gw, _, other):
        answer = await gw.post("/v1/messages", {**_ASKED, "stream": True})
        assert await answer.read() == b"".join(parts)
        (record,) = await gw.records()
        assert record["outcome"] == "ok"
        assert gw.app.in_flight == 0
        going.set()
        await _compared(gw, "same_tools")
        assert len(await gw.records(2)) == 2
    assert len(other.seen) == 1


async def test_a_copy_has_no_login_and_no_key_of_the_client() -> None:
    async with _served(whole(_message()), whole(_message())) as (gw, _, other):
        mine = {"x-gateway-key": "cgw_test-key", "authorization": "Bearer sk-ant-oat01-mine", "idempotency-key": "i"}
        await (await gw.post("/v1/messages", _ASKED, headers=mine)).read()
        await _compared(gw, "same_tools")
    names = {name.lower() for name, _ in other.seen[0].headers}
    assert names.isdisjoint({"authorization", "x-gateway-key", "x-api-key", "idempotency-key"})


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"mcp_servers": [{"url": "https://mcp.example", "authorization_token": "t"}]},
        {"container": "c"},
    ],
)
async def test_what_an_upstream_would_run_twice_is_not_copied(more: Mapping[str, Any]) -> None:
    async with _served(whole(_message()), whole(_message())) as (gw, _, other):
        await (await gw.post("/v1/messages", {**_ASKED, **more})).read()
        await (await gw.post("/v1/messages/count_tokens", _ASKED)).read()
        await (await gw.post("/v1/messages", _ASKED)).read()
        await _compared(gw, "same_tools")
    assert [json.loads(seen.body) for seen in other.seen] == [{**_ASKED, "model": "candidate"}]


async def test_a_rejected_request_is_not_copied() -> None:
    async with _served(drop, whole(_message())) as (gw, _, other):
        assert (await gw.post("/v1/messages", _ASKED)).status == 502
        assert other.seen == []


async def test_conversations_stay_whole() -> None:
    async with _served(whole(_message()), whole(_message()), percent=30) as (gw, _, other):
        for turn in range(3):
            for session in range(40):
                body = {**_ASKED, "messages": [{"role": "user", "content": f"{turn}"}], "metadata": {"n": session}}
                answer = await gw.post("/v1/messages", body, headers={"x-claude-code-session-id": f"s{session}"})
                await answer.read()

        async def ask() -> set[int]:
            sessions = [json.loads(seen.body)["metadata"]["n"] for seen in other.seen]
            whole_ones = {each for each in sessions if sessions.count(each) == 3}
            return whole_ones if whole_ones == set(sessions) else set()

        found = await until_async(ask, what="every copied session to be copied whole")
    assert 3 <= len(found) <= 25


async def test_copies_are_dropped_first_under_load() -> None:
    load = Load(pod=Bounds(requests=1, bytes=2**20), client=Bounds(requests=1, bytes=2**20))
    async with _served(whole(_message()), whole(_message()), load=load) as (gw, _, other):
        assert (await gw.post("/v1/messages", _ASKED)).status == 200
        await _compared(gw, "dropped")
    assert other.seen == []
