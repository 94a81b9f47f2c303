"""Every spelling of a model reaches the right model of the right upstream, and comes back in the answer."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import gateway, upstream, whole

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Aws, Format, Target, Translation, Wire

_MESSAGE: Final = (
    b'{"id":"m","type":"message","role":"assistant","model":"theirs","content":[{"type":"text","text":"hi"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}'
)
_CHAT: Final = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"theirs","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
)
_TURN: Final[Mapping[str, Any]] = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_BOTH: Final = pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])


def _claude(url: str, **more: Any) -> Target:
    return target(base_url=url, provider="anthropic", translation=Translation(codec=(Format.CHAT,)), **more)


def _gpt(url: str, **more: Any) -> Target:
    translation = Translation(codec=(Format.MESSAGES,))
    return target(base_url=url, wire=Wire.OPENAI, provider="openai", translation=translation, **more)


@_BOTH
@pytest.mark.parametrize(
    ("sent", "reached"),
    [
        ("claude-a", "claude/claude-a"),  # an exact name
        ("claude-smart", "claude/claude-big"),  # an old alias
        ("claude-code-sdk/sonnet", "claude/claude-middle"),
        ("claude-haiku-9-20990101", "claude/claude-small"),  # a family
        ("my-haiku", "claude/claude-small"),
        ("sonnet", "claude/claude-middle"),
        ("claude-a[1m]", "claude/claude-a"),  # a context is not a part of the name
        ("anthropic/claude-a", "claude/claude-a"),  # a provider in front of a name without one
        ("us.anthropic.claude-a-20250101-v1:0", "claude/claude-a-20250101"),  # ids of clouds
        ("claude-a@20250101", "claude/claude-a-20250101"),
        ("anthropic/claude-other", "claude/claude-other"),  # passed on, without the provider
        ("anthropic/claude-other[1m]", "claude/claude-other"),
        ("openai/gpt-5", "gpt/gpt-5"),
        ("gpt-5", "gpt/gpt-5"),  # without a provider: the route of all other names is OpenAI's
        ("o9", "gpt/o9"),
        ("gpt-small", "gpt/gpt-5-nano"),
        ("openai/gpt-small", "gpt/gpt-small"),
        ("vllm/openai/gpt-oss", "gpt/vllm/openai/gpt-oss"),  # verbatim
    ],
)
async def test_each_spelling_reaches_its_model(sent: str, reached: str, path: str) -> None:
    async with upstream(whole(_MESSAGE)) as claude, upstream(whole(_CHAT)) as gpt:
        routes = [
            route("claude-a", targets=[_claude(claude.url, model="*")]),
            route("claude-smart", targets=[_claude(claude.url, model="claude-big")]),
            route("claude-code-sdk/sonnet", "sonnet", targets=[_claude(claude.url, model="claude-middle")]),
            route("*haiku*", targets=[_claude(claude.url, model="claude-small")]),
            route("anthropic/*", targets=[_claude(claude.url, model="*")]),
            route("gpt-small", targets=[_gpt(gpt.url, model="gpt-5-nano")]),
            route("openai/*", "*", targets=[_gpt(gpt.url, model="*")]),
            route("vllm/*", targets=[_gpt(gpt.url, model="*", verbatim=True)]),
        ]
        async with gateway(*routes) as gw:
            answer = await gw.post(path, {**_TURN, "model": sent})
            body = json.loads(await answer.read())
        assert answer.status == 200, body
        there, name = ("claude", claude) if reached.startswith("claude/") else ("gpt", gpt)
        assert [json.loads(each.body)["model"] for each in name.seen] == [reached.removeprefix(f"{there}/")]
    assert body["model"] == ("theirs" if sent.startswith("vllm/") and path.endswith("completions") else _bare(sent))


def _bare(sent: str) -> str:
    return sent.removesuffix("[1m]")


@_BOTH
async def test_a_context_reaches_claude_as_the_beta_that_claude_code_sends(path: str) -> None:
    async with upstream(whole(_MESSAGE)) as up, gateway(route("c", targets=[_claude(up.url)])) as gw:
        for sent in ("c", "c[200k]", "c[1m]", "c[1M]"):
            await (await gw.post(path, {**_TURN, "model": sent})).read()
        if path == "/v1/messages":
            mine = {"anthropic-beta": "other-2025-01-01"}
            await (await gw.post(path, {**_TURN, "model": "c[1m]"}, headers=mine)).read()
            mine = {"anthropic-beta": "context-1m-2025-08-07,other-2025-01-01"}
            await (await gw.post(path, {**_TURN, "model": "c[1m]"}, headers=mine)).read()
    long = "context-1m-2025-08-07"
    wanted = [None, None, long, long, f"other-2025-01-01,{long}", f"{long},other-2025-01-01"]
    assert [seen.header("anthropic-beta") for seen in up.seen] == wanted[: len(up.seen)]
    assert {json.loads(seen.body)["model"] for seen in up.seen} == {"upstream-model"}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/model/c%5B1m%5D/invoke"])
async def test_a_context_reaches_bedrock_in_the_body(path: str) -> None:
    entry = secret_entry("aws", key := b'{"accessKeyId":"AK","secretAccessKey":"s"}')
    async with upstream(whole(_MESSAGE)) as up:
        there = _claude(up.url, wire=Wire.BEDROCK, secret=entry, aws=Aws(region="us-east-1"), model="claude-x")
        there = there.model_copy(update={"provider": "bedrock"})
        async with gateway(route("c", targets=[there]), secrets={entry: key}) as gw:
            asked = (
                {**_TURN, "anthropic_version": "bedrock-2023-05-31"}
                if "invoke" in path
                else {**_TURN, "model": "c[1m]"}
            )
            answer = await gw.post(path, asked)
            assert answer.status == 200, await answer.read()
    assert json.loads(up.seen[0].body)["anthropic_beta"] == ["context-1m-2025-08-07"]
    assert up.seen[0].target == "/model/claude-x/invoke"


async def test_who_may_not_use_the_short_name_may_not_use_it_with_a_provider() -> None:
    async with upstream(whole(_CHAT)) as up:
        mine = route("gpt-5", targets=[_gpt(up.url)], onlyClients=("ns/other",))
        async with gateway(mine) as gw:
            answer = await gw.post("/v1/chat/completions", {**_TURN, "model": "openai/gpt-5"})
    assert (answer.status, up.seen) == (404, [])
