"""The relay lane beside the direct call."""

from tests.bench.load import Endpoint, paired, percentile, prompt, saturate
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, KEY, Stack


async def added(stack: Stack, *, size: int, rate: float, seconds: float) -> tuple[float, float, int]:
    """Milliseconds that the gateway adds to the first byte at p50 and p99, and how many requests failed."""
    endpoints = [endpoint(stack.upstream), endpoint(stack.port)]
    body = prompt(ANTHROPIC, size=size, stream=True)
    await paired(endpoints, [body, body], rate=rate, seconds=1)
    direct, through = await paired(endpoints, [body, body], rate=rate, seconds=seconds)
    failed = sum(sample.status != 200 for sample in direct + through)
    first = [[sample.first * 1e3 for sample in samples] for samples in (direct, through)]
    p50, p99 = (percentile(first[1], share) - percentile(first[0], share) for share in (0.5, 0.99))
    return p50, p99, failed


def endpoint(port: int, events: int | None = None) -> Endpoint:
    """Messages at the gateway or at the upstream itself."""
    return Endpoint(port=port, path="/v1/messages", key=KEY, model=ANTHROPIC, events=events)


async def rows(stack: Stack) -> list[Row]:
    """Added time to first byte, throughput at saturation, and large bodies."""
    p50, p99, failed = await added(stack, size=16_000, rate=100, seconds=20)
    big50, big99, big_failed = await added(stack, size=1_000_000, rate=20, seconds=15)
    body = prompt(ANTHROPIC, size=16_000, stream=False)
    await saturate(endpoint(stack.port), body, connections=16, seconds=1)
    speed, samples = await saturate(endpoint(stack.port), body, connections=16, seconds=10)
    lost = sum(sample.status != 200 for sample in samples)
    whole = [sample.total * 1e3 for sample in samples]
    return [
        Row(
            "Relay lane: added time to first byte, 100 req/s, 16 KB, streamed",
            "p50 ≤ 1 ms, p99 ≤ 5 ms",
            f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {failed} failed",
            p50 <= 1 and p99 <= 5 and not failed,
        ),
        Row(
            "Relay lane: throughput at saturation, 16 KB",
            "≥ 1,500 req/s",
            f"{speed:,.0f} req/s (p50 {percentile(whole, 0.5):.1f} ms, "
            f"p99 {percentile(whole, 0.99):.1f} ms), {lost} failed",
            speed >= 1500 and not lost,
        ),
        Row(
            "Relay lane: added time to first byte, 1 MB body, 20 req/s",
            "p99 ≤ 15 ms",
            f"p50 {big50:.2f} ms, p99 {big99:.2f} ms, {big_failed} failed",
            big99 <= 15 and not big_failed,
        ),
    ]
