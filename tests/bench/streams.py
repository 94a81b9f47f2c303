"""Many open streams at once."""

import psutil
from tests.bench.load import open_streams, percentile, prompt
from tests.bench.relay import endpoint
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, Stack

_PERIOD = 0.02
"""Seconds between two events of a stream."""


async def rows(stack: Stack) -> list[Row]:
    """500 streams of 50 events a second, and 1,000 that are mostly idle, with the memory that they take."""
    body = prompt(ANTHROPIC, size=16_000, stream=True)
    process = psutil.Process(stack.gateway.pid)
    before = process.cpu_times()
    fast = await open_streams(endpoint(stack.port, events=500), body, count=500, ramp=3)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    stalls = [max(0.0, gap - _PERIOD) * 1e3 for sample in fast for gap in sample.gaps]
    worst = [max(sample.gaps, default=0.0) * 1e3 for sample in fast]
    lost = sum(sample.status != 200 for sample in fast)
    many = await open_streams(endpoint(stack.port, events=100), body, count=1000, ramp=12)
    memory = stack.memory(stack.gateway)
    lost_many = sum(sample.status != 200 for sample in many)
    return [
        Row(
            "500 open streams of 50 events/s",
            "no stall over 100 ms at p99",
            f"stall p99 {percentile(stalls, 0.99):.0f} ms; worst gap of a stream p99 {percentile(worst, 0.99):.0f} ms; "
            f"{lost} failed",
            percentile(stalls, 0.99) <= 100 and not lost,
        ),
        Row("Their CPU time", "≤ 30 % of a core", f"{spent / 13 * 100:.0f} % of a core", spent / 13 <= 0.3),
        Row(
            "Memory of the gateway after 1,000 more streams",
            "≤ 400 MiB",
            f"{memory:.0f} MiB, {lost_many} failed",
            memory <= 400 and not lost_many,
        ),
    ]
