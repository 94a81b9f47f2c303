"""Edits under load: how long until one is live, and whether a request fails meanwhile."""

import asyncio
import time
from functools import partial

from tests.bench.load import Endpoint, Sample, paired, percentile, prompt
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, GATEWAY_CORES, KEY, OPENAI, Stack, bundle, environment, manifests, pin
from tests.bench.startup import live
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

from claude_gateway.contract import folder

_EDITS = 20


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
    return [
        Row(
            "Edit to live with 500 routes, under load",
            "p95 ≤ 2 s, 0 failed",
            f"p50 {percentile(spent, 0.5):.2f} s, p95 {percentile(spent, 0.95):.2f} s, {len(failed)} failed",
            percentile(spent, 0.95) <= 2 and not failed,
        )
    ]


def _is_live(agent: str, *, before: str, after: str) -> bool:
    return live(agent, other_than=before) == after


async def _load(port: int) -> list[list[Sample]]:
    endpoints = [Endpoint(port=port, path="/v1/messages", key=KEY, model=model) for model in (ANTHROPIC, OPENAI)]
    bodies = [prompt(model, size=2000, stream=True) for model in (ANTHROPIC, OPENAI)]
    return await paired(endpoints, bodies, rate=20, seconds=_EDITS * 1.2)
