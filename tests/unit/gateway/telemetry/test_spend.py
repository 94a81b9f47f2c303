"""Money as metrics: by whom and for what, with labels that stay bounded, and prompt caches that broke."""

from prometheus_client.parser import text_string_to_metric_families

from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.telemetry.bounded import OTHER, Bounded
from claude_gateway_proxy.gateway.telemetry.caches import _MOST, PromptCaches
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_proxy.gateway.telemetry.record import Compared, Record
from claude_gateway_proxy.gateway.telemetry.spend import AGENT_TYPES, MODELS


def _record(**fields: object) -> Record:
    record = Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=10.0, client="ns/dev", route="ns/r")
    record.provider, record.billed_model = "anthropic", "claude-opus-4-6"
    for name, value in fields.items():
        setattr(record, name, value)
    return record


def _samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name == name
    }


def test_money_is_counted_by_client_route_provider_and_model() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    metrics.finished(_record(cost=1_500_000_000, saved=2_000_000_000, extra=500_000_000), now=11.0)
    metrics.finished(_record(cost=500_000_000, cost_certain=False), now=11.0)
    labels = ("ns/dev", "claude-opus-4-6", "anthropic", "ns/r")
    assert _samples(metrics, "claude_gateway_cost_dollars_total") == {labels: 2.0}
    assert _samples(metrics, "claude_gateway_cost_estimated_total") == {("ns/dev", "ns/r"): 1}
    assert _samples(metrics, "claude_gateway_cache_saved_dollars_total") == {("ns/dev", "ns/r"): 2.0}
    assert _samples(metrics, "claude_gateway_cache_write_extra_dollars_total") == {("ns/dev", "ns/r"): 0.5}
    assert _samples(metrics, "claude_gateway_agent_cost_dollars_total") == {}


def test_agents_are_counted_by_their_type_and_purpose() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    asked = {"session": "s", "cost": 10**9}
    metrics.finished(_record(**asked, agent_type="Explore", request_class="Subagent"), now=11.0)
    metrics.finished(_record(**asked), now=11.0)
    assert _samples(metrics, "claude_gateway_agent_cost_dollars_total") == {
        ("Explore", "ns/dev", "Subagent"): 1.0,
        ("", "ns/dev", ""): 1.0,
    }


def test_what_never_reached_a_target_is_no_money() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    metrics.finished(_record(billed_model="", cost=5), now=11.0)
    assert _samples(metrics, "claude_gateway_cost_dollars_total") == {}


def test_words_of_clients_do_not_become_labels_without_end() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    for number in range(MODELS + 50):
        metrics.finished(_record(session="s", cost=10**9, billed_model=f"m{number}", agent_type=f"a{number}"), now=11.0)
    models = _samples(metrics, "claude_gateway_cost_dollars_total")
    assert len(models) == MODELS + 1
    assert models[("ns/dev", OTHER, "anthropic", "ns/r")] == 50
    assert len(_samples(metrics, "claude_gateway_agent_cost_dollars_total")) == AGENT_TYPES + 1


def test_what_a_copy_cost_is_no_spend_of_clients() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    original = _record(cost=3 * 10**9, session="s")
    copy = _record(cost=10**9, mirrors=original, session="s", provider="openai", billed_model="gpt-5")
    metrics.finished(original, now=11.0)
    for compared in (Compared(original, copy, "same_tools"), Compared(original, None, "dropped")):
        metrics.compared(compared)
    free = _record(cost=10**9, mirrors=original, billed_model="")
    metrics.compared(Compared(original, free, "same_tools"))
    assert _samples(metrics, "claude_gateway_mirror_cost_dollars_total") == {
        ("ns/dev", "claude-opus-4-6", "anthropic", "ns/r", "original"): 6.0,
        ("ns/dev", "gpt-5", "openai", "ns/r", "copy"): 1.0,
    }
    assert _samples(metrics, "claude_gateway_cost_dollars_total") == {
        ("ns/dev", "claude-opus-4-6", "anthropic", "ns/r"): 3.0
    }
    assert _samples(metrics, "claude_gateway_agent_cost_dollars_total") == {("", "ns/dev", ""): 3.0}


def test_a_copy_breaks_no_cache_of_the_conversation() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    original = _turn(read=0, written=20_000)
    metrics.finished(original, now=11.0)
    metrics.compared(Compared(original, _turn(read=0, written=20_000, mirrors=original), "same_tools"))
    metrics.finished(_turn(read=20_000, written=10), now=12.0)
    assert _samples(metrics, "claude_gateway_prompt_cache_breaks_total") == {}


def test_a_word_that_is_no_label_is_other() -> None:
    words = Bounded(3)
    assert [words.of(word) for word in ("a", "b" * 65, "c\n", "d", "", "e", "a")] == [
        "a",
        OTHER,
        OTHER,
        "d",
        "",
        OTHER,
        "a",
    ]


def _turn(*, read: int, written: int = 0, sent: int = 0, **more: object) -> Record:
    counts = {"cache_read_tokens": read, "cache_creation_tokens": written, "input_tokens": sent}
    return _record(**{"session": "s", **counts, **more})


def test_a_conversation_that_pays_for_its_cache_again_broke_it() -> None:
    caches = PromptCaches()
    assert not caches.broke(_turn(read=0, written=20_000), now=0.0)
    assert not caches.broke(_turn(read=20_000, written=1000), now=10.0)
    assert caches.broke(_turn(read=5000, written=17_000), now=20.0)
    assert not caches.broke(_turn(read=22_000, written=10), now=30.0)


def test_what_is_no_break() -> None:
    caches = PromptCaches()
    caches.broke(_turn(read=0, written=20_000), now=0.0)
    others = (
        _turn(read=0, written=20_000, agent="a"),  # a subagent has a conversation of its own
        _turn(read=0, written=20_000, session="t"),
        _turn(read=0, written=20_000, session=""),
        _turn(read=0, sent=30_000),  # without a cache at all
        _turn(read=1000, written=2000),  # compacted
    )
    assert [caches.broke(each, now=10.0) for each in others] == [False] * len(others)
    assert not caches.broke(_turn(read=0, written=20_000), now=11.0)  # a short cache before
    assert not caches.broke(_turn(read=0, written=30_000), now=1000.0)  # the vendor's time was over


def test_the_memory_of_conversations_is_bounded() -> None:
    caches = PromptCaches()
    for number in range(_MOST + 100):
        caches.broke(_turn(read=0, written=20_000, session=str(number)), now=0.0)
    assert len(caches._last) == _MOST
    metrics = Metrics(in_flight=lambda: 0)
    for written, read in ((20_000, 0), (21_000, 100)):
        metrics.finished(_turn(read=read, written=written), now=11.0)
    assert _samples(metrics, "claude_gateway_prompt_cache_breaks_total") == {("ns/dev", "ns/r"): 1}
