"""What limits cost a request, counted in memory and in Valkey, and what one client's flood costs another client."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.bench.load import Endpoint, Sample, paired, percentile, prompt, saturate
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, GATEWAY_CORES, KEY, LOAD_CORES, Stack, bundle, environment, pin, route
from tests.support.processes.child import Process, python
from tests.support.processes.valkey import ValkeyServer, valkey

from claude_gateway.contract import folder
from claude_gateway.names import API_VERSION, BUNDLE_DIR, LABEL_CREDENTIAL

_LIMITED_KEY: Final = f"{KEY}_limited"
_FLOOD_KEY: Final = f"{KEY}_flood"
_LIMITED: Final = "bench-limited"
_SHARED: Final = "bench-shared"
"""A model whose route answers few requests at one time."""
_AT_ONE_TIME: Final = 10
_EVENTS: Final = 25
"""Events of an answer in the flood: half a second."""
_AMPLE: Final = {
    "requestsPerMinute": 10_000_000,
    "inputTokensPerMinute": 1_000_000_000,
    "outputTokensPerMinute": 1_000_000_000,
    "concurrent": 10_000,
}


async def rows(stack: Stack) -> list[Row]:
    """Return what admission adds to the relay lane, and how much later a request is answered beside a flood."""
    with valkey() as server:
        assert server.child is not None
        pin(server.child, LOAD_CORES)
        with _gateway(stack, server) as shared, _gateway(stack) as alone:
            return [
                await _cost(alone, "in memory", most=0.3),
                await _cost(shared, "in Valkey", most=1.0),
                await _flood(alone, ANTHROPIC, f"client may have {_AT_ONE_TIME} requests at one time"),
                await _flood(alone, _SHARED, f"route answers {_AT_ONE_TIME} requests at one time"),
            ]


async def _cost(port: int, where: str, *, most: float) -> Row:
    """Compare a client and a route with all limits to those without any, at the same gateway."""
    endpoints = [_endpoint(port, ANTHROPIC, KEY), _endpoint(port, _LIMITED, _LIMITED_KEY)]
    bodies = [prompt(each.model, size=16_000, stream=True) for each in endpoints]
    await paired(endpoints, bodies, rate=50, seconds=2)
    free, limited = await paired(endpoints, bodies, rate=50, seconds=20)
    failed = _failed(free + limited)
    first = [[sample.first * 1e3 for sample in samples] for samples in (free, limited)]
    p50, p99 = (percentile(first[1], share) - percentile(first[0], share) for share in (0.5, 0.99))
    return Row(
        f"Four limits of a client and four of its route, counted {where}: added time to first byte, 50 req/s",
        f"p50 ≤ {most:g} ms",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {failed} failed",
        p50 <= most and not failed,
    )


async def _flood(port: int, model: str, limit: str) -> Row:
    """Compare a client's answers while nobody else asks with those while another client keeps 100 requests open."""
    body = prompt(model, size=16_000, stream=True)
    calm = _endpoint(port, model, KEY, events=_EVENTS)
    (alone,) = await paired([calm], [body], rate=4, seconds=15)
    # Answers of several lengths, as agents get them: those of one length would all end at the same moment.
    lengths = [_endpoint(port, model, _FLOOD_KEY, events=events) for events in range(_EVENTS - 8, _EVENTS + 9, 4)]
    flood = [asyncio.create_task(saturate(each, body, connections=20, seconds=17)) for each in lengths]
    await asyncio.sleep(1)
    (beside,) = await paired([calm], [body], rate=4, seconds=15)
    flooding = [sample for _, samples in await asyncio.gather(*flood) for sample in samples]
    times = [[sample.total * 1e3 for sample in samples] for samples in (alone, beside)]
    p50, p99 = ([percentile(each, share) for each in times] for share in (0.5, 0.99))
    failed = _failed(alone + beside)
    return Row(
        f"Answers of half a second beside another client's flood of 100 requests, where that {limit}",
        "p99 ≤ twice that without the flood",
        f"p50 {p50[0]:.0f} → {p50[1]:.0f} ms, p99 {p99[0]:.0f} → {p99[1]:.0f} ms, {failed} failed; "
        f"{len(flooding) - _failed(flooding)} answers to the flood",
        p99[1] <= 2 * p99[0] and not failed,
    )


def _failed(samples: list[Sample]) -> int:
    return sum(sample.status != 200 for sample in samples)


def _endpoint(port: int, model: str, key: str, *, events: int | None = None) -> Endpoint:
    return Endpoint(port=port, path="/v1/messages", key=key, model=model, events=events)


@contextmanager
def _gateway(stack: Stack, server: ValkeyServer | None = None) -> Iterator[int]:
    """Run a gateway with these limits beside the stack's own; yields its port."""
    folder_of_run = Path(tempfile.mkdtemp(prefix="cgw-bench-", dir=stack.run_dir.parent))
    try:
        folder.write(folder_of_run / BUNDLE_DIR, bundle(_objects(stack.upstream)))
        settings = environment(folder_of_run) | {"CLAUDE_GATEWAY_QUEUE_SECONDS": "30"}
        if server is not None:
            settings["CLAUDE_GATEWAY_VALKEY_ADDRESS"] = server.address
        with pin(Process(python("claude_gateway_proxy.gateway"), environment=settings), GATEWAY_CORES) as process:
            yield int(process.listening().rpartition(":")[2])
    finally:
        shutil.rmtree(folder_of_run, ignore_errors=True)


def _objects(upstream: int) -> Iterator[Mapping[str, Any]]:
    base = f"http://127.0.0.1:{upstream}"
    yield from _client("bench", KEY)
    yield from _client("limited", _LIMITED_KEY, limits=_AMPLE)
    yield from _client("flood", _FLOOD_KEY, limits={"concurrent": _AT_ONE_TIME})
    yield route("anthropic", model="anthropic/bench", base_url=base, models=[ANTHROPIC])
    for name, model, limits in (("limited", _LIMITED, _AMPLE), ("shared", _SHARED, {"concurrent": _AT_ONE_TIME})):
        made = route(name, model="anthropic/bench", base_url=base, models=[model])
        made["spec"]["limits"] = limits
        yield made


def _client(name: str, key: str, **spec: Any) -> Iterator[Mapping[str, Any]]:
    labels = {LABEL_CREDENTIAL: "true"}
    yield {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "stringData": {"key": key},
    }
    yield {
        "apiVersion": API_VERSION,
        "kind": "GatewayClient",
        "metadata": {"name": name},
        "spec": {"keys": [{"secretRef": {"name": name}}], **spec},
    }
