"""The LiteLLM lane beside LiteLLM's own function and the stock LiteLLM proxy: Messages to a Chat Completions server."""

import asyncio
import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.load import Endpoint, Sample, percentile, prompt, saturate
from tests.bench.report import Row
from tests.bench.stack import GATEWAY_CORES, KEY, TRANSLATED, Stack, pin
from tests.support.processes.child import Process, python
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import unpack
from claude_gateway.names import BUNDLE_DIR

PEER = Path(__file__).resolve().parents[2] / ".venv-peer" / "bin" / "litellm"
_LOCAL = ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS", "BLOG_POSTS", "POLICY_TEMPLATES", "AUTOROUTER_PRESETS")


async def rows(stack: Stack) -> list[Row]:
    """Latency one at a time, throughput with ten at once, whole answers and streams."""
    direct = await asyncio.to_thread(_direct, "anthropic_messages", stack.upstream)
    called = await asyncio.to_thread(_direct, "acompletion", stack.upstream)
    ours = await _measure(Endpoint(port=stack.port, path="/v1/messages", key=KEY, model=TRANSLATED))
    with _stock(stack) as (process, port):
        stock = await _measure(Endpoint(port=port, path="/v1/messages", key=KEY, model=TRANSLATED))
        stock_memory = stack.memory(process)
    added = ours.alone - percentile(direct, 0.5)
    ratio, stream_ratio = ours.whole / stock.whole, ours.streams / stock.streams
    return [
        Row(
            "LiteLLM lane: added to LiteLLM's own function, one at a time",
            "p50 ≤ 1.5 ms",
            f"p50 {added:.2f} ms (anthropic_messages {percentile(direct, 0.5):.1f}, acompletion alone "
            f"{percentile(called, 0.5):.1f}, lane {ours.alone:.1f}, stock {stock.alone:.1f} ms), "
            f"{ours.failed} failed",
            added <= 1.5 and not ours.failed,
        ),
        Row(
            "LiteLLM lane against the stock LiteLLM proxy, 10 at once",
            "≥ 2.5 times",
            f"{ratio:.1f} times ({ours.whole:.0f} against {stock.whole:.0f} req/s)",
            ratio >= 2.5,
        ),
        Row(
            "The same, streamed",
            "",
            f"{stream_ratio:.1f} times ({ours.streams:.0f} against {stock.streams:.0f} streams/s)",
        ),
        Row(
            "Memory with LiteLLM loaded, after the load",
            "",
            f"gateway {stack.memory(stack.gateway):.0f} + worker {stack.memory(stack.litellm):.0f} MiB; "
            f"stock {stock_memory:.0f} MiB",
        ),
    ]


class _Measured:
    def __init__(self, alone: list[Sample], whole: float, streams: float, samples: list[Sample]) -> None:
        self.alone = percentile([sample.total * 1e3 for sample in alone], 0.5)
        self.whole = whole
        self.streams = streams
        self.failed = sum(sample.status != 200 for sample in alone + samples)


async def _measure(endpoint: Endpoint) -> _Measured:
    whole, streamed = (prompt(TRANSLATED, size=200, stream=flag) for flag in (False, True))
    await saturate(endpoint, whole, connections=4, seconds=3)
    _, alone = await saturate(endpoint, whole, connections=1, seconds=6)
    speed, samples = await saturate(endpoint, whole, connections=10, seconds=8)
    streams, more = await saturate(endpoint, streamed, connections=10, seconds=8)
    return _Measured(alone, speed, streams, samples + more)


def _direct(function: str, upstream: int) -> list[float]:
    log = Path(tempfile.mkstemp(prefix="bench-direct-")[1])
    command = python("tests.bench.litellm_direct", function, f"http://127.0.0.1:{upstream}/v1", "400")
    with pin(Process(command, log=log), GATEWAY_CORES) as process:
        if process.wait(timeout=300):
            raise SystemExit(f"bench: the direct call failed:\n{process.output}")
        spent: list[float] = json.loads(process.output.strip().splitlines()[-1])
    log.unlink()
    return spent


@contextmanager
def _stock(stack: Stack) -> Iterator[tuple[Process, int]]:
    """The stock proxy with our own ``litellm.yaml``, on the core of the gateway."""
    if not PEER.exists():
        raise SystemExit("bench: the stock LiteLLM proxy is missing: make setup-peer")
    home = stack.run_dir / BUNDLE_DIR
    config = stack.run_dir / "stock.yaml"
    config.write_bytes(unpack(folder.read(home, str(folder.current(home)))).litellm)
    port = free_port()
    settings = {f"LITELLM_LOCAL_{name}": "True" for name in _LOCAL}
    settings |= {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOG": "ERROR", "NO_DOCS": "True", "DISABLE_ADMIN_UI": "True"}
    arguments = [str(PEER), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    with pin(Process(arguments, environment=settings), GATEWAY_CORES) as process:
        until(lambda: _open(port), timeout=90, what="the stock LiteLLM proxy")
        yield process, port


def _open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
