"""What requests cost: by what was reported, by what passed of an answer that broke off, and at most beforehand."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import bundles, calls

from claude_gateway.contract import money
from claude_gateway.contract.target import Format, OwnPrices, Target, Wire
from claude_gateway_proxy.gateway.admission.admission import Usage
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.costs.cost import Passed, charge, cost_of, describe, tokens_of
from claude_gateway_proxy.gateway.costs.passed import output_tokens
from claude_gateway_proxy.gateway.costs.reservation import DEFAULT_OUTPUT, MOST_OUTPUT, batched, reservation

OPUS = "claude-opus-4-6"


def _target(model: str = OPUS, provider: str = "anthropic", **more: Any) -> Target:
    return Target(id="ns/m/0.0", provider=provider, model=model, **more)


def _call(
    *targets: Target,
    wire: Wire = Wire.ANTHROPIC,
    format: Format = Format.MESSAGES,
    headers: Sequence[tuple[bytes, bytes]] = (),
    **more: object,
) -> Call:
    route = bundles.route("m", targets=targets)
    messages = [{"role": "user", "content": "hi"}]
    return calls.call(route, wire=wire, format=format, headers=headers, **{"messages": messages, **more})


ENDED = Passed(ended=True)


def test_an_answer_costs_its_tokens_at_the_target_that_gave_it() -> None:
    call = _call()
    record = call.record
    record.input_tokens, record.output_tokens, record.reasoning_tokens = 1000, 500, 200
    record.cache_read_tokens, record.cache_creation_tokens, record.cache_creation_1h_tokens = 10_000, 3000, 1000
    record.web_searches = 2
    charge(call, _target(), ENDED)
    # 1,000 x $5, 500 x $25, 10,000 x $0.50, 2,000 x $6.25, 1,000 x $10, 2 searches at a cent
    assert record.cost == 65_000_000
    assert (record.cost_certain, record.billed_model) == (True, OPUS)
    # 10,000 x $4.50; 2,000 x $1.25 and 1,000 x $5
    assert (record.saved, record.extra) == (45_000_000, 7_500_000)
    assert Usage.of(record) == Usage(1000, 500, 10_000, 3000, 1000, 200, 2, cost=65_000_000)


@pytest.mark.parametrize("target", [_target("of-tomorrow"), _target("*")])
def test_an_unknown_model_has_an_uncertain_cost(target: Target) -> None:
    call = _call()
    call.record.output_tokens = 10
    charge(call, target, ENDED)
    assert (call.record.cost, call.record.cost_certain) == (500_000, False)
    assert call.record.billed_model == ("other" if target.model == "*" else "of-tomorrow")


def test_the_model_that_a_client_names_is_billed_by_its_name() -> None:
    call = _call(model=OPUS)
    call.record.output_tokens = 10
    charge(call, _target("*"), ENDED)
    assert (call.record.cost, call.record.billed_model) == (250_000, OPUS)


def test_a_count_of_tokens_costs_nothing() -> None:
    call = _call(_target(), format=Format.COUNT_TOKENS)
    call.record.input_tokens = 1000
    charge(call, _target(), Passed())
    assert (call.record.cost, call.record.cost_certain, cost_of(call, _target()).nanodollars) == (0, True, 0)
    assert reservation(call) == 0


_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"%b"}}\n\n'
)


def test_what_breaks_off_costs_what_was_sent_until_then() -> None:
    call = _call()
    call.record.cache_read_tokens, call.record.input_tokens, call.record.output_tokens = 90, 10, 1
    sample = [_DELTA % b"some words of an answer" for _ in range(20)]
    size = 10 * sum(map(len, sample))
    charge(call, _target(), Passed(sample, size=size))
    assert (call.record.input_tokens, call.record.cache_read_tokens) == (10, 90)
    assert 800 <= call.record.output_tokens <= 2000  # 200 times five words
    assert not call.record.cost_certain


def test_what_was_reported_counts_where_it_is_more() -> None:
    call = _call()
    call.record.input_tokens, call.record.output_tokens = 10, 5000
    charge(call, _target(), Passed([_DELTA % b"hi"], size=100))
    assert call.record.output_tokens == 5000


def test_without_any_count_the_input_is_estimated_from_the_request() -> None:
    call = _call()
    charge(call, _target(), Passed())
    assert call.record.input_tokens == call.facts.input_tokens > 0
    assert (call.record.output_tokens, call.record.cost_certain) == (0, False)


def test_embeddings_have_no_output() -> None:
    call = _call(format=Format.EMBEDDINGS, wire=Wire.OPENAI)
    charge(call, _target("text-embedding-3-small", "openai"), Passed([b'{"data":[]}'], size=11, ended=True))
    assert (call.record.output_tokens, call.record.cost_certain) == (0, False)


@pytest.mark.parametrize(
    ("asked", "reported", "dollars"),
    [("priority", (), "0.02"), ("flex", (), "0.005"), ("priority", ("default",), "0.01"), (7, (), "0.01")],
)
def test_the_mode_is_the_one_that_was_reported_else_the_one_that_was_asked_for(
    asked: object, reported: tuple[str, ...], dollars: str
) -> None:
    call = _call(format=Format.CHAT, wire=Wire.OPENAI, service_tier=asked)
    call.record.output_tokens, call.record.modes = 1000, reported
    charge(call, _target("gpt-5", "openai", base_url="https://api.openai.com/v1"), ENDED)
    assert money.exact(call.record.cost) == dollars


@pytest.mark.parametrize(
    ("target", "tier", "tokens"),
    [
        (_target(), "batch", 25_000),
        (_target(), "us", 27_500),
        (_target("gpt-5", "openai", base_url="https://proxy.example.com/v1"), "flex", 10_000),
        (_target("gpt-5", "openai", base_url="https://proxy.example.com/v1"), "priority", 20_000),
        (_target("gemini-2.5-pro", "gemini"), "flex", 10_000),
    ],
)
def test_no_client_makes_itself_a_discount(target: Target, tier: str, tokens: int) -> None:
    call = _call(format=Format.CHAT, wire=Wire.OPENAI, service_tier=tier)
    call.record.output_tokens = 1000
    charge(call, target, ENDED)
    assert call.record.cost == tokens * 1000


_EVENTS = {
    "messages": (_DELTA % b"say", b'{"type":"thinking_delta","thinking":"say"}', b'{"partial_json":"say"}'),
    "chat": (b'data: {"choices":[{"delta":{"content":"say"}}]}', b'{"delta":{"reasoning_content":"say"}}'),
    "responses": (b'data: {"type":"response.output_text.delta","delta":"say"}', b'{"arguments": "say"}'),
    "completions": (b'data: {"choices":[{"text":"say"}]}',),
}


@pytest.mark.parametrize("format", _EVENTS)
def test_what_a_model_says_is_found_in_the_events_of_each_format(format: str) -> None:
    for event in _EVENTS[format]:
        assert output_tokens([event * 100], size=100 * len(event), streamed=True) > 0


def test_what_cannot_be_read_counts_by_its_bytes() -> None:
    assert output_tokens([], size=1000, streamed=True) == 500
    assert output_tokens([], size=0, streamed=True) == 0


def test_a_cut_event_counts_what_is_there() -> None:
    assert output_tokens([b'{"text":"' + b"word " * 100], size=509, streamed=True) >= 100


@given(st.lists(st.binary(max_size=50) | st.sampled_from(sum(_EVENTS.values(), ()))), st.integers(0, 10**7))
def test_more_bytes_never_have_fewer_tokens(sample: list[bytes], more: int) -> None:
    size = sum(map(len, sample))
    assert (
        0 <= output_tokens(sample, size=size, streamed=True) <= output_tokens(sample, size=size + more, streamed=True)
    )


def test_a_reservation_is_the_most_that_the_request_allows_at_the_dearest_target() -> None:
    call = _call(_target("claude-haiku-4-5"), _target(), max_tokens=1000)
    sent = call.facts.input_tokens
    assert reservation(call) == sent * 10_000 + 1000 * 25_000  # the cache for an hour is the dearest input


@pytest.mark.parametrize(
    ("targets", "more", "tokens"),
    [
        ([_target()], {}, 128_000),
        ([_target()], {"max_tokens": 10**9}, 128_000),
        ([_target(max_output_tokens=100)], {"max_tokens": 1000}, 100),
        ([_target("of-tomorrow")], {}, DEFAULT_OUTPUT),
        ([_target("of-tomorrow")], {"max_tokens": 10**15 - 1}, MOST_OUTPUT),
        ([_target("*")], {"model": "claude-haiku-4-5"}, 64_000),
    ],
)
def test_a_reservation_knows_the_limits_of_the_model(targets: list[Target], more: dict[str, Any], tokens: int) -> None:
    call = _call(*targets, **more)
    rate = {"of-tomorrow": 50_000, "*": 5000}.get(targets[0].model, 25_000)
    assert reservation(call) - tokens * rate in range(10_000_000)


def test_a_reservation_counts_every_answer_and_the_mode() -> None:
    def reserved(**more: Any) -> int:
        return reservation(
            _call(_target("gpt-5", "openai"), format=Format.CHAT, wire=Wire.OPENAI, max_tokens=100, **more)
        )

    assert reserved(n=3) - reserved(n=1) in range(2_000_000, 2_100_000)
    assert reserved(n=10**9) < 129 * 1_100_000
    assert reserved(n="x") == pytest.approx(reserved(n=1), rel=0.01)
    assert reserved(service_tier="priority") > 1.9 * reserved()
    assert reserved(service_tier="flex") >= reserved() * 0.99
    assert reservation(_call(format=Format.CHAT)) == 0


def test_the_dearest_request_costs_no_more_than_can_be_counted() -> None:
    dearest = OwnPrices(input=Decimal(999_999), output=Decimal(999_999))
    target = _target("of-tomorrow", "openai", prices=dearest)
    call = _call(target, format=Format.CHAT, wire=Wire.OPENAI, max_tokens=10**15 - 1, n=128)
    assert reservation(call) == money.MOST


def test_a_request_of_a_batch_costs_half_at_the_target_that_takes_it() -> None:
    target = _target()
    call = _call(target, max_tokens=1000)
    found = batched(call, target)
    assert (found.input_tokens, found.output_tokens) == (call.facts.input_tokens, 1000)
    assert found.cost == reservation(call) // 2
    own = _target(prices=OwnPrices(input=Decimal(1), output=Decimal(2)))
    assert batched(_call(own, max_tokens=1000), own).cost == call.facts.input_tokens * 1000 + 1000 * 2000


@pytest.mark.parametrize(
    ("more", "most", "tokens"),
    [
        ({"max_tokens": 300_000}, None, 300_000),
        ({"max_tokens": 300_000}, 100, 100),
        ({"max_tokens": 10**15 - 1}, None, MOST_OUTPUT),
        ({"max_tokens": 0}, None, 1),
        ({}, None, 128_000),
        ({"max_tokens": None}, None, 128_000),
    ],
)
def test_a_request_of_a_batch_may_write_what_it_says(more: dict[str, Any], most: int | None, tokens: int) -> None:
    """A beta allows more than the table of models has."""
    target = _target(max_output_tokens=most)
    assert batched(_call(target, **more), target).output_tokens == tokens


def test_a_request_of_a_batch_pays_for_its_mode() -> None:
    target = _target("claude-opus-4-6")
    usual = batched(_call(target, max_tokens=1000), target).cost
    there = batched(_call(target, max_tokens=1000, inference_geo="us"), target).cost
    assert there == pytest.approx(1.1 * usual, rel=0.05)
    unknown = batched(_call(target, max_tokens=1000, speed=5, service_tier="auto"), target).cost
    assert unknown == pytest.approx(usual, rel=0.05)


@pytest.mark.parametrize(
    ("source", "counted"),
    [
        ({"type": "url", "url": "https://example.com/a.pdf"}, True),
        ({"type": "file", "file_id": "file_1"}, True),
        ({"type": "text", "media_type": "text/plain", "data": "x"}, False),
        ("x", False),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_document_elsewhere_counts_as_a_full_context(source: object, counted: bool, nested: bool) -> None:
    block: dict[str, Any] = {"type": "document", "source": source}
    if nested:
        block = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    messages = [{"role": "user", "content": [block]}]
    for target, window in (
        (_target("claude-sonnet-4-5"), 200_000),
        (_target("claude-sonnet-4-5", context_window=50_000), 200_000),
        (_target("of-tomorrow"), 1_000_000),
        (_target("of-tomorrow", context_window=300_000), 300_000),
    ):
        found = batched(_call(target, messages=messages, max_tokens=1), target).input_tokens
        assert (found == window) is counted


def test_a_long_request_is_not_read_for_its_reservation() -> None:
    call = _call(_target(), messages=[{"role": "user", "content": "word " * 20_000}], max_tokens=1)
    assert reservation(call) == call.facts.size // 2 * 10_000 + 25_000
    assert not call.facts.measured
    assert call.facts.input_tokens < call.facts.size // 2
    assert reservation(call) < call.facts.size // 2 * 10_000
    pictures = _call(_target(), messages=[{"role": "user", "content": [{"type": "image", "data": "A" * 100_000}]}])
    assert reservation(pictures) > 0
    assert pictures.facts.measured


def test_the_agent_is_what_claude_code_says() -> None:
    headers = [
        (b"x-claude-code-session-id", b"s"),
        (b"x-claude-code-agent-id", b"a1"),
        (b"x-claude-code-agent-type", b"Explore"),
    ]
    call = _call(headers=headers)
    describe(call)
    assert (call.record.agent, call.record.agent_type, call.record.request_class) == ("a1", "Explore", "Subagent")
    stranger = _call(headers=headers[1:])
    describe(stranger)
    assert (stranger.record.agent, stranger.record.agent_type, stranger.record.request_class) == ("", "", "")
    main = _call(headers=headers[:1], tools=[{"name": "Bash"}])
    describe(main)
    assert main.record.request_class == ""


_COUNTS = st.integers(0, 10**7)


@given(st.lists(_COUNTS, min_size=7, max_size=7), st.booleans(), st.integers(0, 10**6))
def test_money_is_never_negative_and_sums_match(counts: list[int], ended: bool, size: int) -> None:
    call = _call()
    record = call.record
    record.input_tokens, record.output_tokens, record.cache_read_tokens, record.cache_creation_tokens = counts[:4]
    record.cache_creation_1h_tokens, record.reasoning_tokens, record.web_searches = counts[4:]
    charge(call, _target(), Passed([_DELTA % b"word"], size=size, ended=ended))
    tokens = tokens_of(record)
    parts = (
        tokens.input,
        tokens.output,
        tokens.cache_read,
        tokens.cache_write,
        tokens.cache_write_1h,
        tokens.reasoning,
    )
    assert min(parts) >= 0
    assert tokens.output + tokens.reasoning == record.output_tokens
    assert tokens.cache_write + tokens.cache_write_1h == record.cache_creation_tokens
    rates = (5, 25, 0.5, 6.25, 10, 25)
    assert record.cost == pytest.approx(
        sum(count * rate * 1000 for count, rate in zip(parts, rates, strict=True)) + tokens.searches * 10_000_000
    )
    assert min(record.cost, record.saved, record.extra) >= 0
