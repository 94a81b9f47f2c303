"""Answers that are kept: for whom, for which requests, for how long, and what a hit costs."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.inprocess import Upstream, drop, hang, head, stream, upstream, whole
from tests.support.processes.inprocess import gateway as inprocess
from tests.support.processes.lone_gateway import LoneGateway, Reply
from tests.support.processes.waiting import until_async

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Cache, Match, Route, RouteRule
from claude_gateway.contract.target import Wire
from claude_gateway_scripted.local import Scripted

ALICE, BOB = "cgw_key-of-alice", "cgw_key-of-bob"
HELD = Cache(ttl=600)
MESSAGES: dict[str, Any] = {"model": "claude-a", "max_tokens": 64, "messages": [{"role": "user", "content": "one"}]}
CALLED = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "ls", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "one"}]}
EMBEDDINGS = {"model": "embed", "input": "one"}
CHAT = {"model": "embed", "messages": [{"role": "user", "content": "one"}]}
RED = Match(headers=(("x-team", "red"),))


@pytest.fixture(scope="module")
def scripted() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(scripted: Scripted) -> Iterator[LoneGateway]:
    rule = RouteRule(name="red", match=RED, targets=(target(base_url=scripted.url),))
    with LoneGateway(policy(scripted, rules=[rule])) as running:
        yield running


@pytest.fixture
def asked(scripted: Scripted) -> Callable[[], int]:
    """How often the upstream was asked in this test."""
    scripted.forget()
    return lambda: len(scripted.requests)


@pytest.fixture
def fresh() -> dict[str, Any]:
    """A request that no other test sends."""
    return {**MESSAGES, "metadata": {"user_id": uuid4().hex}}


def policy(scripted: Scripted, *, cache: Cache | None = HELD, **more: Any) -> Bundle:
    routes = [
        route("claude-a", targets=[target(base_url=scripted.url)], cache=cache, **more),
        route("embed", targets=[target(base_url=scripted.openai_url, wire=Wire.OPENAI)], cache=cache),
    ]
    return bundle(
        routes, clients=[Client(name="ns/alice"), Client(name="ns/bob")], keys={ALICE: "ns/alice", BOB: "ns/bob"}
    )


def ask(
    gateway: LoneGateway,
    body: Mapping[str, Any] = MESSAGES,
    *,
    path: str = "/v1/messages",
    key: str = ALICE,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    return gateway.call("POST", path, body=body, headers={"authorization": f"Bearer {key}", **(headers or {})})


def kept(serving: Upstream) -> Route:
    return route("claude-a", targets=[target(base_url=serving.url)], cache=HELD)


def said(reply: Reply) -> str | None:
    assert reply.status == 200, reply.body
    return reply.headers.get("x-gateway-cache")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", MESSAGES),
        ("/v1/messages/count_tokens", MESSAGES),
        ("/v1/embeddings", EMBEDDINGS),
        ("/v1/chat/completions", CHAT),
    ],
)
def test_the_same_request_gets_the_same_answer_and_asks_nobody(
    gateway: LoneGateway, asked: Callable[[], int], path: str, body: dict[str, Any]
) -> None:
    body = {**body, "user": uuid4().hex}
    first, second = ask(gateway, body, path=path), ask(gateway, body, path=path)
    assert (said(first), said(second)) == ("miss", "hit")
    assert second.body == first.body
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["request-id"] != first.headers["request-id"]
    assert int(second.headers["age"]) >= 0
    assert asked() == 1
    (hit,) = gateway.requests(count=1, request_id=second.headers["request-id"])
    assert (hit["cache"], hit["attempts"], hit["input_tokens"], hit["output_tokens"]) == ("hit", 0, 0, 0)
    assert (hit["outcome"], hit["status"]) == ("ok", 200)
    assert f'claude_gateway_cache_lookups_total{{result="hit",route="ns/{body["model"]}"}}' in (
        gateway.internal("/metrics").decode()
    )


def test_no_client_sees_what_another_one_was_answered(
    gateway: LoneGateway, asked: Callable[[], int], fresh: dict[str, Any]
) -> None:
    answers = [said(ask(gateway, fresh, key=key)) for key in (ALICE, BOB, ALICE, BOB)]
    assert answers == ["miss", "miss", "hit", "hit"]
    assert asked() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"stream": True},
        {"tools": [{"name": "x", "input_schema": {"type": "object"}}]},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"output_config": {"effort": "high"}},
        {"container": "c"},
        {"messages": [*MESSAGES["messages"], CALLED, RESULT]},
    ],
)
def test_what_is_more_than_a_question_is_always_asked(
    gateway: LoneGateway, asked: Callable[[], int], fresh: dict[str, Any], change: dict[str, Any]
) -> None:
    assert [said(ask(gateway, {**fresh, **change})) for _ in range(2)] == [None, None]
    assert asked() == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"x-claude-code-session-id": "s"},
        {"x-claude-code-agent-id": "a"},
        {"user-agent": "claude-cli/2.0.1 (external, cli)"},
        {"x-app": "cli"},
        {"user-agent": "opencode/1.0"},
        {"cache-control": "No-Store"},
    ],
)
def test_agents_and_no_store_are_always_asked(
    gateway: LoneGateway, fresh: dict[str, Any], headers: dict[str, str]
) -> None:
    assert [said(ask(gateway, fresh, headers=headers)) for _ in range(2)] == [None, None]
    assert said(ask(gateway, fresh)) == "miss", "nothing was kept"


@pytest.mark.parametrize("value", ["no-cache", "max-age=0", "private, no-cache"])
def test_no_cache_asks_and_keeps_the_new_answer(gateway: LoneGateway, fresh: dict[str, Any], value: str) -> None:
    assert said(ask(gateway, fresh)) == "miss"
    renewed = ask(gateway, fresh, headers={"cache-control": value})
    assert said(renewed) == "miss"
    again = ask(gateway, fresh)
    assert (said(again), again.body) == ("hit", renewed.body)


@pytest.mark.parametrize(
    ("path", "change", "headers"),
    [
        ("/v1/messages", {"temperature": 0.5}, {}),
        ("/v1/messages", {"model": "claude-a[1m]"}, {}),
        ("/v1/messages?beta=true", {}, {}),
        ("/v1/messages", {}, {"anthropic-beta": "x-2026-01-01"}),
        ("/v1/messages", {}, {"x-team": "red"}),
        ("/v1/messages/count_tokens", {}, {}),
    ],
)
def test_what_can_change_the_answer_is_part_of_the_key(
    gateway: LoneGateway, fresh: dict[str, Any], path: str, change: dict[str, Any], headers: dict[str, str]
) -> None:
    assert said(ask(gateway, fresh)) == "miss"
    assert said(ask(gateway, {**fresh, **change}, path=path, headers=headers)) == "miss"
    assert said(ask(gateway, fresh, headers={"user-agent": "x", "traceparent": "y", "x-request-id": "z"})) == "hit"


def test_an_edit_of_the_route_forgets_its_answers_and_no_other_ones(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted)) as gateway:
        assert [said(ask(gateway)), said(ask(gateway, EMBEDDINGS, path="/v1/embeddings"))] == ["miss", "miss"]
        gateway.apply(policy(scripted, display_name="New"))
        assert said(ask(gateway, EMBEDDINGS, path="/v1/embeddings")) == "hit"
        assert said(ask(gateway)) == "miss"
        gateway.apply(policy(scripted, cache=None))
        assert said(ask(gateway)) is None


def test_a_pod_without_room_keeps_nothing(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted), cache_bytes=0) as gateway:
        assert [said(ask(gateway)) for _ in range(2)] == [None, None]
    with LoneGateway(policy(scripted), cache_bytes=16) as gateway:
        assert [said(ask(gateway)) for _ in range(2)] == ["miss", "miss"]


def test_an_answer_that_is_too_large_is_not_kept(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, cache=Cache(ttl=600, max_bytes=64))) as gateway:
        assert [said(ask(gateway)) for _ in range(2)] == ["miss", "miss"]


async def test_only_whole_successful_answers_are_kept() -> None:
    error = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}).encode()

    async def cut(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(head(kind="application/json") + b'5\r\n{"a":\r\n')
        writer.close()

    answers = (
        *(whole(error, status="529 Overloaded"), whole(error, status="400 Bad"), cut, drop),
        *(whole(error), whole(b'{"error": {"message": "x"}}'), whole(b'{"ok": '), whole(b'{"error": null, "ok": 1}')),
    )
    async with upstream(*answers) as serving, inprocess(kept(serving)) as gateway:
        statuses = []
        for _ in range(9):
            answer = await gateway.post("/v1/messages", MESSAGES)
            statuses.append((answer.status, answer.headers.get("x-gateway-cache")))
            await answer.read()
        assert [status for status, _ in statuses[:4]].count(200) == 0
        assert [cache for _, cache in statuses[4:8]] == ["miss"] * 4
        assert statuses[8] == (200, "hit")
        assert len(serving.seen) == 8


async def test_what_a_client_did_not_wait_for_is_not_kept() -> None:
    async with upstream(hang, whole(b'{"ok": 1}')) as serving, inprocess(kept(serving)) as gateway:
        first = asyncio.create_task(gateway.post("/v1/messages", MESSAGES))
        await until_async(_asked(serving), what="the upstream to be asked")
        first.cancel()
        await gateway.idle()
        assert (await gateway.post("/v1/messages", MESSAGES)).headers["x-gateway-cache"] == "miss"


def _asked(serving: Upstream) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return bool(serving.seen)

    return ask


async def test_an_answer_that_streams_although_nobody_asked_for_it_is_passed_on() -> None:
    async with upstream(stream(b"event: ping\ndata: {}\n\n")) as serving, inprocess(kept(serving)) as gateway:
        for _ in range(2):
            answer = await gateway.post("/v1/messages", MESSAGES)
            assert await answer.read()
