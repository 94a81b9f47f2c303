"""Changing the configuration under load, through the real processes: nothing that a client can notice goes wrong."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.support.clients.traffic import Answer, Load, Traffic
from tests.support.processes.gateway import System, bundle, client, secret
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import SCHEMA, Bundle
from claude_gateway.names import API_VERSION, Kind
from claude_gateway_scripted.local import Scripted

EDITS = 12
WORDS = 12
OLD_KEY, NEW_KEY = "sk-upstream-old-0123456789", "sk-upstream-new-0123456789"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two upstreams that say their own name over and over, slowly, so that streams are open when a swap comes."""

    alpha: Scripted
    beta: Scripted


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Scripted(chunk_delay=0.02) as alpha, Scripted(chunk_delay=0.02) as beta:
        alpha.script({"text": "alpha " * WORDS, "times": 1_000_000})
        beta.script({"text": "beta " * WORDS, "times": 1_000_000})
        yield Pair(alpha, beta)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System() as running:
        yield running


def _route(name: str, **target: Any) -> dict[str, Any]:
    spec = {"models": [name], "targets": [target]}
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.MODEL_ROUTE.value,
        "metadata": {"name": name},
        "spec": spec,
    }


def _routes(upstream: Scripted) -> list[dict[str, Any]]:
    """One route for each lane to one upstream."""
    return [
        _route("relayed", model="anthropic/claude-sonnet-5-5", baseURL=upstream.url),
        _route("translated", model="hosted_vllm/gpt-5", baseURL=upstream.openai_url),
    ]


def _load(system: System) -> Load:
    return Load(url=system.url, key=system.key, models=("relayed", "translated"))


def _speaker(answer: Answer) -> str:
    """Who answered; never both."""
    words = set(answer.text.split())
    assert len(words) == 1, f"an answer of several upstreams: {answer}"
    assert len(answer.text.split()) == WORDS
    return words.pop()


def test_edits_under_load_fail_no_request_and_each_is_answered_by_old_or_new(system: System, pair: Pair) -> None:
    system.apply(*_routes(pair.alpha))
    lived: list[tuple[float, float, str]] = []
    with Traffic(_load(system)) as traffic:
        traffic.wait_for_more(8)
        for number in range(EDITS):
            upstream, name = ((pair.beta, "beta"), (pair.alpha, "alpha"))[number % 2]
            edited = time.monotonic()
            system.apply(*_routes(upstream))
            lived.append((edited, time.monotonic(), name))
            traffic.wait_for_more(8)

    assert traffic.problems == []
    times = sorted(live - edited for edited, live, _ in lived)
    print(f"\nedit to live, {EDITS} edits: median {times[len(times) // 2]:.3f} s, most {times[-1]:.3f} s")
    print(f"requests meanwhile: {len(traffic.answers)}, failed: {len(traffic.problems)}")
    for answer in traffic.answers:
        assert _speaker(answer) in _allowed(answer, lived), answer
    across = [answer for answer in traffic.answers if any(answer.started < live < answer.ended for _, live, _ in lived)]
    assert {(answer.model, answer.stream) for answer in across} >= {("relayed", True), ("translated", True)}


def _allowed(answer: Answer, lived: list[tuple[float, float, str]]) -> set[str]:
    """Upstreams that may have answered: the one in force when the request began, or one whose edit was under way."""
    in_force = "alpha"
    allowed = set()
    for edited, live, name in lived:
        if live <= answer.started:
            in_force = name
        elif edited <= answer.ended:
            allowed.add(name)
    return {in_force, *allowed}


def _torn(good: Bundle) -> Bundle:
    return replace(good, gateway=good.gateway.replace(b'"routes"', b'"routes":1,"x"'))


def _too_new(good: Bundle) -> Bundle:
    return replace(good, schema_version=SCHEMA + 1)


@pytest.mark.parametrize(("spoil", "reason"), [(_torn, "gateway.json cannot be read"), (_too_new, "schema version")])
def test_a_broken_bundle_leaves_the_last_good_one_serving_and_is_reported(
    system: System, pair: Pair, spoil: Any, reason: str
) -> None:
    good = system.apply(*_routes(pair.alpha))
    with Traffic(_load(system)) as traffic:
        traffic.wait_for_more(4)
        broken = spoil(bundle([*client("tests", system.key), *_routes(pair.beta)]))
        revision = folder.write(system.folder / "source", broken)
        report = until(lambda: found if (found := system.report()).error else None, what="the error to be reported")
        traffic.wait_for_more(8)

    assert report is not None
    assert report.error is not None
    assert reason in report.error
    assert (report.wanted, report.live) == (revision, good)
    assert traffic.problems == []
    assert {_speaker(answer) for answer in traffic.answers} == {"alpha"}
    refusals = system.processes["agent"].lines("bundle_refused")
    assert (refusals[-1]["revision"], refusals[-1]["kept"]) == (revision, good)
    assert reason in refusals[-1]["error"]
    assert "claude_gateway_config_in_sync" in system.metrics
    assert 'claude_gateway_config_in_sync{process="agent"} 0.0' in system.metrics

    assert system.apply(*_routes(pair.beta)) == system.report().live
    assert system.report().error is None
    assert 'claude_gateway_config_in_sync{process="agent"} 1.0' in system.metrics


def test_what_only_litellm_refuses_is_reported_and_the_pod_is_not_live(system: System, pair: Pair) -> None:
    good = system.apply(*_routes(pair.alpha))
    with Traffic(_load(system)) as traffic:
        traffic.wait_for_more(4)
        valid = bundle([*client("tests", system.key), *_routes(pair.alpha)])
        document = json.loads(valid.gateway)
        # Only the worker finds its targets by id.
        document["routes"][0]["targets"] *= 2
        broken = replace(valid, gateway=json.dumps(document).encode())
        revision = folder.write(system.folder / "source", broken)

        def refused() -> bool:
            litellm = system.report().litellm
            return litellm is not None and litellm.refused == revision

        until(refused, what="the worker to refuse")
        traffic.wait_for_more(8)

    litellm = system.report().litellm
    assert litellm is not None
    assert litellm.error
    assert litellm.revision == good
    assert traffic.problems == []


def _credentialed(upstream: Scripted) -> list[dict[str, Any]]:
    def credential(name: str, provider: str, base_url: str) -> dict[str, Any]:
        spec = {"apiKey": {"provider": provider, "secretRef": {"name": "upstream"}, "baseURL": base_url}}
        return {
            "apiVersion": API_VERSION,
            "kind": Kind.CLAUDE_CREDENTIAL.value,
            "metadata": {"name": name},
            "spec": spec,
        }

    return [
        credential("anthropic", "anthropic", upstream.url),
        credential("vllm", "hosted_vllm", upstream.openai_url),
        _route("relayed", model="anthropic/claude-sonnet-5-5", credential="anthropic"),
        _route("translated", model="hosted_vllm/gpt-5", credential="vllm"),
    ]


def test_a_rotated_upstream_key_is_live_without_a_restart_or_a_failed_request(system: System) -> None:
    with Scripted(keys=[OLD_KEY, NEW_KEY]) as upstream:
        system.apply(*_credentialed(upstream), secret("upstream", OLD_KEY))
        pids = {name: process.pid for name, process in system.processes.items()}
        with Traffic(_load(system)) as traffic:
            traffic.wait_for_more(8)
            system.apply(*_credentialed(upstream), secret("upstream", NEW_KEY))
            # From here on the old key is worth nothing; what is still under way was let in before.
            traffic.wait_for_more(8)
            upstream.configure(keys=[NEW_KEY])
            traffic.wait_for_more(8)

        assert traffic.problems == []
    assert {name: process.pid for name, process in system.processes.items()} == pids
    assert all(process.returncode is None for process in system.processes.values())
    assert system.leaks(OLD_KEY, NEW_KEY) == []


def test_a_rotated_client_key_is_live_and_the_old_one_is_refused(system: System, pair: Pair) -> None:
    first, second = "cgw_" + "a" * 43, "cgw_" + "b" * 43
    system.apply(*_routes(pair.alpha), *client("team", first))
    with Traffic(replace(_load(system), key=first)) as before:
        before.wait_for_more(4)
    system.apply(*_routes(pair.alpha), *client("team", second))
    with Traffic(replace(_load(system), key=second)) as after:
        after.wait_for_more(4)
    with Traffic(replace(_load(system), key=first)) as stale:
        stale.wait_for_more(4)

    assert before.problems == after.problems == []
    assert all("status 401" in problem for problem in stale.problems)
    assert len(stale.problems) == len(stale.answers)
    assert system.leaks(first, second) == []
