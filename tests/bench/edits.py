"""Edits under load: how long until one is live, whether a request fails, and whether a held stream stalls meanwhile."""

import asyncio
import time
from functools import partial
from pathlib import Path

from tests.bench.load import Endpoint, Sample, open_streams, paired, percentile, prompt
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, GATEWAY_CORES, KEY, OPENAI, Stack, bundle, environment, manifests, pin, route
from tests.bench.startup import live
from tests.bench.upstream import HELD_PERIOD
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

from claude_gateway.contract import folder

_EDITS = 20
_HELD_EDITS = 8
_HELD_STREAMS = 20
_HELD = {"relay": "held-anthropic", "codec": "held-openai", "LiteLLM": "held-litellm"}
"""The model that each lane serves with held streams."""


async def rows(stack: Stack) -> list[Row]:
    """Twenty edits among 500 routes, with 40 requests a second on both lanes."""
    source = stack.run_dir / "source"
    objects = manifests(stack.upstream, extra_routes=500)
    before = folder.write(source, bundle(objects))
    agent = pin(Process(python("claude_gateway_proxy.agent"), environment=environment(stack.run_dir)), GATEWAY_CORES)
    with agent:
        address = agent.listening()
        await asyncio.to_thread(until, lambda: live(address) == before)
        load = asyncio.create_task(_load(stack.port))
        spent = []
        for number in range(_EDITS):
            await asyncio.sleep(0.5)
            began = time.perf_counter()
            objects[2]["spec"]["targets"][0]["model"] = f"anthropic/bench-{number}"
            after = await asyncio.to_thread(lambda: folder.write(source, bundle(objects)))
            # The agent also answers when it has seen the edit, which is before it is live.
            await asyncio.to_thread(until, partial(_is_live, address, before=before, after=after))
            spent.append(time.perf_counter() - began)
            before = after
        failed = [sample.status for samples in await load for sample in samples if sample.status != 200]
        held = await _held(stack, source, address)
    return [
        Row(
            "Edit to live with 500 routes, under load",
            "p95 ≤ 2 s, 0 failed",
            f"p50 {percentile(spent, 0.5):.2f} s, p95 {percentile(spent, 0.95):.2f} s, {len(failed)} failed",
            percentile(spent, 0.95) <= 2 and not failed,
        ),
        *held,
    ]


async def _held(stack: Stack, source: Path, agent: str) -> list[Row]:
    """Edits among 2,000 routes while streams are held on every lane: the longest silence of each stream."""
    objects = manifests(stack.upstream, extra_routes=2000)
    base = f"http://127.0.0.1:{stack.upstream}"
    objects.append(route("held-anthropic", model="anthropic/held", base_url=base, models=[_HELD["relay"]]))
    openai = {"model": "hosted_vllm/held", "base_url": f"{base}/v1"}
    objects.append(route("held-openai", **openai, models=[_HELD["codec"]]))
    objects.append(route("held-litellm", **openai, models=[_HELD["LiteLLM"]], via="LiteLLM"))
    before = await asyncio.to_thread(lambda: folder.write(source, bundle(objects)))
    await asyncio.to_thread(until, lambda: live(agent) == before)
    streams = {lane: asyncio.create_task(_streams(stack.port, model)) for lane, model in _HELD.items()}
    await asyncio.sleep(4)
    for number in range(_HELD_EDITS):
        objects[2]["spec"]["targets"][0]["model"] = f"anthropic/held-{number}"
        after = await asyncio.to_thread(lambda: folder.write(source, bundle(objects)))
        await asyncio.to_thread(until, partial(_is_live, agent, before=before, after=after))
        before = after
        await asyncio.sleep(1)
    return [_stalls(name, await task) for name, task in streams.items()]


async def _streams(port: int, model: str) -> list[Sample]:
    held = Endpoint(port=port, path="/v1/messages", key=KEY, model=model)
    return await open_streams(held, prompt(model, size=2000, stream=True), count=_HELD_STREAMS, ramp=2)


def _stalls(lane: str, samples: list[Sample]) -> Row:
    worst = [max(0.0, max(sample.gaps, default=0.0) - HELD_PERIOD) * 1e3 for sample in samples]
    lost = sum(sample.status != 200 for sample in samples)
    return Row(
        f"Held streams of the {lane} lane while edits of 2,000 routes load: worst stall of each stream",
        "≤ 100 ms at p99, 0 failed",
        f"p50 {percentile(worst, 0.5):.0f} ms, p99 {percentile(worst, 0.99):.0f} ms, {lost} failed",
        percentile(worst, 0.99) <= 100 and not lost,
    )


def _is_live(agent: str, *, before: str, after: str) -> bool:
    return live(agent, other_than=before) == after


async def _load(port: int) -> list[list[Sample]]:
    endpoints = [Endpoint(port=port, path="/v1/messages", key=KEY, model=model) for model in (ANTHROPIC, OPENAI)]
    bodies = [prompt(model, size=2000, stream=True) for model in (ANTHROPIC, OPENAI)]
    return await paired(endpoints, bodies, rate=20, seconds=_EDITS * 1.2)
