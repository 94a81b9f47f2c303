"""Merging the metrics of several processes into one valid page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from claude_gateway_proxy.agent.exposition import ExpositionError, merge, parse


def _page(requests: dict[str, float], *, resident: float = 1.0) -> str:
    registry = CollectorRegistry()
    counter = Counter("claude_gateway_requests", "Requests, by\nmodel \\ route.", ["model"], registry=registry)
    for model, value in requests.items():
        counter.labels(model).inc(value)
    Gauge("process_resident_memory_bytes", "Resident memory.", registry=registry).set(resident)
    histogram = Histogram("gen_ai_seconds", "Time.", ["route"], buckets=(0.1, 1.0), registry=registry)
    histogram.labels("a").observe(0.5)
    Summary("loads", "Loads.", registry=registry).observe(2)
    return generate_latest(registry).decode()


def _samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def _merged(*pages: tuple[str, str]) -> str:
    return merge((process, parse(text, process=process)) for process, text in pages)


def test_equal_families_of_two_processes_become_one_with_all_samples() -> None:
    text = _merged(("gateway", _page({"a": 2}, resident=7)), ("litellm", _page({"a": 3}, resident=9)))

    samples = _samples(text)
    requests = {key: value for key, value in samples.items() if key[0] == "claude_gateway_requests_total"}
    assert requests == {
        ("claude_gateway_requests_total", frozenset({("process", "gateway"), ("model", "a")})): 2.0,
        ("claude_gateway_requests_total", frozenset({("process", "litellm"), ("model", "a")})): 3.0,
    }
    assert samples["process_resident_memory_bytes", frozenset({("process", "litellm")})] == 9.0
    for line in ("# TYPE claude_gateway_requests_total counter", "# TYPE gen_ai_seconds histogram"):
        assert text.count(line + "\n") == 1
    assert text.count("# HELP gen_ai_seconds ") == 1


def test_the_samples_of_a_family_stand_together() -> None:
    text = _merged(("gateway", _page({"a": 2})), ("litellm", _page({"a": 3})))

    order = [line.split("{")[0].removesuffix("_bucket") for line in text.splitlines() if not line.startswith("#")]
    histogram = [name for name in order if name.startswith("gen_ai_seconds") and not name.endswith("_created")]
    first = order.index(histogram[0])
    assert order[first : first + len(histogram)] == histogram


@given(st.dictionaries(st.text(max_size=12), st.floats(min_value=0, allow_infinity=False), max_size=4))
def test_nothing_is_lost_or_changed_but_the_label_is_added(requests: dict[str, float]) -> None:
    page = _page(requests)

    merged = _samples(_merged(("gateway", page)))

    assert merged == {
        (name, labels | {("process", "gateway")}): value for (name, labels), value in _samples(page).items()
    }


def test_a_process_label_of_its_own_is_kept() -> None:
    text = '# TYPE up gauge\nup{process="agent"} 1\nup{process="gateway",zone="a"} 0\nup{zone="b",process="x"} 0\n'

    assert _merged(("agent", text)) == text


@pytest.mark.parametrize("value", [',process="', 'a"} 1', "\\", "}", " {"])
def test_a_label_value_cannot_pass_for_something_else(value: str) -> None:
    samples = _samples(_merged(("gateway", _page({value: 4}))))

    assert samples["claude_gateway_requests_total", frozenset({("process", "gateway"), ("model", value)})] == 4.0


def test_a_family_of_two_types_keeps_the_first() -> None:
    first, second = "# TYPE depth gauge\ndepth 1\n", "# TYPE depth counter\ndepth 2\n"

    text = _merged(("gateway", first), ("litellm", second))

    assert text == '# TYPE depth gauge\ndepth{process="gateway"} 1\n'


def test_samples_without_a_family_and_with_a_time_are_kept() -> None:
    assert _merged(("gateway", "# a remark\n\ndepth 1 1700000000000\nwidth NaN\n")) == (
        '# TYPE depth untyped\ndepth{process="gateway"} 1 1700000000000\n'
        '# TYPE width untyped\nwidth{process="gateway"} NaN\n'
    )


@pytest.mark.parametrize("line", ["<html>", "depth", 'depth{a="b} 1', "depth{a=b} 1", "1depth 2", '{"a": 1}'])
def test_what_is_no_exposition_is_refused_without_repeating_it(line: str) -> None:
    with pytest.raises(ExpositionError, match=r"^line 2 is not a sample$"):
        parse(f"depth 1\n{line}\n", process="gateway")
