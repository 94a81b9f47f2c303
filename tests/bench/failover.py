"""What a failover adds to a request: the time of one more try, and nothing else."""

import asyncio
from typing import Final

from tests.bench.load import Connection, Endpoint, percentile, prompt
from tests.bench.relay import endpoint
from tests.bench.report import Row
from tests.bench.stack import ANTHROPIC, KEY, Stack, bundle, route
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.names import BUNDLE_DIR
from claude_gateway_proxy.gateway.routing.health import FAILURES

_ROUTES: Final = 150
_OWN_MILLISECONDS: Final = 1.0
"""What the gateway may spend on the second try itself."""


async def rows(stack: Stack) -> list[Row]:
    """Routes whose first target is always busy, each asked less often than would eject that target."""
    base = f"http://127.0.0.1:{stack.upstream}"
    objects = list(stack.objects)
    for number in range(_ROUTES):
        one = route(f"over-{number}", model="anthropic/bench", base_url=f"{base}/busy", models=[f"over-{number}"])
        one["spec"]["targets"].append({"model": "anthropic/bench", "baseURL": base, "priority": 1})
        objects.append(one)
    revision = folder.write(stack.run_dir / BUNDLE_DIR, bundle(objects))
    await asyncio.to_thread(until, lambda: _loaded(stack, revision), what="the routes")
    direct, plain, over = Connection(), Connection(), Connection()
    spent: dict[str, list[float]] = {"direct": [], "plain": [], "over": []}
    failed = 0
    for number in range(_ROUTES * (FAILURES - 1)):
        model = f"over-{number % _ROUTES}"
        for name, connection, where in (
            ("direct", direct, endpoint(stack.upstream)),
            ("plain", plain, endpoint(stack.port)),
            ("over", over, Endpoint(port=stack.port, path="/v1/messages", key=KEY, model=model)),
        ):
            asked = ANTHROPIC if name != "over" else model
            sample = await connection.exchange(where, where.request(prompt(asked, size=16_000, stream=True)))
            spent[name].append(sample.first * 1e3)
            failed += sample.status != 200
    for connection in (direct, plain, over):
        connection.close()
    trip, without, with_ = (percentile(spent[name], 0.5) for name in ("direct", "plain", "over"))
    return [
        Row(
            "Failover: added time to first byte, 16 KB, streamed",
            f"p50 ≤ one upstream round trip + {_OWN_MILLISECONDS:g} ms",
            f"p50 {with_ - without:.2f} ms with a round trip of {trip:.2f} ms, {failed} failed",
            with_ - without <= trip + _OWN_MILLISECONDS and not failed,
        )
    ]


def _loaded(stack: Stack, revision: str) -> bool:
    return any(line["revision"] == revision for line in stack.gateway.lines("config_loaded"))
