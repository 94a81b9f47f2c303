"""A route lowers output limits and fills in what the client left open, in the words of each format."""

import json
from typing import Any

import pytest

from claude_gateway.contract.target import Format, Parameters, Target, Wire
from claude_gateway_proxy.gateway.body.document import parse, splice
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.body.parameters import changes

_ALL = Parameters(temperature=0.5, top_p=0.9, reasoning_effort="low")


def _changed(format_: Format, sent: dict[str, Any], **target: Any) -> dict[str, Any]:
    body = parse(json.dumps({"model": "m", **sent}).encode())
    found = changes(Target(id="t", provider="p", model="m", **target), format=format_, facts=Facts(body))
    result: dict[str, Any] = json.loads(splice(body, found))
    del result["model"]
    return result


@pytest.mark.parametrize(
    ("format_", "key"),
    [
        (Format.MESSAGES, "max_tokens"),
        (Format.COMPLETIONS, "max_tokens"),
        (Format.CHAT, "max_tokens"),
        (Format.CHAT, "max_completion_tokens"),
        (Format.RESPONSES, "max_output_tokens"),
    ],
)
def test_a_larger_output_limit_is_lowered_and_a_smaller_one_kept(format_: Format, key: str) -> None:
    assert _changed(format_, {key: 101}, max_output_tokens=100) == {key: 100}
    assert _changed(format_, {key: 100}, max_output_tokens=100) == {key: 100}
    assert _changed(format_, {key: 7}, max_output_tokens=100) == {key: 7}
    assert _changed(format_, {key: None}, max_output_tokens=100) == {key: None}


@pytest.mark.parametrize(
    ("asked", "budget", "most", "lowered"),
    [
        (128_000, 100_000, 64_000, 36_000),
        (128_000, 64_000, 64_000, 1_024),
        (65_000, 64_500, 64_000, 63_500),
        (128_000, 63_999, 64_000, 63_999),
        (32_000, 200_000, 16_000, 200_000),
        (4_000, 2_000, 1_024, 2_000),
        (9_000, 8_000, 64_000, 8_000),
    ],
)
def test_a_budget_for_thinking_is_lowered_with_the_output_that_it_is_a_part_of(
    asked: int, budget: int, most: int, lowered: int
) -> None:
    sent = {"max_tokens": asked, "thinking": {"type": "enabled", "budget_tokens": budget, "display": "x"}}
    found = _changed(Format.MESSAGES, sent, max_output_tokens=most)
    assert found["thinking"] == {"type": "enabled", "budget_tokens": lowered, "display": "x"}
    assert found["max_tokens"] == min(asked, most)


def test_an_output_limit_is_added_only_where_the_upstream_requires_one() -> None:
    assert _changed(Format.CHAT, {}, max_output_tokens=100) == {}
    assert _changed(Format.CHAT, {}, max_output_tokens=100, wire=Wire.ANTHROPIC) == {"max_tokens": 100}
    assert _changed(Format.RESPONSES, {}, max_output_tokens=100, wire=Wire.BEDROCK) == {"max_output_tokens": 100}
    assert _changed(Format.CHAT, {}, wire=Wire.ANTHROPIC) == {}
    limited = {"max_completion_tokens": 5}
    assert _changed(Format.CHAT, limited, max_output_tokens=100, wire=Wire.ANTHROPIC) == limited
    assert _changed(Format.MESSAGES, {}, max_output_tokens=100, wire=Wire.ANTHROPIC) == {}, "its client must send one"


@pytest.mark.parametrize("format_", [Format.COUNT_TOKENS, Format.EMBEDDINGS])
def test_what_generates_nothing_is_left_alone(format_: Format) -> None:
    sent = {"max_tokens": 9}
    assert _changed(format_, sent, max_output_tokens=1, parameters=_ALL) == sent


@pytest.mark.parametrize(
    ("format_", "effort"),
    [
        (Format.CHAT, {"reasoning_effort": "low"}),
        (Format.RESPONSES, {"reasoning": {"effort": "low"}}),
        (Format.MESSAGES, {"output_config": {"effort": "low"}}),
        (Format.COMPLETIONS, {}),
    ],
)
def test_what_the_client_left_open_is_filled_in(format_: Format, effort: dict[str, Any]) -> None:
    assert _changed(format_, {}, parameters=_ALL) == {"temperature": 0.5, "top_p": 0.9, **effort}


@pytest.mark.parametrize(
    ("format_", "sent"),
    [
        (Format.CHAT, {"temperature": 0, "top_p": None, "reasoning_effort": "high"}),
        (Format.RESPONSES, {"temperature": 1, "top_p": 1, "reasoning": None}),
        (Format.MESSAGES, {"temperature": 1, "output_config": {}}),
        (Format.MESSAGES, {"top_p": 1, "thinking": {"type": "disabled"}}),
    ],
)
def test_what_the_client_sent_is_kept(format_: Format, sent: dict[str, Any]) -> None:
    assert _changed(format_, sent, parameters=_ALL) == sent


def test_no_sampling_setting_joins_thinking_on_messages() -> None:
    sampling = Parameters(temperature=0.5, top_p=0.9)
    for thinking in ({"type": "enabled", "budget_tokens": 2000}, {"type": "adaptive", "display": "omitted"}):
        assert _changed(Format.MESSAGES, {"thinking": thinking}, parameters=sampling) == {"thinking": thinking}
    off = {"thinking": {"type": "disabled"}}
    assert _changed(Format.MESSAGES, off, parameters=sampling) == {**off, "temperature": 0.5, "top_p": 0.9}
