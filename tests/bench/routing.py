"""What it costs to choose among targets, without a network."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.report import Row
from tests.support.builders.bundles import route, target

from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Affinity, Route
from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import SESSION_HEADER, Facts
from claude_gateway_proxy.gateway.routing.ledger import Ledger

TARGETS: Final = 16
_ROUNDS: Final = 5_000
_SESSIONS: Final = 400
_TURNS: Final = 20
_ACCOUNTS: Final = 4
_KEPT: Final = 0.95
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
        ),
        _cache_row(),
    ]


def _cache_row() -> Row:
    """Sessions in turn, with one account ejected for a while: how often a turn finds its prompt cached, and where."""
    kept, spread = _cached(Affinity.SESSION)
    drawn, _ = _cached(Affinity.NONE)
    return Row(
        f"Turns that find their prompt cache: {_SESSIONS} sessions of {_TURNS} turns at {_ACCOUNTS} accounts, one of "
        "them ejected for some turns",
        f"≥ {_KEPT:.0%}",
        f"{kept:.1%} (by weight {drawn:.1%}); the fullest account has {spread:.1%} of the turns",
        kept >= _KEPT,
    )


def _cached(affinity: Affinity) -> tuple[float, float]:
    """The share of turns after the first that find their cache, and the largest share of an account in all turns."""
    now = 0.0
    ledger = Ledger(lambda: now)
    targets = [target(base_url=f"http://{n}", id=f"ns/m/{n}.01234567") for n in range(_ACCOUNTS)]
    there = route("m", targets=targets, affinity=affinity)
    cached: dict[int, set[str]] = {number: set() for number in range(_SESSIONS)}
    turns: Counter[str] = Counter()
    hits = 0
    for turn in range(_TURNS):
        now += 60
        if turn == _TURNS // 4:
            ledger.health.failed(targets[0].id, retry_after=60 * _TURNS / 4)
        for number in range(_SESSIONS):
            choice = ledger.choose(_Asked(there, Facts(_BODY, [(SESSION_HEADER, b"%d" % number)])))
            first = choice.candidates[0].target
            ledger.answered(choice, first, "m")
            hits += first.id in cached[number]
            cached[number] = {first.id}
            turns[first.id] += 1
    return hits / (_SESSIONS * (_TURNS - 1)), max(turns.values()) / turns.total()


def _spent(count: int, affinity: Affinity) -> float:
    """Milliseconds of CPU time per choice."""
    targets = [target(base_url=f"http://{n}", weight=n + 1, id=f"ns/m/{n}.01234567") for n in range(count)]
    there, ledger = route("m", targets=targets, affinity=affinity), Ledger()
    began = time.process_time()
    for number in range(_ROUNDS):
        facts = Facts(_BODY, [(b"content-type", b"application/json"), (SESSION_HEADER, b"%d" % number)])
        choice = ledger.choose(_Asked(there, facts))
        ledger.requested(choice)
        with ledger.trying(choice, choice.candidates[0].target, "m"):
            ledger.answered(choice, choice.candidates[0].target, "m")
    return (time.process_time() - began) / _ROUNDS * 1e3
