"""What it costs to choose among targets, without a network."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.report import Row
from tests.support.builders.bundles import route, target

from claude_gateway.contract.policy import Affinity, Client, Format, Route
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import SESSION_HEADER, Facts
from claude_gateway_proxy.gateway.routing.ledger import Ledger

TARGETS: Final = 16
_ROUNDS: Final = 5_000
_MILLISECONDS: Final = 0.1
_CLIENT: Final = Client(name="ns/bench")
_BODY: Final = parse(b'{"model":"m","messages":[]}')


@dataclass(frozen=True)
class _Asked:
    """A request as far as a choice depends on it; its facts are computed again for each."""

    route: Route
    facts: Facts
    format: Format = Format.MESSAGES
    asked: str = "m"
    login: Sequence[tuple[bytes, bytes]] = ()
    client: Client = _CLIENT


def rows() -> list[Row]:
    """The choice among many targets by session and by weight, and where there is one."""
    by_session = _spent(TARGETS, Affinity.SESSION)
    by_weight = _spent(TARGETS, Affinity.NONE)
    alone = _spent(1, Affinity.SESSION)
    return [
        Row(
            f"Choosing among {TARGETS} targets by session, with limits",
            f"≤ {_MILLISECONDS} ms",
            f"{by_session:.3f} ms (by weight {by_weight:.3f} ms, of one target {alone:.4f} ms)",
            by_session <= _MILLISECONDS,
        )
    ]


def _spent(count: int, affinity: Affinity) -> float:
    """Milliseconds per choice."""
    targets = [target(base_url=f"http://{n}", weight=n + 1, id=f"ns/m/{n}.01234567") for n in range(count)]
    there, ledger = route("m", targets=targets, affinity=affinity), Ledger()
    began = time.perf_counter()
    for number in range(_ROUNDS):
        facts = Facts(_BODY, [(b"content-type", b"application/json"), (SESSION_HEADER, b"%d" % number)])
        choice = ledger.choose(_Asked(there, facts))
        ledger.requested(choice)
        with ledger.trying(choice, choice.candidates[0].target, "m"):
            ledger.answered(choice, choice.candidates[0].target, "m")
    return (time.perf_counter() - began) / _ROUNDS * 1e3
