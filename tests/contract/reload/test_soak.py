"""Two hundred reloads leave nothing behind: memory, descriptors, threads, files; and a request costs what it did."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest
from tests.support.processes.gateway import System

from claude_gateway.names import API_VERSION, BUNDLE_DIR, Kind
from claude_gateway_scripted.local import Scripted

RELOADS = 200
WARM_RELOADS = 20
FILLING = 200
"""Routes that nobody asks for: they make a snapshot large enough (180 kB in the gateway) that 200 kept ones show."""
ASKED = 150
"""Requests of each lane over which the CPU time of one is taken."""
GROWTH_BYTES = 10_000_000
"""What a process may have grown by: 1 MB was seen, and 15 (agent) to 36 MB with what was made to keep all."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process holds."""

    resident: int
    descriptors: int
    threads: int


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted() as server:
        yield server


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System() as running:
        yield running


def _route(name: str, **target: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.MODEL_ROUTE.value,
        "metadata": {"name": name},
        "spec": {"models": [name], "targets": [target]},
    }


def _revision(number: int, upstream: Scripted) -> list[dict[str, Any]]:
    """Routes of which every one differs from the revision before, so that each has new targets."""
    most = 1000 + number
    far = "http://vllm.example:8000/v1"
    filling = [
        _route(f"filling-{index}", model="hosted_vllm/filling", baseURL=far, maxOutputTokens=most)
        for index in range(FILLING)
    ]
    return [
        _route("relayed", model="anthropic/claude-sonnet-5-5", baseURL=upstream.url, maxOutputTokens=most),
        _route("translated", model="hosted_vllm/gpt-5", baseURL=upstream.openai_url, maxOutputTokens=most),
        *filling,
    ]


def _ask(system: System, model: str, count: int = 1) -> None:
    body = json.dumps({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Good morning"}]})
    headers = {"x-api-key": system.key, "content-type": "application/json"}
    for _ in range(count):
        with urlopen(Request(f"{system.url}/v1/messages", body.encode(), headers), timeout=60) as answer:
            assert answer.status == 200
            answer.read()


def _usage(system: System) -> dict[str, Usage]:
    found = {}
    for name, child in system.processes.items():
        process = psutil.Process(child.pid)
        found[name] = Usage(process.memory_info().rss, process.num_fds(), process.num_threads())
    return found


def _cost(system: System, model: str) -> float:
    """CPU seconds of gateway and LiteLLM worker for one request."""

    def spent() -> float:
        times = [psutil.Process(system.processes[name].pid).cpu_times() for name in ("gateway", "litellm")]
        return sum(time.user + time.system for time in times)

    before = spent()
    _ask(system, model, ASKED)
    return (spent() - before) / ASKED


@pytest.mark.timeout(400)
def test_two_hundred_reloads_leak_nothing(system: System, upstream: Scripted) -> None:
    number = 0
    for number in range(WARM_RELOADS):
        system.apply(*_revision(number, upstream))
        _ask(system, "relayed", 5)
        _ask(system, "translated", 5)
    costs = {model: _cost(system, model) for model in ("relayed", "translated")}
    before = _usage(system)

    for number in range(WARM_RELOADS, WARM_RELOADS + RELOADS):
        revision = system.apply(*_revision(number, upstream))
        _ask(system, "relayed")
        _ask(system, "translated")

    costs_after = {model: _cost(system, model) for model in costs}
    after = _usage(system)
    print()
    for name in before:
        was, now = before[name], after[name]
        print(
            f"{name}: {was.resident / 1e6:.1f} to {now.resident / 1e6:.1f} MB, "
            f"{was.descriptors} to {now.descriptors} descriptors, {was.threads} to {now.threads} threads"
        )
    for model, cost in costs.items():
        print(f"CPU of one {model} request: {cost * 1000:.2f} to {costs_after[model] * 1000:.2f} ms")
    for name in before:
        assert after[name].resident - before[name].resident < GROWTH_BYTES, name
        # One connection or worker thread more or less is chance; one per reload is a leak.
        assert abs(after[name].descriptors - before[name].descriptors) <= 4, name
        assert abs(after[name].threads - before[name].threads) <= 4, name
    kept = [path.name for path in (system.folder / "run" / BUNDLE_DIR / "revisions").iterdir()]
    assert revision in kept
    assert len(kept) == 2
    assert all(process.returncode is None for process in system.processes.values())
