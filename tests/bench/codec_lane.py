"""The codec lane beside the direct call and beside claude-code-router: Messages to a Chat Completions server."""

import psutil
from tests.bench.load import Endpoint, Sample, open_streams, paired, percentile, prompt, saturate
from tests.bench.report import Row
from tests.bench.stack import GATEWAY_CORES, KEY, OPENAI, PACED, TRANSLATED, Stack, pin
from tests.peers import router

_STREAMS = 300
_SECONDS = 10
"""How many paced streams are open at once, and how long each lasts."""


async def rows(stack: Stack) -> list[Row]:
    """Streams at saturation, added time to first byte, and many open streams."""
    await _saturated(stack.port, OPENAI, seconds=2)
    before = _cpu(stack)
    ours, samples = await _saturated(stack.port, OPENAI)
    each = (_cpu(stack) - before) / len(samples)
    lost = sum(sample.status != 200 for sample in samples)
    await _saturated(stack.port, TRANSLATED, seconds=2)
    litellm, _ = await _saturated(stack.port, TRANSLATED)
    with router.installed(f"http://127.0.0.1:{stack.upstream}", key=KEY, model="bench") as (process, port):
        pin(process, GATEWAY_CORES)
        await _saturated(port, "openai,bench", seconds=2)
        peer, _ = await _saturated(port, "openai,bench")
    return [
        Row(
            "Codec lane: streams at saturation, 10 at once, 2 KB",
            "≥ 900 /s",
            f"{ours:,.0f} /s, {each * 1e3:.2f} ms of CPU each, {lost} failed",
            ours >= 900 and not lost,
        ),
        Row("The same through the LiteLLM lane", "", f"{litellm:,.0f} /s"),
        Row(f"The same through {router.NAME}", "", f"{peer:,.0f} /s"),
        await _added(stack, size=16_000, most=2),
        await _added(stack, size=90_000, most=4),
        await _open(stack),
    ]


async def _saturated(port: int, model: str, *, seconds: float = 8) -> tuple[float, list[Sample]]:
    to = Endpoint(port=port, path="/v1/messages", key=KEY, model=model)
    return await saturate(to, prompt(model, size=2000, stream=True), connections=10, seconds=seconds)


async def _added(stack: Stack, *, size: int, most: float) -> Row:
    """What the lane adds to the first byte, beside the same conversation sent to the server itself."""
    direct = Endpoint(port=stack.upstream, path="/v1/chat/completions", key=KEY, model=OPENAI)
    ours = Endpoint(port=stack.port, path="/v1/messages", key=KEY, model=OPENAI)
    body = prompt(OPENAI, size=size, stream=True)
    await paired((direct, ours), (body, body), rate=50, seconds=1)
    samples = await paired((direct, ours), (body, body), rate=50, seconds=15)
    first = [[sample.first * 1e3 for sample in each] for each in samples]
    p50, p99 = (percentile(first[1], share) - percentile(first[0], share) for share in (0.5, 0.99))
    lost = sum(sample.status != 200 for sample in samples[1])
    return Row(
        f"Codec lane: added time to first byte, 50 req/s, {size // 1000} KB, streamed",
        f"p50 ≤ {most:g} ms",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {lost} failed",
        p50 <= most and not lost,
    )


async def _open(stack: Stack) -> Row:
    to = Endpoint(port=stack.port, path="/v1/messages", key=KEY, model=PACED)
    before = _cpu(stack)
    samples = await open_streams(to, prompt(PACED, size=16_000, stream=True), count=_STREAMS, ramp=2)
    share = (_cpu(stack) - before) / (_SECONDS + 2) * 100
    worst = [max(sample.gaps, default=0.0) * 1e3 for sample in samples]
    lost = sum(sample.status != 200 for sample in samples)
    return Row(
        f"Codec lane: {_STREAMS} open streams of 50 events/s",
        "≤ 80 % of a core",
        f"{share:.0f} % of a core; worst gap of a stream p99 {percentile(worst, 0.99):.0f} ms; {lost} failed",
        share <= 80 and not lost,
    )


def _cpu(stack: Stack) -> float:
    """CPU seconds that the gateway has used."""
    times = psutil.Process(stack.gateway.pid).cpu_times()
    return float(times.user + times.system)
