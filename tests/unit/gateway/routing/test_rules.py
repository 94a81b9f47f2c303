"""Rules: the first one that matches counts, and one that is said to be unreachable never is the first."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.bundles import route, target
from tests.support.builders.examples import examples

from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Match, RequestClass, Route, RouteRule, Thinking
from claude_gateway.contract.target import Format
from claude_gateway.plan.routes.covering import contradiction, covered, covers
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.routing.choice import choose
from claude_gateway_proxy.gateway.routing.rules import first_match, holds

_IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aaaa"}}
_FILE = {"type": "document", "source": {"type": "url", "url": "https://example.com/x.pdf"}}
_TEXT = {"type": "text", "text": "hello"}
_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
_READ = {"name": "Read", "input_schema": {"type": "object"}}


@dataclass(frozen=True)
class Request:
    """A request as far as rules depend on it."""

    facts: Facts
    route: Route
    format: Format
    client: Client
    asked: str = "m"
    login: tuple[()] = ()


def request(
    body: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    format: Format = Format.MESSAGES,
    client: str = "ns/dev",
    rules: tuple[RouteRule, ...] = (),
) -> Request:
    raw = json.dumps({"model": "m", "messages": [{"role": "user", "content": [_TEXT]}], **(body or {})}).encode()
    sent = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    there = route("m", targets=[target(base_url="http://default")], rules=rules)
    return Request(Facts(parse(raw), sent), route=there, format=format, client=Client(name=client))


def said(*blocks: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [_TEXT, *blocks]}]}


_BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 8000}}
_ADAPTIVE = {"thinking": {"type": "adaptive"}}


@pytest.mark.parametrize(
    ("match", "body", "expected"),
    [
        ({"thinking": Thinking.ENABLED}, _BUDGET, True),
        ({"thinking": Thinking.ENABLED}, _ADAPTIVE, True),
        ({"thinking": Thinking.ENABLED}, {"thinking": {"type": "disabled"}}, False),
        ({"thinking": Thinking.ENABLED}, {}, False),
        ({"thinking": Thinking.ADAPTIVE}, _ADAPTIVE, True),
        ({"thinking": Thinking.ADAPTIVE}, _BUDGET, False),
        ({"thinking": Thinking.DISABLED}, {}, True),
        ({"thinking": Thinking.DISABLED}, {"thinking": {"type": "disabled"}}, True),
        ({"thinking": Thinking.DISABLED}, _ADAPTIVE, False),
        ({"thinking_budget_at_least": 8000}, _BUDGET, True),
        ({"thinking_budget_at_least": 8001}, _BUDGET, False),
        ({"thinking_budget_at_least": 1}, _ADAPTIVE, False),
        ({"thinking_budget_at_least": 1}, {"thinking": {"type": "disabled", "budget_tokens": 9}}, False),
        ({"effort": ("high", "max")}, {"output_config": {"effort": "max"}}, True),
        ({"effort": ("high", "max")}, {"reasoning_effort": "high"}, True),
        ({"effort": ("high", "max")}, {"reasoning": {"effort": "low"}}, False),
        ({"effort": ("high", "max")}, {}, False),
        ({"images": True}, said(_IMAGE), True),
        ({"images": True}, said({"type": "tool_result", "tool_use_id": "t", "content": [_IMAGE]}), True),
        ({"images": True}, said({"type": "text", "text": '"image"'}), False),
        ({"images": False}, said(_FILE), True),
        ({"documents": True}, said(_FILE), True),
        ({"documents": True}, said(_IMAGE), False),
        ({"tools": True}, {"tools": [_READ]}, True),
        ({"tools": False}, {"tools": []}, True),
        ({"server_tools": ("web_search_*",)}, {"tools": [_READ, _SEARCH]}, True),
        ({"server_tools": ("*",)}, {"tools": [_READ]}, False),
        ({"server_tools": ("code_*",)}, {"tools": [_SEARCH]}, False),
        ({"input_tokens_at_least": 1000}, said({"type": "text", "text": "word " * 1000}), True),
        ({"input_tokens_at_least": 2000}, said({"type": "text", "text": "word " * 1000}), False),
        ({"input_tokens_at_least": 1000}, said(_IMAGE), True),
        ({"input_tokens_at_least": 1_000_000}, said({"type": "text", "text": "word " * 1000}), False),
        ({"formats": (Format.MESSAGES,)}, {}, True),
        ({"formats": (Format.CHAT, Format.RESPONSES)}, {}, False),
        ({"clients": ("other/dev", "ns/dev")}, {}, True),
        ({"clients": ("dev", "other/dev")}, {}, False),
        ({"images": True, "tools": True}, {**said(_IMAGE), "tools": [_READ]}, True),
        ({"images": True, "tools": True}, said(_IMAGE), False),
    ],
)
def test_a_condition_of_the_body(match: dict[str, Any], body: dict[str, Any], expected: bool) -> None:
    assert holds(Match(**match), request(body)) is expected


_CLASS = "x-claude-code-request-class"
_TYPE = "x-claude-code-agent-type"
_AGENT = "x-claude-code-agent-id"
_SESSION = {"x-claude-code-session-id": "s"}


@pytest.mark.parametrize(
    ("match", "headers", "expected"),
    [
        ({"headers": (("x-team", "red"),)}, {"x-team": "red"}, True),
        ({"headers": (("x-team", "red"),)}, {"x-team": "Red"}, False),
        ({"headers": (("x-team", "red"), ("x-stage", "a"))}, {"x-team": "red"}, False),
        ({"request_classes": (RequestClass.COMPACTION,)}, {_CLASS: "compaction"}, True),
        ({"request_classes": (RequestClass.SIDE_REPLY,)}, {_CLASS: "side_reply"}, True),
        ({"request_classes": tuple(RequestClass)}, {_CLASS: "something-new"}, False),
        ({"request_classes": tuple(RequestClass)}, {}, False),
        ({"request_classes": (RequestClass.SUBAGENT,)}, {_AGENT: "a", **_SESSION}, True),
        ({"request_classes": (RequestClass.SUBAGENT,)}, {_AGENT: "a", _CLASS: "workflow"}, False),
        ({"subagent": True}, {_AGENT: "a", _CLASS: "workflow"}, True),
        ({"subagent": True}, {_CLASS: "subagent"}, True),
        ({"subagent": False}, {_CLASS: "main"}, True),
        ({"subagent": False}, {}, True),
        ({"agent_types": ("Explore", "general-*")}, {_TYPE: "general-purpose"}, True),
        ({"agent_types": ("Explore",)}, {_TYPE: "Plan"}, False),
        ({"agent_types": ("*",)}, {}, False),
    ],
)
def test_a_condition_of_the_headers(match: dict[str, Any], headers: dict[str, str], expected: bool) -> None:
    assert holds(Match(**match), request(headers=headers)) is expected


_PROMPT = (
    "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\n"
    "Your task is to create a detailed summary of the conversation so far, paying close attention."
)
_TITLE = {"output_config": {"format": {"type": "json_schema", "schema": {}}}, "tools": []}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": [{"role": "user", "content": _PROMPT}], "tools": [_READ]}, RequestClass.COMPACTION),
        (said({"type": "text", "text": _PROMPT}) | {"tools": [_READ]}, RequestClass.COMPACTION),
        ({"messages": [{"role": "user", "content": "what is: " + _PROMPT}], "tools": [_READ]}, None),
        ({"messages": [{"role": "assistant", "content": _PROMPT}], "tools": [_READ]}, None),
        ({"messages": [{"role": "user", "content": _PROMPT}, "odd"], "tools": [_READ]}, None),
        ({"messages": [{"role": "user", "content": [_IMAGE, _PROMPT]}], "tools": [_READ]}, None),
        ({"messages": [], "system": _PROMPT, "tools": [_READ]}, None),
        (_TITLE, RequestClass.AUXILIARY),
        ({**_TITLE, "tools": [_READ]}, None),
        ({"tools": [_SEARCH]}, RequestClass.AUXILIARY),
        ({"tools": [_SEARCH, _READ]}, None),
        ({}, None),
    ],
)
def test_what_a_request_of_claude_code_is_for_where_it_does_not_say(
    body: dict[str, Any], expected: RequestClass | None
) -> None:
    assert request(body, headers=_SESSION).facts.request_class is expected
    # Others are never taken for Claude Code, and what it says counts more than what is seen.
    assert request(body).facts.request_class is None
    assert request(body, headers={**_SESSION, _CLASS: "main"}).facts.request_class is RequestClass.MAIN


def test_the_compaction_of_a_subagent_is_a_compaction() -> None:
    body = {"messages": [{"role": "user", "content": _PROMPT}]}
    assert request(body, headers={**_SESSION, _AGENT: "a"}).facts.request_class is RequestClass.COMPACTION


def rule(name: str, match: Match, *hosts: str) -> RouteRule:
    return RouteRule(name=name, match=match, targets=tuple(target(base_url=f"http://{host}") for host in hosts))


def test_the_targets_of_the_first_rule_that_matches_are_chosen() -> None:
    rules = (
        rule("pictures", Match(images=True), "pictures"),
        rule("thinker", Match(thinking=Thinking.ENABLED), "thinker", "spare"),
        rule("every", Match(tools=False), "every"),
    )
    hosts = {}
    for body in (said(_IMAGE) | _ADAPTIVE, _ADAPTIVE, {}, {"tools": [_READ]}):
        choice = choose(request(body, rules=rules), random=lambda: 0.0, well=lambda _: True)
        hosts[choice.rule] = sorted(str(candidate.target.base_url) for candidate in choice.candidates)
    assert hosts == {
        "pictures": ["http://pictures"],
        "thinker": ["http://spare", "http://thinker"],
        "every": ["http://every"],
        None: ["http://default"],
    }


def test_a_rule_without_a_usable_target_is_an_error_that_names_it() -> None:
    asked = request(rules=(RouteRule(name="plain", match=Match(tools=False)),))
    with pytest.raises(Failure, match="rule plain"):
        choose(asked, random=lambda: 0.0, well=lambda _: True)


def test_a_route_without_rules_and_one_whose_first_rule_is_cheap_decode_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def decoded(self: Facts, key: str) -> None:
        raise AssertionError(key)

    monkeypatch.setattr(Facts, "_value", decoded)
    assert first_match((), request()) is None
    cheap = rule("cheap", Match(clients=("ns/other",), images=True, input_tokens_at_least=1), "x")
    small = rule("small", Match(input_tokens_at_least=200_000), "x")
    plain = rule("plain", Match(images=True), "x")
    assert first_match((cheap, small, plain), request()) is None


_NAMES = st.sampled_from(["a", "ab", "b", "web_search_1", "Explore", "a*", "*b", "*", "x*y"])
_BOOLS = st.none() | st.booleans()


def _few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.just(()) | st.lists(values, max_size=3, unique=True).map(tuple)


_EFFORTS = st.sampled_from(["low", "high", "max"])
_CLIENTS = st.sampled_from(["ns/a", "ns/b"])
_HEADERS = st.sampled_from([("x-a", "1"), ("x-b", "1")])
_MATCHES = st.builds(
    Match,
    thinking=st.none() | st.sampled_from(Thinking),
    thinking_budget_at_least=st.none() | st.integers(1, 3),
    effort=_few(_EFFORTS),
    input_tokens_at_least=st.none() | st.sampled_from([1, 100, 3000]),
    images=_BOOLS,
    documents=_BOOLS,
    tools=_BOOLS,
    server_tools=_few(_NAMES),
    formats=_few(st.sampled_from([Format.MESSAGES, Format.CHAT])),
    headers=_few(_HEADERS),
    clients=_few(_CLIENTS),
    request_classes=_few(st.sampled_from(RequestClass)),
    agent_types=_few(_NAMES),
    subagent=_BOOLS,
)
# With few conditions each, so that many cover others.
_NARROW = st.tuples(_MATCHES, st.sets(st.sampled_from(sorted(Match.model_fields)), max_size=2)).map(
    lambda drawn: Match(**{name: getattr(drawn[0], name) for name in drawn[1]})
)
_BODIES = st.fixed_dictionaries(
    {},
    optional={
        "thinking": st.builds(
            lambda kind, budget: {"type": kind, "budget_tokens": budget},
            st.sampled_from(["enabled", "adaptive", "disabled"]),
            st.none() | st.integers(0, 4),
        ),
        "output_config": st.builds(lambda effort: {"effort": effort}, _EFFORTS),
        "tools": st.lists(st.builds(lambda kind: {"type": kind, "name": "n"}, _NAMES | st.just("custom")), max_size=3),
        "messages": st.lists(st.sampled_from([_TEXT, _IMAGE, _FILE]), max_size=3).map(
            lambda blocks: [{"role": "user", "content": blocks}]
        ),
    },
)
_SENT = st.fixed_dictionaries(
    {},
    optional={
        "x-a": st.just("1"),
        "x-b": st.just("1"),
        "x-claude-code-session-id": st.just("s"),
        _CLASS: st.sampled_from(["main", "subagent", "workflow", "compaction", "new"]),
        _TYPE: _NAMES,
        _AGENT: st.just("a"),
    },
)
_REQUESTS = st.builds(
    lambda body, headers, format, client: request(body, headers=headers, format=format, client=client),
    _BODIES,
    _SENT,
    st.sampled_from([Format.MESSAGES, Format.CHAT]),
    _CLIENTS,
)


@examples(300)
@given(st.lists(_NARROW | _MATCHES, max_size=6), _REQUESTS)
def test_the_first_that_holds_wins(matches: list[Match], asked: Request) -> None:
    rules = tuple(rule(str(number), match, "x") for number, match in enumerate(matches))
    found = first_match(rules, asked)
    held = [each for each in rules if holds(each.match, asked)]
    assert found == (held[0] if held else None)


@examples(400)
@given(st.lists(_NARROW | _MATCHES, min_size=1, max_size=6), st.lists(_REQUESTS, min_size=3, max_size=8))
def test_what_is_said_to_be_unreachable_never_wins(matches: list[Match], asked: list[Request]) -> None:
    rules = tuple(rule(str(number), match, "x") for number, match in enumerate(matches))
    never = {
        each.name
        for number, each in enumerate(rules)
        if covered(each.match, matches[:number]) or contradiction(each.match) is not None
    }
    winners = {found.name for each in asked if (found := first_match(rules, each)) is not None}
    assert not winners & never


@examples(500)
@given(_NARROW | _MATCHES, st.sets(st.sampled_from(sorted(Match.model_fields)), min_size=1))
def test_a_match_covers_itself_and_all_with_more_conditions(match: Match, fewer: set[str]) -> None:
    wider = match.model_copy(update={name: Match.model_fields[name].get_default() for name in fewer})
    assert covers(match, match)
    assert covers(wider, match)
    assert covered(match, [Match(tools=True, formats=(Format.EMBEDDINGS,)), wider])
