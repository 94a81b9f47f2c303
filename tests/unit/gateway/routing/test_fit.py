"""Which targets can take a request, what a route's targets cost that can take anything, and what is rejected."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.bundles import route, target

from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Ability, Format, Target, Wire
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.routing.fit import fitting, roomier
from claude_gateway_proxy.translation.limits import TooLong

_IMAGE: Final = {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}}
_DOCUMENT: Final = {"type": "document", "source": {"type": "url", "url": "https://example.com/x.pdf"}}
_TOOL: Final = {"name": "Read", "input_schema": {"type": "object"}}
_SAID: Final = "the words of a turn. "
_WORDS: Final = 5
"""Words of ``_SAID``, each at least a token."""


@dataclass(frozen=True)
class Asked:
    """A request as far as it matters who can take it."""

    route: Route
    facts: Facts
    format: Format = Format.MESSAGES
    asked: str = "m"


def _facts(*content: object, model: str = "m", headers: Sequence[tuple[bytes, bytes]] = (), **more: object) -> Facts:
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": list(content)}], **more}
    return Facts(parse(json.dumps(body).encode()), headers)


def _long(turns: int, **more: Any) -> Facts:
    return _facts({"type": "text", "text": _SAID * turns}, **more)


def _named(name: str, **more: Any) -> Target:
    return target(id=f"ns/m/{name}", base_url=f"http://{name}", provider="p", model="m", **more)


def _window(name: str, tokens: int | None, *, certain: bool = True, **more: Any) -> Target:
    return _named(name, context_window=tokens, certain_window=certain and tokens is not None, **more)


def _fit(facts: Facts, *targets: Target, format: Format = Format.MESSAGES, asked: str = "m") -> list[str]:
    found = fitting(Asked(route("m", targets=list(targets)), facts, format, asked), targets)
    return [each.id.rpartition("/")[2] for each in found]


@pytest.mark.parametrize(
    ("ability", "facts"),
    [
        (Ability.IMAGES, _facts(_IMAGE)),
        (Ability.IMAGES, _facts({"type": "tool_result", "tool_use_id": "t", "content": [_IMAGE]})),
        (Ability.DOCUMENTS, _facts(_DOCUMENT)),
        (Ability.TOOLS, _facts("hi", tools=[_TOOL])),
    ],
)
def test_a_request_goes_to_the_targets_that_have_what_it_needs(ability: Ability, facts: Facts) -> None:
    able, unsure, lacks = _named("able"), _named("unsure", unlisted=(ability,)), _named("lacks", lacks=(ability,))
    assert _fit(facts, lacks, unsure, able) == ["able"]
    assert _fit(facts, lacks, unsure) == ["unsure"], "the table of models rejects nothing"
    assert _fit(facts, unsure, _named("other", unlisted=(ability,))) == ["unsure", "other"]
    assert _fit(_facts("hi"), lacks, unsure, able) == ["lacks", "unsure", "able"]
    with pytest.raises(Failure) as caught:
        _fit(facts, lacks, _named("too", lacks=(ability,)))
    failure = caught.value
    assert (failure.status, failure.code, failure.retry) == (400, "ability_missing", False)
    assert ability.lower() in failure.message
    assert "'ns/m'" in failure.message


def test_one_target_can_lack_what_another_one_has() -> None:
    blind, toolless = _named("blind", lacks=(Ability.IMAGES,)), _named("toolless", lacks=(Ability.TOOLS,))
    assert _fit(_facts(_IMAGE), blind, toolless) == ["toolless"]
    assert _fit(_facts("hi", tools=[_TOOL]), blind, toolless) == ["blind"]
    with pytest.raises(Failure, match="images or tools"):
        _fit(_facts(_IMAGE, tools=[_TOOL]), blind, toolless)


@pytest.mark.parametrize("how", ["lacks", "unlisted"])
def test_thinking_is_left_out_rather_than_rejected(how: str) -> None:
    plain, thinker = _named("plain", **{how: (Ability.THINKING,)}), _named("thinker")
    thinking = _facts("hi", thinking={"type": "adaptive"})
    assert _fit(thinking, plain, thinker) == ["thinker"]
    assert _fit(thinking, plain) == ["plain"]
    assert _fit(_facts("hi", thinking={"type": "disabled"}), plain, thinker) == ["plain", "thinker"]


def test_the_table_of_models_decides_for_a_target_that_takes_any_model() -> None:
    def any_model(provider: str, **more: Any) -> Target:
        return target(id=f"ns/m/{provider}", base_url="http://a", provider=provider, model="*", **more)

    seen = _facts(_IMAGE)
    assert _fit(seen, any_model("openai"), any_model("gemini"), asked="o3-mini") == ["gemini"]
    assert _fit(seen, any_model("openai"), any_model("gemini"), asked="gpt-5") == ["openai", "gemini"]
    declared = any_model("openai", has=(Ability.IMAGES, Ability.DOCUMENTS))
    assert _fit(seen, declared, any_model("gemini"), asked="o3-mini") == ["openai", "gemini"]
    old = any_model("anthropic", wire=Wire.BEDROCK)
    assert _fit(_long(45_000), old, _named("other"), asked="claude-haiku-4-5") == ["other"]
    assert _fit(_long(45_000), old, _named("other"), asked="claude-haiku-5-5") == ["anthropic", "other"]
    with pytest.raises(Failure, match="200000 maximum"):
        _fit(_long(45_000), old, asked="claude-haiku-4-5")


def test_a_long_request_goes_where_it_fits() -> None:
    small, large, unknown = _window("small", 1000), _window("large", 100_000), _window("unknown", None)
    assert _fit(_long(10), small, large) == ["small", "large"]
    assert _fit(_long(1000), small, large) == ["large"]
    assert _fit(_long(1000), small, unknown, large) == ["unknown", "large"]
    assert _fit(_long(1000), unknown) == ["unknown"]


def test_near_the_limit_the_upstream_with_the_most_room_decides() -> None:
    facts = _long(1000)
    assert facts.least_tokens < 5500 < facts.input_tokens
    assert _fit(facts, _window("less", 5400), _window("more", 5500)) == ["more"]
    assert _fit(facts, _window("one", 5500)) == ["one"]


@given(
    than=st.one_of(st.none(), st.integers(1, 9)),
    windows=st.lists(st.one_of(st.none(), st.integers(1, 9)), max_size=5),
    said=st.builds(TooLong, st.one_of(st.none(), st.integers(1, 9)), st.one_of(st.none(), st.integers(1, 9))),
)
def test_what_was_too_long_for_one_target_goes_to_those_that_take_more(
    than: int | None, windows: list[int | None], said: TooLong
) -> None:
    others = [_window(str(at), tokens) for at, tokens in enumerate(windows)]
    asked = Asked(route("m"), _facts("hi"))
    found = roomier(asked, others, than=_window("than", than), said=said)
    most = than if said.most is None else said.most
    larger = [each for each in others if most is None or each.context_window is None or each.context_window > most]
    assert all(each in larger for each in found)
    assert list(found) == [each for each in others if each in found], "their order is kept"
    assert bool(found) is bool(larger), "the largest decides, whatever was counted"
    if any(said.tokens is None or (each.context_window or 9) >= said.tokens for each in larger):
        assert all(each.context_window is None or each.context_window >= (said.tokens or 0) for each in found)
    assert not roomier(asked, [_window("than", None)], than=_window("than", than), said=said), "it would say the same"


@pytest.mark.parametrize("windows", [[1000], [1000, 1000], [500, 1000], [1000, 4000]])
def test_what_certainly_does_not_fit_is_rejected_in_the_words_that_make_claude_code_compact(windows: list[int]) -> None:
    facts = _long(2000)
    with pytest.raises(Failure) as caught:
        _fit(facts, *(_window(str(n), tokens) for n, tokens in enumerate(windows)))
    failure = caught.value
    assert (failure.status, failure.type, failure.code) == (400, "invalid_request_error", "context_length_exceeded")
    assert failure.message == f"prompt is too long: {facts.input_tokens} tokens > {max(windows)} maximum"


def test_a_window_that_may_be_larger_rejects_nothing() -> None:
    assert _fit(_long(2000), _window("one", 1000, certain=False)) == ["one"]
    assert _fit(_long(2000), _window("a", 1000), _window("b", 500, certain=False)) == ["b"]


@pytest.mark.parametrize("format", [Format.COUNT_TOKENS, Format.EMBEDDINGS])
def test_a_long_text_can_be_counted_and_many_can_be_embedded(format: Format) -> None:
    assert _fit(_long(2000), _window("one", 1000), format=format) == ["one"]


@pytest.mark.parametrize(
    "more", [{"model": "m[1m]"}, {"headers": [(b"anthropic-beta", b"effort-2025-11-24,context-1m-2025-08-07")]}]
)
def test_who_asks_for_a_longer_context_gets_it_where_there_is_one(more: Mapping[str, Any]) -> None:
    can, cannot = _window("can", 1000, long_context_window=100_000), _window("cannot", 1000)
    assert _fit(_long(2000, **more), can, cannot) == ["can"]
    with pytest.raises(Failure):
        _fit(_long(2000, **more), cannot)
    with pytest.raises(Failure):
        _fit(_long(2000), can)


@pytest.mark.parametrize(
    ("facts", "targets"),
    [
        (_long(1000), [_named("a"), _named("b")]),
        (_long(1000), [_window("a", 50_000), _window("b", 200_000)]),
        (_long(1000), [_window("a", 11_000)]),
        (_facts(_IMAGE), [_named("a"), _named("b")]),
        (_facts(_IMAGE), [_named("a", unlisted=(Ability.IMAGES,))]),
    ],
)
def test_what_cannot_matter_is_not_looked_at(facts: Facts, targets: list[Target]) -> None:
    before = dict(vars(facts))
    assert _fit(facts, *targets) == [each.id.rpartition("/")[2] for each in targets]
    assert vars(facts).keys() - before.keys() <= {"long_context"}


_ABILITIES: Final = st.lists(st.sampled_from(Ability), unique=True, max_size=2).map(tuple)
_TARGETS: Final = st.builds(
    _window,
    st.uuids().map(str),
    st.none() | st.sampled_from([50, 500, 2000, 20_000]),
    certain=st.booleans(),
    lacks=_ABILITIES,
    unlisted=_ABILITIES,
)
_CONTENT: Final = st.lists(
    st.sampled_from([_IMAGE, _DOCUMENT]) | st.integers(0, 900).map(lambda n: {"type": "text", "text": _SAID * n}),
    max_size=3,
)


@given(st.lists(_TARGETS, min_size=1, max_size=5), _CONTENT, st.booleans(), st.sampled_from(["disabled", "adaptive"]))
def test_no_request_goes_to_a_target_that_certainly_cannot_take_it_while_another_can(
    targets: list[Target], content: list[Any], tools: bool, thinking: str
) -> None:
    facts = _facts(*content, tools=[_TOOL] if tools else [], thinking={"type": thinking})
    words = sum(block.get("text", "").count(_SAID) * _WORDS for block in content)
    kinds = {block["type"] for block in content}
    needs = {
        ability
        for ability, needed in (
            (Ability.IMAGES, "image" in kinds),
            (Ability.DOCUMENTS, "document" in kinds),
            (Ability.TOOLS, tools),
        )
        if needed
    }

    def cannot(each: Target) -> bool:
        too_long = each.certain_window and each.context_window is not None and each.context_window < words
        return too_long or bool(needs & set(each.lacks))

    can = [each for each in targets if not cannot(each)]
    request = Asked(route("m", targets=targets), facts)
    try:
        found = fitting(request, targets)
    except Failure:
        assert can == []
        return
    assert found
    assert [each for each in targets if each in found] == list(found), "in the same order"
    if can:
        assert [each for each in found if cannot(each)] == []
