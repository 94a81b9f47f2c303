"""The relay lane beside the direct call, and beside Envoy as a plain proxy."""

from tests.bench.load import Endpoint, Sample, paired, percentile, prompt, saturate
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, GATEWAY_CORES, KEY, Stack, pin
from tests.peers import envoy

_ROUNDS = 2


async def added(
    stack: Stack, *, size: int, rate: float, seconds: float, port: int | None = None
) -> tuple[float, float, int]:
    """Milliseconds that the gateway adds to the first byte at p50 and p99, and how many requests failed.

    ``port`` is that of another proxy.
    """
    endpoints = [endpoint(stack.upstream), endpoint(port or stack.port)]
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
        *await _beside_envoy(stack),
    ]


async def _beside_envoy(stack: Stack) -> list[Row]:
    """The same load on the gateway and on Envoy, in turn and on the same core."""
    with envoy.running(stack.upstream) as (process, port):
        pin(process, GATEWAY_CORES)
        streams = await _compared(stack, port, size=16_000, stream=True, least=0.9)
        plain = await _compared(stack, port, size=1_000, stream=False, least=0.5)
        ours50, ours99, failed = await added(stack, size=90_000, rate=100, seconds=15)
        peer50, peer99, _ = await added(stack, size=90_000, rate=100, seconds=15, port=port)
    return [
        Row(f"Relay lane beside {envoy.NAME}: 16 KB, streamed, 32 at once", *streams),
        Row(f"Relay lane beside {envoy.NAME}: 1 KB, plain, 32 at once", *plain),
        Row(
            "Relay lane: added time to first byte, 100 req/s, 90 KB, streamed",
            "p50 ≤ 1 ms",
            f"p50 {ours50:.2f} ms, p99 {ours99:.2f} ms, {failed} failed",
            ours50 <= 1 and not failed,
        ),
        Row(f"The same through {envoy.NAME}", "", f"p50 {peer50:.2f} ms, p99 {peer99:.2f} ms"),
    ]


async def _compared(stack: Stack, port: int, *, size: int, stream: bool, least: float) -> tuple[str, str, bool]:
    """Return the goal, what was measured, and whether it is met."""
    body = prompt(ANTHROPIC, size=size, stream=stream)
    samples: list[Sample] = []
    rates = {port: 0.0, stack.port: 0.0}
    for _ in range(_ROUNDS):
        for each in rates:
            await saturate(endpoint(each), body, connections=32, seconds=1)
            rate, answers = await saturate(endpoint(each), body, connections=32, seconds=4)
            rates[each] += rate / _ROUNDS
            samples += answers
    lost = sum(sample.status != 200 for sample in samples)
    share = rates[stack.port] / rates[port]
    measured = f"{share:.2f} ({rates[stack.port]:,.0f} against {rates[port]:,.0f} /s), {lost} failed"
    return f"≥ {least:g} of its rate", measured, share >= least and not lost
