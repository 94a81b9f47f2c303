"""A request is sent where it fits; one that fits nowhere is rejected, in the caller's own format, before it is sent."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import anthropic
import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import KEY, Upstream, gateway, upstream, whole

from claude_gateway.contract.target import Ability, Target

_ANSWER: Final = b'{"id":"msg_1","content":[],"usage":{"input_tokens":5,"output_tokens":7}}'
_GOOD: Final = whole(_ANSWER)
_BUSY: Final = whole(b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', status="529 Overloaded")
_LONG: Final = "the words of a turn. " * 2000
_IMAGE: Final = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}


def _body(*content: object, **more: object) -> dict[str, object]:
    return {"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": list(content)}], **more}


def _target(up: Upstream, number: int, **more: Any) -> Target:
    return target(base_url=up.url, id=f"ns/c/{number}.00000000", priority=number, **more)


def _window(up: Upstream, number: int, tokens: int, **more: Any) -> Target:
    return _target(up, number, context_window=tokens, certain_window=True, **more)


async def test_a_long_request_goes_to_the_target_that_takes_it() -> None:
    async with upstream(_GOOD, _GOOD) as small, upstream(_GOOD) as large:
        there = route("c", targets=[_window(small, 0, 2000), _window(large, 1, 100_000)])
        async with gateway(there) as gw:
            for text in ("hello", _LONG):
                answer = await gw.post("/v1/messages", _body({"type": "text", "text": text}))
                assert (answer.status, await answer.read()) == (200, _ANSWER)
            short, long = await gw.records(2)
    assert (short["target"], long["target"]) == ("ns/c/0.00000000", "ns/c/1.00000000")
    assert (len(small.seen), len(large.seen)) == (1, 1)


_TOO_LONG: Final = r"prompt is too long: \d+ tokens > 2000 maximum"
_ANTHROPIC: Final = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/messages", _body({"type": "text", "text": _LONG}), _ANTHROPIC),
        ("/v1/messages", _body({"type": "text", "text": _LONG}, stream=True), _ANTHROPIC),
        ("/v1/chat/completions", {"model": "c", "messages": [{"role": "user", "content": _LONG}]}, {}),
        ("/v1/responses", {"model": "c", "input": _LONG}, {}),
        ("/v1/completions", {"model": "c", "prompt": _LONG}, {}),
        ("/model/c/invoke", {"max_tokens": 9, "messages": [{"role": "user", "content": _LONG}]}, {}),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict",
            {"max_tokens": 9, "messages": [{"role": "user", "content": _LONG}]},
            {},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_fits_nowhere_is_rejected_in_the_callers_format(
    path: str, body: Mapping[str, Any], headers: Mapping[str, str]
) -> None:
    async with upstream() as one, upstream() as other:
        there = route("c", targets=[_window(one, 0, 1000), _window(other, 1, 2000)])
        async with gateway(there) as gw:
            answer = await gw.post(path, dict(body), headers=dict(headers))
            said = await answer.json(content_type=None)
            (record,) = await gw.records()
    assert answer.status == 400
    assert (one.seen, other.seen) == ([], [])
    assert (record["outcome"], record["attempts"]) == ("client_error", 0)
    if path.startswith("/model/"):
        assert answer.headers["x-amzn-errortype"] == "ValidationException"
        message = said["message"]
    else:
        message = said["error"]["message"]
        assert said["error"]["type"] == "invalid_request_error"
        assert said.get("type", "none") == ("error" if "messages" in path or "rawPredict" in path else "none")
        assert said["error"].get("code", "context_length_exceeded") == "context_length_exceeded"
    assert re.fullmatch(_TOO_LONG, message)


async def test_images_go_to_the_target_that_can_see() -> None:
    async with upstream(_GOOD) as blind, upstream(_GOOD) as seeing:
        there = route("c", targets=[_target(blind, 0, lacks=(Ability.IMAGES,)), _target(seeing, 1)])
        async with gateway(there) as gw:
            for block in ({"type": "text", "text": "hello"}, _IMAGE):
                answer = await gw.post("/v1/messages", _body(block))
                assert (answer.status, await answer.read()) == (200, _ANSWER)
            plain, picture = await gw.records(2)
    assert (plain["target"], picture["target"]) == ("ns/c/0.00000000", "ns/c/1.00000000")


async def test_where_each_target_says_that_it_cannot_see_an_image_is_rejected_with_the_reason() -> None:
    async with upstream() as blind, gateway(route("c", targets=[_target(blind, 0, lacks=(Ability.IMAGES,))])) as gw:
        answer = await gw.post("/v1/messages", _body(_IMAGE))
        said = (await answer.json())["error"]
    assert (answer.status, said["type"], answer.headers["x-should-retry"]) == (400, "invalid_request_error", "false")
    assert said["message"] == "no model of the route 'ns/c' can take images: leave them out, or use another model"
    assert blind.seen == []


async def test_failover_goes_to_the_next_target_that_can_serve_the_request() -> None:
    async with upstream(_BUSY) as busy, upstream() as blind, upstream() as small, upstream(_GOOD) as good:
        targets = [
            _target(busy, 0),
            _target(blind, 1, lacks=(Ability.IMAGES,)),
            _window(small, 2, 2000),
            _target(good, 3),
        ]
        async with gateway(route("c", targets=targets)) as gw:
            answer = await gw.post("/v1/messages", _body(_IMAGE, {"type": "text", "text": _LONG}))
            assert (answer.status, await answer.read()) == (200, _ANSWER)
            (record,) = await gw.records()
    assert (record["attempts"], record["target"]) == (2, "ns/c/3.00000000")
    assert (blind.seen, small.seen) == ([], [])


async def test_the_most_output_of_the_target_is_what_it_is_asked_for() -> None:
    async with upstream(_GOOD) as up, gateway(route("c", targets=[_target(up, 0, max_output_tokens=64_000)])) as gw:
        assert (await gw.post("/v1/messages", {**_body(), "max_tokens": 128_000})).status == 200
    assert json.loads(up.seen[0].body)["max_tokens"] == 64_000


async def test_anthropics_sdk_reads_the_limits() -> None:
    async with upstream() as up:
        there = route("claude-c", targets=[_window(up, 0, 5000, max_output_tokens=70)])
        async with gateway(there) as gw, anthropic.AsyncAnthropic(base_url=gw.url, auth_token=KEY, api_key=None) as sdk:
            model = await sdk.models.retrieve("claude-c")
    assert (model.max_input_tokens, model.max_tokens) == (5000, 70)
