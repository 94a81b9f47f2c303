"""Rules of a route over sockets: the first that matches decides the upstream, and the log line says which it was."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.contract.gateway.test_clouds import to_bedrock
from tests.contract.gateway.test_safeguards import BETA, SAFEGUARDS, calling, sensible
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Seen, gateway, stream, upstream, whole

from claude_gateway.contract.route import Match, RequestClass, RouteRule, Thinking
from claude_gateway.contract.target import Wire
from claude_gateway.names import LITELLM_SOCKET

_ANSWER = whole(b'{"id":"msg_1","type":"message","content":[],"usage":{"input_tokens":5,"output_tokens":7}}')
_HELLO = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
_IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}}
_HINTS = {
    "x-claude-code-request-class": "subagent",
    "x-claude-code-agent-type": "Explore",
    "x-claude-code-prompt-id": "q",
    "x-claude-code-compaction": "manual",
    "x-claude-code-prev-tool-durations": "Read=1",
    "x-claude-code-managed-settings-checksum": "c",
    "x-claude-1p-request-class": "main",
}
_AGENTS = {"x-claude-code-agent-id": "a", "x-claude-code-parent-agent-id": "p"}


def _rule(name: str, url: str, **match: Any) -> RouteRule:
    return RouteRule(name=name, match=Match(**match), targets=(target(base_url=url, id=f"ns/m/{name}.0.00000000"),))


async def test_each_request_goes_where_the_first_rule_says_that_matches_it() -> None:
    async with upstream(_ANSWER) as pictures, upstream(_ANSWER) as thinker, upstream(_ANSWER) as default:
        rules = [
            _rule("pictures", pictures.url, images=True),
            _rule("thinker", thinker.url, thinking=Thinking.ENABLED),
        ]
        there = route("m", targets=[target(base_url=default.url)], rules=rules)
        async with gateway(there) as gw:
            thinking = {"thinking": {"type": "adaptive"}}
            picture = {"messages": [{"role": "user", "content": [_IMAGE]}]}
            for more in ({}, thinking, picture, {**picture, **thinking}):
                await (await gw.post("/v1/messages", {**_HELLO, **more})).read()
            lines = await gw.records(4)
    assert [len(each.seen) for each in (default, thinker, pictures)] == [1, 1, 2]
    assert [(line["rule"], line["why"]) for line in lines] == [
        ("", "only"),
        ("thinker", "only"),
        ("pictures", "only"),
        ("pictures", "only"),
    ]
    assert lines[1]["target"] == "ns/m/thinker.0.00000000"


async def test_a_rule_without_a_usable_target_answers_with_its_name() -> None:
    async with upstream(_ANSWER) as default:
        rules = [RouteRule(name="broken", match=Match(tools=False))]
        async with gateway(route("m", targets=[target(base_url=default.url)], rules=rules)) as gw:
            answer = await gw.post("/v1/messages", _HELLO)
            assert answer.status == 503
            assert "rule broken" in (await answer.json())["error"]["message"]
    assert default.seen == []


async def test_a_rules_target_can_be_behind_the_worker() -> None:
    other = target(wire=Wire.OPENAI, base_url="http://127.0.0.1:1", id="ns/m/small.0.00000000")
    rules = [RouteRule(name="small", match=Match(request_classes=(RequestClass.COMPACTION,)), targets=(other,))]
    async with (
        upstream(_ANSWER) as default,
        gateway(route("m", targets=[target(base_url=default.url)], rules=rules)) as gw,
        upstream(_ANSWER, path=gw.run_dir / LITELLM_SOCKET) as worker,
    ):
        answer = await gw.post("/v1/messages", _HELLO, headers={"x-claude-code-request-class": "compaction"})
        assert answer.status == 200
        (line,) = await gw.records(1)
    assert (line["lane"], line["target"], len(worker.seen)) == ("litellm", "ns/m/small.0.00000000", 1)


async def test_a_judge_is_asked_by_no_rule() -> None:
    gpt = target(base_url="http://127.0.0.1:1", wire=Wire.OPENAI)
    async with upstream(sensible) as judge, upstream(_ANSWER) as other:
        rules = [_rule("every", other.url, subagent=False), _rule("plain", other.url, tools=False)]
        judging = route("judge", targets=[target(base_url=judge.url)], rules=rules)
        async with (
            gateway(route("gpt", targets=[gpt], safeguards_model="judge"), judging) as gw,
            upstream(stream(*calling("ls")), path=gw.run_dir / LITELLM_SOCKET),
        ):
            body = {**_HELLO, "model": "gpt", "stream": True, "safeguards": SAFEGUARDS}
            await (await gw.post("/v1/messages", body, headers=BETA)).read()
            lines = await gw.records(2)
            # A client that asks the judge's model itself is caught by them.
            await (await gw.post("/v1/messages", {**_HELLO, "model": "judge"})).read()
    assert (len(judge.seen), len(other.seen)) == (1, 1)
    assert [line["rule"] for line in lines] == ["", ""]


@pytest.mark.parametrize(("wire", "arriving"), [(Wire.ANTHROPIC, _AGENTS), (Wire.OPENAI, {})])
async def test_what_claude_code_says_to_a_gateway_goes_to_no_other_vendor(
    wire: Wire, arriving: Mapping[str, str]
) -> None:
    path = "/v1/chat/completions" if wire is Wire.OPENAI else "/v1/messages"
    async with upstream(_ANSWER) as up, gateway(route("m", targets=[target(wire=wire, base_url=up.url)])) as gw:
        await (await gw.post(path, _HELLO, headers={"x-claude-code-session-id": "s", **_HINTS, **_AGENTS})).read()
    (seen,) = up.seen
    assert _found(seen) == arriving


async def test_what_claude_code_says_to_a_gateway_does_not_go_to_a_cloud() -> None:
    async with to_bedrock(_ANSWER) as (gw, up):
        await (
            await gw.post("/v1/messages", _HELLO, headers={"x-claude-code-session-id": "s", **_HINTS, **_AGENTS})
        ).read()
    (seen,) = up.seen
    assert (_found(seen), seen.header("x-claude-code-session-id")) == ({}, "s")


def _found(seen: Seen) -> dict[str, str]:
    return {name: value for name in (*_HINTS, *_AGENTS) if (value := seen.header(name)) is not None}
