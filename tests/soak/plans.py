"""What each request of the soak does, what harm is done to it, and which outcomes that harm explains. Pure.

A plan is drawn before its request is sent and travels in the prompt, so that the scripted upstream does what was
planned and the client knows what to expect. Any other outcome is unexplained.
"""

import random
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

FAULTS_SHARE: Final = 0.02


class Lane(StrEnum):
    """The model that a request names; each reaches the upstream in another way."""

    RELAY = "soak-relay"
    CODEC = "soak-codec"
    LITELLM = "soak-litellm"
    SPARED = "soak-spared"
    """A relay with a second target at which no fault strikes: faults before the answer must not show."""


class Fault(StrEnum):
    """What the upstream does instead of a whole answer."""

    BUSY = "busy"
    """429 with ``retry-after``."""
    BROKEN = "broken"
    """500."""
    OVERLOADED = "overloaded"
    """529 on the Anthropic wire, 503 on OpenAI's."""
    REFUSED = "refused"
    """The connection ends without an answer."""
    CUT = "cut"
    """The connection ends within the stream."""
    FAILED = "failed"
    """An error event within the stream."""
    HUNG = "hung"
    """Silence within the stream, for longer than the route's idle timeout."""


class Manner(StrEnum):
    """How the client behaves."""

    WHOLE = "whole"
    SLOW = "slow"
    """Reads large events more slowly than they come."""
    LEAVES = "leaves"
    """Leaves within the stream."""
    LEAVES_EARLY = "leaves-early"
    """Leaves within its own request."""
    RETIRED = "retired-key"
    """Uses a key that was taken away."""


class Ending(StrEnum):
    """How an answer ended."""

    WHOLE = "whole"
    ERROR = "error status"
    ERROR_EVENT = "error event"
    CUT = "cut"
    GARBLED = "garbled"
    """Text of another stream, or text lost, repeated or out of order."""
    NONE = "no answer"
    LEFT = "client left"


BEFORE_THE_ANSWER: Final = frozenset({Fault.BUSY, Fault.BROKEN, Fault.OVERLOADED, Fault.REFUSED})

_STATUSES: Final[dict[Fault, frozenset[int]]] = {
    Fault.BUSY: frozenset({429}),
    Fault.BROKEN: frozenset({500, 502}),
    Fault.OVERLOADED: frozenset({503, 529}),
    Fault.REFUSED: frozenset({502, 503, 504, 529}),
}
_WITHIN: Final = frozenset({Ending.ERROR_EVENT, Ending.CUT})


@dataclass(frozen=True, slots=True)
class Plan:
    """One request: ``events`` of ``size`` bytes, one each ``pace`` seconds; harm or leaving after ``after`` events."""

    number: int
    lane: Lane
    manner: Manner
    events: int
    pace: float
    size: int
    fault: Fault | None = None
    after: int = 0

    @property
    def marker(self) -> str:
        """The plan as the prompt carries it."""
        return (
            f"soak-{self.number}-e{self.events}-p{round(self.pace * 1000)}-s{self.size}"
            f"-a{self.after}-f{self.fault or 'none'}."
        )

    def text(self, event: int) -> str:
        """The text of one event; it says whose it is and which."""
        return f"{self.number}.{event};".ljust(self.size, "x")


@dataclass(slots=True)
class Outcome:
    """What came of a request; ``events`` were read whole and in order."""

    ending: Ending
    status: int = 0
    events: int = 0
    detail: str = field(default="")


_MARKER: Final = re.compile(rb"soak-(\d{1,12})-e(\d{1,6})-p(\d{1,6})-s(\d{1,6})-a(\d{1,6})-f([a-z]{1,12})\.")


def read(body: bytes, *, lane: Lane = Lane.RELAY) -> Plan | None:
    """Read the plan out of a request's body; None without one."""
    found = _MARKER.search(body)
    if found is None:
        return None
    number, events, pace, size, after = map(int, found.groups()[:5])
    fault = None if found[6] == b"none" else Fault(found[6].decode())
    return Plan(number, lane, Manner.WHOLE, events, pace / 1000, size, fault, after)


_LANES: Final = (
    *(Lane.RELAY,) * 12,
    *(Lane.CODEC,) * 5,
    *(Lane.SPARED,) * 2,
    Lane.LITELLM,
)
_MANNERS: Final = {
    Manner.SLOW: 0.03,
    Manner.LEAVES: 0.05,
    Manner.LEAVES_EARLY: 0.01,
    Manner.RETIRED: 0.01,
}


def draw(number: int, chance: random.Random) -> Plan:
    """Draw the plan of one request: its lane, its manner, and for ``FAULTS_SHARE`` of all a fault."""
    lane = chance.choice(_LANES)
    fault = chance.choice(tuple(Fault)) if chance.random() < FAULTS_SHARE else None
    manner = Manner.WHOLE if fault else _manner(chance)
    if manner is Manner.SLOW:
        # More than the socket buffers on the way hold, so that the back-pressure reaches the upstream.
        return Plan(number, lane, manner, events=400, pace=0.001, size=16_000)
    events = chance.randint(10, 40)
    pace = chance.uniform(0.8, 1.6)
    after = chance.randint(2, events - 2)
    return Plan(number, lane, manner, events=events, pace=pace, size=40, fault=fault, after=after)


def _manner(chance: random.Random) -> Manner:
    drawn = chance.random()
    for manner, share in _MANNERS.items():
        if drawn < share:
            return manner
        drawn -= share
    return Manner.WHOLE


def unexplained(plan: Plan, outcome: Outcome) -> str | None:
    """Return what about an outcome the plan does not explain; None if it explains all."""
    said = f"{plan.lane}, {plan.manner}, fault {plan.fault}: {outcome.ending} {outcome.status} {outcome.detail}".strip()
    return None if _explained(plan, outcome) else f"request {plan.number}, {said}, after {outcome.events} events"


def _explained(plan: Plan, outcome: Outcome) -> bool:
    if plan.manner in (Manner.LEAVES, Manner.LEAVES_EARLY):
        return outcome.ending is Ending.LEFT
    if plan.manner is Manner.RETIRED:
        return outcome.ending is Ending.ERROR and outcome.status == 401
    whole = outcome.ending is Ending.WHOLE and outcome.events == plan.events
    if plan.fault is None or (plan.lane is Lane.SPARED and plan.fault in BEFORE_THE_ANSWER):
        return whole
    if plan.fault in BEFORE_THE_ANSWER:
        return outcome.ending is Ending.ERROR and outcome.status in _STATUSES[plan.fault]
    return outcome.ending in _WITHIN and outcome.status == 200 and outcome.events <= plan.after
