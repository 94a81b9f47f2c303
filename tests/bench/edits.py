"""Edits under load: how long until one is live, whether a request fails, and whether a held stream stalls meanwhile."""

import asyncio
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.bench.load import Endpoint, Sample, open_streams, paired, percentile, prompt
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, GATEWAY_CORES, KEY, OPENAI, Stack, bundle, environment, manifests, pin, route
from tests.bench.startup import live
from tests.bench.upstream import HELD_PERIOD
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Packed, pack

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
    """Edits among 2,000 routes while streams are held on every lane: the longest silence of each stream.

    The edits are decided and packed before, in a process of their own: the garbage of thousands of routes would stop
    the process that reads the streams, and would look like a stall of the gateway.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as planner:
        edits = await asyncio.get_running_loop().run_in_executor(planner, _edits, stack.upstream)
    before = await _apply(edits[0], source, agent, before="")
    streams = {lane: asyncio.create_task(_streams(stack.port, model)) for lane, model in _HELD.items()}
    direct = asyncio.create_task(_streams(stack.upstream, "held"))
    await asyncio.sleep(4)
    for edit in edits[1:]:
        before = await _apply(edit, source, agent, before=before)
        await asyncio.sleep(1)
    machine = _worst(await direct)
    return [_stalls(name, await task, machine=machine) for name, task in streams.items()]


async def _apply(edit: tuple[Packed, str], source: Path, agent: str, *, before: str) -> str:
    """Write a bundle and wait until it is live; return its revision."""
    packed, revision = edit
    await asyncio.to_thread(folder.write_packed, source, packed, revision=revision)
    await asyncio.to_thread(until, partial(_is_live, agent, before=before, after=revision))
    return revision


def _edits(upstream: int) -> list[tuple[Packed, str]]:
    """Return the first bundle and those after each edit, with their revisions."""
    objects = manifests(upstream, extra_routes=2000)
    base = f"http://127.0.0.1:{upstream}"
    objects.append(route("held-anthropic", model="anthropic/held", base_url=base, models=[_HELD["relay"]]))
    openai = {"model": "hosted_vllm/held", "base_url": f"{base}/v1"}
    objects.append(route("held-openai", **openai, models=[_HELD["codec"]]))
    objects.append(route("held-litellm", **openai, models=[_HELD["LiteLLM"]], via="LiteLLM"))
    made = []
    for number in range(_HELD_EDITS + 1):
        objects[2]["spec"]["targets"][0]["model"] = f"anthropic/held-{number}"
        decided = bundle(objects)
        made.append((pack(decided), decided.meta.revision))
    return made


async def _streams(port: int, model: str) -> list[Sample]:
    held = Endpoint(port=port, path="/v1/messages", key=KEY, model=model)
    return await open_streams(held, prompt(model, size=2000, stream=True), count=_HELD_STREAMS, ramp=2)


def _stalls(lane: str, samples: list[Sample], *, machine: list[float]) -> Row:
    worst = _worst(samples)
    lost = sum(sample.status != 200 for sample in samples)
    return Row(
        f"Held streams of the {lane} lane while edits of 2,000 routes load: worst stall of each stream",
        "≤ 100 ms at p99, 0 failed",
        f"p50 {percentile(worst, 0.5):.0f} ms, p99 {percentile(worst, 0.99):.0f} ms, {lost} failed "
        f"(without a gateway p99 {percentile(machine, 0.99):.0f} ms)",
        percentile(worst, 0.99) <= 100 and not lost,
    )


def _worst(samples: list[Sample]) -> list[float]:
    """Return the longest silence of each stream beyond its period, in milliseconds."""
    return [max(0.0, max(sample.gaps, default=0.0) - HELD_PERIOD) * 1e3 for sample in samples]


def _is_live(agent: str, *, before: str, after: str) -> bool:
    return live(agent, other_than=before) == after


async def _load(port: int) -> list[list[Sample]]:
    endpoints = [Endpoint(port=port, path="/v1/messages", key=KEY, model=model) for model in (ANTHROPIC, OPENAI)]
    bodies = [prompt(model, size=2000, stream=True) for model in (ANTHROPIC, OPENAI)]
    return await paired(endpoints, bodies, rate=20, seconds=_EDITS * 1.2)
