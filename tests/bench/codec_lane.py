"""The codec lane beside the direct call, in both directions, and beside claude-code-router."""

from dataclasses import dataclass

import psutil
from tests.bench.load import Endpoint, Sample, open_streams, paired, percentile, prompt, saturate
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, GATEWAY_CORES, KEY, OPENAI, PACED, PACED_CLAUDE, TRANSLATED, Stack, pin
from tests.peers import router


@dataclass(frozen=True, slots=True)
class _Direction:
    """From the format of ``path`` to that of the server's own ``direct`` path; ``paced`` is its slow model."""

    name: str
    path: str
    direct: str
    model: str
    paced: str


_MESSAGES = _Direction("Codec lane", "/v1/messages", "/v1/chat/completions", OPENAI, PACED)
_CHAT = _Direction("Codec lane, Chat to Messages", "/v1/chat/completions", "/v1/messages", ANTHROPIC, PACED_CLAUDE)

_STREAMS = 300
_SECONDS = 10
"""How many paced streams are open at once, and how long each lasts."""


async def rows(stack: Stack) -> list[Row]:
    """Streams at saturation, added time to first byte, and many open streams."""
    ours = await _rate(stack, _MESSAGES)
    litellm, _ = await _saturated(stack.port, TRANSLATED)
    with router.installed(f"http://127.0.0.1:{stack.upstream}", key=KEY, model="bench") as (process, port):
        pin(process, GATEWAY_CORES)
        await _saturated(port, "openai,bench", seconds=2)
        peer, _ = await _saturated(port, "openai,bench")
    return [
        ours,
        Row("The same through the LiteLLM lane", "", f"{litellm:,.0f} /s"),
        Row(f"The same through {router.PEER.name}", "", f"{peer:,.0f} /s"),
        *await _waits(stack, _MESSAGES),
        await _rate(stack, _CHAT),
        *await _waits(stack, _CHAT),
    ]


async def _waits(stack: Stack, way: _Direction) -> list[Row]:
    added = [await _added(stack, way, size=size, most=most) for size, most in ((16_000, 2), (90_000, 4))]
    return [*added, await _open(stack, way)]


async def _rate(stack: Stack, way: _Direction) -> Row:
    await _saturated(stack.port, way.model, path=way.path, seconds=2)
    before = _cpu(stack)
    rate, samples = await _saturated(stack.port, way.model, path=way.path)
    each = (_cpu(stack) - before) / len(samples)
    lost = sum(sample.status != 200 for sample in samples)
    return Row(
        f"{way.name}: streams at saturation, 10 at once, 2 KB",
        "≥ 900 /s",
        f"{rate:,.0f} /s, {each * 1e3:.2f} ms of CPU each, {lost} failed",
        rate >= 900 and not lost,
    )


async def _saturated(
    port: int, model: str, *, path: str = _MESSAGES.path, seconds: float = 8
) -> tuple[float, list[Sample]]:
    to = Endpoint(port=port, path=path, key=KEY, model=model)
    return await saturate(to, prompt(model, size=2000, stream=True), connections=10, seconds=seconds)


async def _added(stack: Stack, way: _Direction, *, size: int, most: float) -> Row:
    """What the lane adds to the first byte, beside the same conversation sent to the server itself."""
    direct = Endpoint(port=stack.upstream, path=way.direct, key=KEY, model=way.model)
    ours = Endpoint(port=stack.port, path=way.path, key=KEY, model=way.model)
    body = prompt(way.model, size=size, stream=True)
    await paired((direct, ours), (body, body), rate=50, seconds=1)
    samples = await paired((direct, ours), (body, body), rate=50, seconds=15)
    first = [[sample.first * 1e3 for sample in each] for each in samples]
    p50, p99 = (percentile(first[1], share) - percentile(first[0], share) for share in (0.5, 0.99))
    lost = sum(sample.status != 200 for sample in samples[1])
    return Row(
        f"{way.name}: added time to first byte, 50 req/s, {size // 1000} KB, streamed",
        f"p50 ≤ {most:g} ms",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {lost} failed",
        p50 <= most and not lost,
    )


async def _open(stack: Stack, way: _Direction) -> Row:
    to = Endpoint(port=stack.port, path=way.path, key=KEY, model=way.paced)
    before = _cpu(stack)
    samples = await open_streams(to, prompt(way.paced, size=16_000, stream=True), count=_STREAMS, ramp=2)
    share = (_cpu(stack) - before) / (_SECONDS + 2) * 100
    worst = [max(sample.gaps, default=0.0) * 1e3 for sample in samples]
    lost = sum(sample.status != 200 for sample in samples)
    return Row(
        f"{way.name}: {_STREAMS} open streams of 50 events/s",
        "≤ 80 % of a core",
        f"{share:.0f} % of a core; worst gap of a stream p99 {percentile(worst, 0.99):.0f} ms; {lost} failed",
        share <= 80 and not lost,
    )


def _cpu(stack: Stack) -> float:
    """CPU seconds that the gateway has used."""
    times = psutil.Process(stack.gateway.pid).cpu_times()
    return float(times.user + times.system)
