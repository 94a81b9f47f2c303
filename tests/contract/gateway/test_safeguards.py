"""Verdicts on tool calls in answers of targets that cannot judge them: asked of a judge, never made up."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    Gateway,
    Reply,
    Seen,
    Upstream,
    chunk,
    drop,
    gateway,
    hang,
    head,
    stream,
    upstream,
    whole,
)
from tests.support.processes.waiting import until_async

from claude_gateway.contract.route import Timeouts
from claude_gateway.contract.target import Target, Wire
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.translation.messages.dialect import plain_messages
from claude_gateway_scripted.judge import judged

SAFEGUARDS = [{"type": "dangerous_tool_use", "classifier_context": {"v": 1, "live_cwd": "/work"}}]
BETA = {"anthropic-beta": "dangerous-tool-use-2026-09-03"}
TEXT = "The token is"


def event(data: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (data["type"].encode(), json.dumps(data).encode())


def calling(*commands: str, ids: tuple[str, ...] = ()) -> list[bytes]:
    """An answer that says something and then wants these commands run."""
    parts: list[Mapping[str, Any]] = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "SAID"}},
        {"type": "content_block_stop", "index": 0},
    ]
    for index, command in enumerate(commands, start=1):
        ident = ids[index - 1] if ids else f"toolu_{index}"
        block = {"type": "tool_use", "id": ident, "name": "Bash", "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps({"command": command})}
        parts += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    closing = {"stop_reason": "tool_use" if commands else "end_turn", "stop_sequence": None}
    parts += [{"type": "message_delta", "delta": closing, "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
    return [event(part) for part in parts]


def message(text: str) -> bytes:
    usage = {"input_tokens": 800, "output_tokens": 30}
    return json.dumps({"type": "message", "content": [{"type": "text", "text": text}], "usage": usage}).encode()


async def sensible(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """A judge that finds ``rm`` dangerous."""
    text = json.loads(seen.body)["messages"][0]["content"]
    await whole(message(judged(text, dangerous="rm")))(seen, writer)


@dataclass(frozen=True)
class Stack:
    """The gateway; its LiteLLM worker, played by ``worker``; the judge's upstream."""

    gw: Gateway
    worker: Upstream
    judge: Upstream

    async def ask(self, *, streaming: bool = True, **more: Any) -> bytes:
        answer = await self.gw.post(
            "/v1/messages",
            {"model": "gpt", "stream": streaming, "messages": [], "safeguards": SAFEGUARDS, **more},
            headers=BETA,
        )
        assert answer.status == 200
        return await answer.read()


@asynccontextmanager
async def stack(
    worker: Reply, judge: Reply = sensible, *, ping_seconds: float = 0, **more: Any
) -> AsyncIterator[Stack]:
    async with upstream(judge) as judging:
        gpt = target(base_url="http://127.0.0.1:1", wire=Wire.OPENAI)
        values = {"targets": [gpt], "safeguards_model": "judge", **more}
        routes = [route("gpt", **values), route("judge", targets=[target(base_url=judging.url, model="strict")])]
        async with (
            gateway(*routes, ping_seconds=ping_seconds) as gw,
            upstream(worker, path=gw.run_dir / LITELLM_SOCKET) as working,
        ):
            yield Stack(gw, working, judging)


def closing(answer: bytes) -> dict[str, Any]:
    (line,) = [line for line in answer.splitlines() if b'"message_delta"' in line]
    found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))["delta"]
    return found


def status(answer: bytes) -> dict[str, Any]:
    ((entry),) = closing(answer)["safeguard_results"]
    assert entry["type"] == "dangerous_tool_use"
    found: dict[str, Any] = entry["status"]
    return found


SAFE = {"type": "evaluated", "outcome": "not_flagged"}
FLAGGED = {"type": "evaluated", "outcome": "flagged", "explanation": "scripted: 'rm'"}


async def test_each_call_gets_the_judges_verdict() -> None:
    parts = calling("ls", "rm -rf /")
    async with stack(stream(*parts)) as running:
        answer = await running.ask(metadata={"user_id": "u"})
    assert status(answer) == {"type": "available", "tool_uses": {"toolu_1": SAFE, "toolu_2": FLAGGED}}
    assert closing(answer)["stop_reason"] == "tool_use"
    assert answer.startswith(b"".join(parts[:-2]))
    assert answer.endswith(parts[-1])
    sent = plain_messages(json.loads(running.worker.seen[0].body))  # the worker's first step
    assert "safeguards" not in sent


async def test_the_judge_is_asked_as_a_request_of_its_own() -> None:
    async with stack(stream(*calling("ls", "rm -rf /"))) as running:
        await running.ask(messages=[{"role": "user", "content": "tidy up"}])
        (seen,) = running.judge.seen
        lines = await running.gw.records(2)
        metrics = running.gw.metrics.text().decode()
    asked = json.loads(seen.body)
    assert (seen.target, asked["model"], "safeguards" in asked, "stream" in asked) == (
        "/v1/messages",
        "strict",
        False,
        False,
    )
    assert "tidy up" in asked["messages"][0]["content"]
    assert (seen.header("anthropic-beta"), seen.header("authorization")) == (None, None)
    judging, judged_ = lines
    assert (judging["route"], judging["client"], judging["input_tokens"]) == ("ns/judge", "ns/dev", 800)
    assert (judging["judges"], judging["status"], judging["lane"]) == (judged_["request_id"], 200, "relay")
    assert judged_["safeguards"] == {"not_flagged": 1, "flagged": 1}
    assert 'claude_gateway_tokens_total{client="ns/dev",route="ns/judge",type="input"} 800.0' in metrics
    assert 'claude_gateway_safeguard_verdicts_total{client="ns/dev",route="ns/gpt",verdict="flagged"} 1.0' in metrics


class Slow:
    """A judge that waits for a sign."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        await self.go.wait()
        await sensible(seen, writer)


async def test_all_but_the_end_passes_at_once_and_pings_go_on_while_it_is_judged() -> None:
    judge, parts = Slow(), calling("ls")
    async with stack(stream(*parts), judge, ping_seconds=0.02) as running:
        answer = await running.gw.post("/v1/messages", {"model": "gpt", "stream": True, "safeguards": SAFEGUARDS})
        got = b""
        while got.count(b"event: ping") < 3:
            got += await answer.content.readany()
        judge.go.set()
        got += await answer.read()
    assert got.startswith(b"".join(parts[:-2]))
    assert status(got)["tool_uses"] == {"toolu_1": SAFE}


async def test_a_client_that_leaves_ends_the_judging() -> None:
    async with stack(stream(*calling("ls")), hang) as running:
        answer = await running.gw.post("/v1/messages", {"model": "gpt", "stream": True, "safeguards": SAFEGUARDS})
        await until_async(_seen(running.judge), what="the judge to be asked")
        answer.close()
        await running.gw.idle()
        lines = await running.gw.records(2)
        await until_async(_closed(running.judge), what="the judge's connection to close")
    assert [line["outcome"] for line in lines] == ["cancelled", "cancelled"]


def _seen(judge: Upstream) -> Any:
    async def ask() -> bool:
        return bool(judge.seen)

    return ask


def _closed(judge: Upstream) -> Any:
    async def ask() -> bool:
        return judge.ended > 0

    return ask


async def flood(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(head(kind="application/json") + chunk(b'{"content":"' + b"x" * 2_000_000) + chunk(b'"}') + chunk(b""))


def refused(code: str) -> Reply:
    return whole(b'{"type":"error","error":{"type":"api_error","message":"no"}}', status=code)


ERROR = {"type": "unavailable", "reason": "error"}


@pytest.mark.parametrize(
    ("judge", "expected"),
    [
        (refused("500 Error"), ERROR),
        (refused("529 Overloaded"), ERROR),
        (refused("429 Slow Down"), ERROR),
        (refused("401 Unauthorized"), ERROR),
        (drop, ERROR),
        (refused("400 Bad Request"), None),
        (whole(message("I had rather not say.")), None),
        (whole(message('{"verdicts": [{"call": 1, "dangerous": false}]}')), None),
        (whole(b"[]"), None),
        (flood, None),
    ],
)
async def test_what_was_not_judged_is_not_said_to_be_safe(judge: Reply, expected: Any) -> None:
    async with stack(stream(*calling("ls")), judge) as running:
        answer = await running.ask()
        lines = await running.gw.records(2)
    assert status(answer) == {"type": "available", "tool_uses": {"toolu_1": expected} if expected else {}}
    assert lines[1]["safeguards"] == {"unavailable" if expected else "undecided": 1}
    assert lines[1]["status"] == 200


async def test_a_judge_that_takes_too_long_is_given_up() -> None:
    async with stack(stream(*calling("ls")), hang, timeouts=Timeouts(idle=0.5)) as running:
        answer = await running.ask()
        lines = await running.gw.records(2)
    assert status(answer)["tool_uses"] == {"toolu_1": {"type": "unavailable", "reason": "timeout"}}
    assert (lines[0]["outcome"], lines[1]["outcome"]) == ("timeout", "ok")


@pytest.mark.parametrize("model", [None, "nobody-serves-this"])
async def test_without_a_judge_the_safeguard_is_unsupported(model: str | None) -> None:
    async with stack(stream(*calling("ls")), safeguards_model=model) as running:
        answer = await running.ask()
        (line,) = await running.gw.records()
    assert status(answer) == {"type": "unsupported"}
    assert line["safeguards"] == {"unsupported": 1}


async def test_an_answer_without_calls_needs_no_judge() -> None:
    async with stack(stream(*calling())) as running:
        answer = await running.ask()
    assert status(answer) == {"type": "available", "tool_uses": {}}
    assert running.judge.seen == []


async def test_calls_that_cannot_be_told_apart_have_no_verdict() -> None:
    async with stack(stream(*calling("ls", "rm -rf /", "pwd", ids=("a", "a", "b")))) as running:
        answer = await running.ask()
    assert status(answer)["tool_uses"] == {"b": SAFE}


async def test_a_whole_answer_has_verdicts_too() -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "rm x"}}
    said = json.dumps({"type": "message", "content": [block], "stop_reason": "tool_use"}).encode()
    async with stack(whole(said)) as running:
        answer = json.loads(await running.ask(streaming=False))
    assert answer["safeguard_results"][0]["status"]["tool_uses"] == {"toolu_1": FLAGGED}
    assert answer["content"] == [block]


@pytest.mark.parametrize("value", [None, 7, "x", [], [{}], {"type": "dangerous_tool_use"}])
async def test_a_field_that_asks_for_nothing_changes_nothing(value: Any) -> None:
    parts = calling("ls")
    async with stack(stream(*parts)) as running:
        assert await running.ask(safeguards=value) == b"".join(parts)


async def test_an_error_event_ends_a_stream_as_it_came() -> None:
    broken = [*calling("ls")[:-2], event({"type": "error", "error": {"type": "overloaded_error", "message": "no"}})]
    async with stack(stream(*broken)) as running:
        assert await running.ask() == b"".join(broken)
    assert running.judge.seen == []


async def test_a_claude_target_judges_by_itself_and_nothing_is_touched() -> None:
    parts = calling("rm -rf /")
    async with upstream(stream(*parts)) as claude:
        there: Target = target(base_url=claude.url, model="*")
        async with gateway(route("c", targets=[there], safeguards_model="judge")) as gw:
            sent = json.dumps(
                {"model": "c", "stream": True, "safeguards": SAFEGUARDS, "messages": []}, indent=2
            ).encode()
            answer = await gw.post("/v1/messages", sent, headers=BETA)
            got = await answer.read()
    assert got == b"".join(parts)
    (seen,) = claude.seen
    assert (seen.body, seen.header("anthropic-beta")) == (sent, BETA["anthropic-beta"])


async def test_the_target_that_answers_decides_after_a_failover() -> None:
    async with upstream(refused("529 Overloaded")) as busy:
        targets = [
            target(base_url=busy.url),
            target(base_url="http://127.0.0.1:1", wire=Wire.OPENAI, priority=1),
        ]
        async with stack(stream(*calling("ls")), targets=targets) as running:
            answer = await running.ask()
    assert status(answer)["tool_uses"] == {"toolu_1": SAFE}
    assert b"safeguards" in busy.seen[0].body
