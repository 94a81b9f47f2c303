"""The calculation of capacity: it grows as it should, divides the work, and names what breaks first."""

from dataclasses import replace

import pytest
from tools import benchmarked, capacity
from tools.capacity import Scenario
from tools.reference import capacity as capacity_page

from claude_gateway.contract.bundle import SIZE_LIMIT

GIVEN = {
    "policy_bytes": 10_000,
    "policy_bytes_per_route": 50,
    "policy_bytes_per_client": 5,
    "unpacked_bytes_per_route": 700,
    "secret_bytes_per_key": 40,
    "pass_seconds": 0.1,
    "pass_seconds_per_route": 0.0004,
    "pass_seconds_per_client": 0.0001,
    "pass_mebibytes": 50,
    "pass_mebibytes_per_route": 0.02,
    "pass_mebibytes_per_client": 0.005,
    "operator_mebibytes_extra": 70,
    "gateway_mebibytes": 60,
    "litellm_mebibytes": 100,
    "agent_mebibytes": 40,
    "litellm_library_mebibytes": 160,
    "gateway_mebibytes_per_route": 0.01,
    "litellm_mebibytes_per_route": 0.01,
    "agent_mebibytes_per_route": 0.005,
    "listed_bytes_per_modelroutes": 2_000,
    "listed_bytes_per_gatewayclients": 1_500,
    "relay_request_seconds": 0.0005,
    "relay_event_seconds": 0.00002,
    "codec_request_seconds": 0.004,
    "codec_event_seconds": 0.00004,
    "stream_mebibytes": 0.025,
    "streams_per_pod": 1000,
    "active_share": 0.5,
    "streams_per_active": 2,
    "requests_per_minute": 6,
    "events_per_second": 10,
    "codec_share": 0,
    "keys_per_developer": 1,
    "utilisation": 0.5,
    "room": 0.8,
    "edits_per_minute": 2,
    "pass_goal_seconds": 10,
}


def test_load_is_what_the_developers_make() -> None:
    found = capacity.estimate(Scenario(2_000, 0), GIVEN)
    assert found.streams == 2_000
    assert found.requests_per_second == 100
    assert found.cores == pytest.approx(100 * 0.0005 + 20_000 * 0.00002)
    assert found.pods == 2 + 1, "two for the streams, one that may be lost"


def test_a_translated_request_costs_more() -> None:
    relayed = capacity.estimate(Scenario(2_000, 0), GIVEN)
    assert capacity.estimate(Scenario(2_000, 0), {**GIVEN, "codec_share": 1}).cores > 2 * relayed.cores


def test_a_small_installation_has_two_pods_and_one_release() -> None:
    found = capacity.planned(Scenario(1, 1), GIVEN)
    assert (found.pods, found.scenario.releases) == (capacity.FEWEST_PODS, 1)


def test_as_few_releases_as_leave_room_in_every_bound() -> None:
    found = capacity.planned(Scenario(200, 50_000), GIVEN)
    assert found.tightest.load <= GIVEN["room"]
    fewer = capacity.estimate(replace(found.scenario, releases=found.scenario.releases - 1), GIVEN)
    assert fewer.tightest.load > GIVEN["room"]


def test_releases_divide_bundle_and_pass_but_not_the_load() -> None:
    one, two = (capacity.estimate(Scenario(2_000, 10_000, releases=count), GIVEN) for count in (1, 2))
    assert two.policy_bytes < one.policy_bytes
    assert two.pass_seconds < one.pass_seconds
    assert two.cores == one.cores
    assert two.listed_bytes == one.listed_bytes


def test_a_fixed_cost_that_leaves_no_room_is_said() -> None:
    with pytest.raises(ValueError, match="one pass of the operator"):
        capacity.planned(Scenario(200, 100), {**GIVEN, "pass_seconds": 20})


def test_a_bound_breaks_at_the_count_that_fills_it() -> None:
    bound = "ConfigMap: gateway.json, compressed"
    assert capacity.most(GIVEN, what="routes", bound=bound) == (SIZE_LIMIT - 10_000) // 50
    assert capacity.most(GIVEN, what="developers", bound="gateway.json in a pod") == capacity.ENDLESS


def test_one_name_in_two_sections_is_a_mistake() -> None:
    entry = {"value": 1, "unit": "s", "source": "here"}
    with pytest.raises(ValueError, match="both is in two sections"):
        capacity.load({"measured": {"both": entry}, "benchmarks": {"both": entry}, "assumed": {}})


def test_every_input_has_a_unit_and_a_source() -> None:
    document = capacity.document()
    for section in capacity.SECTIONS:
        for name, entry in document[section].items():
            assert set(entry) == {"value", "unit", "source"}, name
            assert entry["source"], name


def test_the_inputs_are_those_that_the_calculation_reads() -> None:
    """An input that nothing reads, or one that is missing, would make the page say what was not calculated."""
    shown_alone = {"routes_that_fit", "overfull_pass_seconds", "overfull_pass_mebibytes"}
    assert set(capacity.load()) == set(GIVEN) | shown_alone


def test_the_page_has_every_size_and_what_breaks_first() -> None:
    page = capacity_page.render()
    for scenario in capacity_page.SCENARIOS:
        assert f"\n| {scenario.developers:,} | {scenario.routes:,} | " in page
    assert "## What breaks first" in page


BENCHMARKS = """
| What | Goal | Measured | |
| Their CPU time | ≤ 30 % of a core | 50 % of a core | **missed** |
| Codec lane: added time to first byte, 50 req/s, 90 KB, streamed | p50 ≤ 4 ms | p50 3.20 ms, 0 failed | met |
| Codec lane: streams at saturation, 10 at once, 2 KB | ≥ 900 /s | 1,240 /s, 0.80 ms of CPU each, 0 failed | met |
| Codec lane: 300 open streams of 50 events/s | ≤ 80 % of a core | 60 % of a core; 0 failed | met |
| Memory of the gateway after 1,000 more streams | ≤ 400 MiB | 100 MiB, 0 failed | met |
| Memory with LiteLLM loaded, after the load |  | gateway 77 + worker 260 MiB; stock 395 MiB |  |
"""


def test_the_benchmarks_give_what_a_request_and_an_event_cost() -> None:
    found = benchmarked.inputs(BENCHMARKS, GIVEN)
    assert {name: entry["value"] for name, entry in found.items()} == {
        "relay_event_seconds": 2e-05,
        "codec_request_seconds": 0.004,
        "codec_event_seconds": 4e-05,
        "stream_mebibytes": 0.04,
        "litellm_library_mebibytes": 160.0,
    }
    assert found["codec_event_seconds"]["source"].endswith("300 codec streams of 50 events/s took 60 % of a core")


def test_a_row_that_the_benchmarks_no_longer_have_is_named() -> None:
    with pytest.raises(ValueError, match="no row 'Their CPU time'"):
        benchmarked.inputs(BENCHMARKS.replace("Their CPU time", "CPU time"), GIVEN)
