"""One answer costs the same in every format, and the log, the metrics and the caller see the same cost."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from claude_gateway.contract.billing import price_of
from claude_gateway.contract.prices import cost
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.costs.cost import tokens_of
from claude_gateway_proxy.gateway.costs.usage import Used
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.usage import Meter, read

Counts = tuple[int, int, int, int]
"""Input that no cache has, what was read from the cache, output, and how much of it was thought."""


def _messages(counts: Counts) -> dict[str, Any]:
    sent, cached, written, thought = counts
    return {
        "input_tokens": sent,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": written,
        "output_tokens_details": {"thinking_tokens": thought},
    }


def _chat(counts: Counts) -> dict[str, Any]:
    sent, cached, written, thought = counts
    return {
        "prompt_tokens": sent + cached,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens": written,
        "completion_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": sent + cached + written,
    }


def _xai(counts: Counts) -> dict[str, Any]:
    sent, cached, written, thought = counts
    return {**_chat(counts), "completion_tokens": written - thought, "total_tokens": sent + cached + written}


def _deepseek(counts: Counts) -> dict[str, Any]:
    found = {name: value for name, value in _chat(counts).items() if name != "prompt_tokens_details"}
    return {**found, "prompt_cache_hit_tokens": counts[1], "prompt_cache_miss_tokens": counts[0]}


def _responses(counts: Counts) -> dict[str, Any]:
    sent, cached, written, thought = counts
    return {
        "input_tokens": sent + cached,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": sent + cached + written,
    }


_WORDINGS: Final[Mapping[str, Callable[[Counts], dict[str, Any]]]] = {
    "messages": _messages,
    "chat": _chat,
    "chat of xAI": _xai,
    "chat of DeepSeek": _deepseek,
    "responses": _responses,
}
_COUNTS: Final = st.tuples(*[st.integers(1, 10**6)] * 3, st.integers(0, 10**6)).map(
    lambda found: (*found[:3], min(found[2] - 1, found[3]))
)
TARGET: Final = Target(id="ns/r/0.0", provider="openai", model="gpt-5")


def _record(**fields: Any) -> Record:
    record = Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=0.0, client="ns/dev", route="ns/r")
    for name, value in fields.items():
        setattr(record, name, value)
    return record


@pytest.mark.parametrize("wording", _WORDINGS)
@given(_COUNTS)
def test_every_format_has_the_same_cost(wording: str, counts: Counts) -> None:
    sent, cached, written, thought = counts
    expected = Decimal(sent) * Decimal("1.25") + Decimal(cached) * Decimal("0.125") + Decimal(written) * 10
    usage = json.dumps({"usage": _WORDINGS[wording](counts)}).encode()
    whole, streamed = _record(), _record()
    read(whole, usage)
    meter = Meter(streamed, events=True)
    events = b"data: " + usage + b"\n\n"
    for at in range(0, len(events), 7):
        meter.feed(events[at : at + 7])
    for record in (whole, streamed):
        tokens = tokens_of(record)
        assert (tokens.input, tokens.cache_read, tokens.output + tokens.reasoning) == (sent, cached, written)
        assert tokens.reasoning == thought
        assert cost(price_of(TARGET, "gpt-5").prices, tokens) == expected / 10**6


_REQUESTS: Final = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.sampled_from(["", "alice", "bob"]),
            "session": st.sampled_from(["", "s"]),
            "agent_type": st.sampled_from(["", "Explore"]),
            "provider": st.sampled_from(["anthropic", "openai"]),
            "billed_model": st.sampled_from(["", "opus", "gpt-5"]),
            "cost": st.integers(0, 10**12),
            "cost_certain": st.booleans(),
            "output_tokens": st.integers(0, 10**6),
        }
    ),
    max_size=20,
)


@given(_REQUESTS)
def test_log_metrics_and_usage_have_the_same_sums(requests: list[dict[str, Any]]) -> None:
    records = [_record(**fields) for fields in requests]
    metrics, used = Metrics(in_flight=lambda: 0), Used(lambda: 1_800_000_000.0)
    for record in records:
        # What reached no target costs nothing.
        record.cost = record.cost if record.billed_model else 0
        metrics.finished(record, now=1.0)
        used.note(record)
    logged = [Decimal(str(record.fields(now=1.0)["cost_usd"])) for record in records]
    samples = [
        sample
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name.endswith("_cost_dollars_total")
    ]
    assert all(amount >= 0 for amount in logged)
    assert all(sample.value >= 0 for sample in samples)
    counted = sum(sample.value for sample in samples if "_agent_" not in sample.name)
    of_agents = sum(sample.value for sample in samples if "_agent_" in sample.name)
    seen = [found for _, _, found in used.of("ns/dev")]
    assert Decimal(sum(found.cost for found in seen)) / 10**9 == sum(logged)
    assert counted == pytest.approx(float(sum(logged)), rel=1e-12)
    agents = sum(amount for amount, record in zip(logged, records, strict=True) if record.session)
    assert of_agents == pytest.approx(float(agents), rel=1e-12)
    estimated = sum(amount for amount, record in zip(logged, records, strict=True) if not record.cost_certain)
    assert Decimal(sum(found.estimated for found in seen)) / 10**9 == estimated
