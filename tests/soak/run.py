"""One soak: clients without a pause, an edit every few seconds, samples of every process; returns what came of it."""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.request import urlopen

from tests.soak.client import Client
from tests.soak.edits import CLIENTS, Files
from tests.soak.plans import Ending, Manner, Outcome, Plan, draw, unexplained
from tests.soak.system import Serve

EDIT_SECONDS: Final = 5.0
_SAMPLE_SECONDS: Final = 5.0
_LIVE_SECONDS: Final = 30.0
"""How long an edit may take to be live before that is a failure; the machine may be busy."""
_DRAIN_SECONDS: Final = 240.0
"""How long answers may take to end once no new ones begin, and idle connections to be closed."""
_KEPT: Final = 50
"""Failures that are kept word by word."""
_RAMP_SECONDS: Final = 60.0


@dataclass(slots=True)
class Result:
    """What came of a soak. ``outcomes``: lane, manner, fault and ending → how many."""

    outcomes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    unexplained: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    samples: list[dict[str, dict[str, float]]] = field(default_factory=list)
    log: list[tuple[int, int]] = field(default_factory=list)
    """Bytes and lines of all logs at each sample."""
    stale: int = 0
    edits: int = 0
    mistakes: int = 0
    rotations: int = 0

    def fail(self, what: str, detail: str) -> None:
        """Note something that nothing explains."""
        self.unexplained[what] += 1
        if len(self.failures) < _KEPT:
            self.failures.append(detail)


class Soak:
    """The running soak."""

    def __init__(self, serve: Serve, files: Files, *, streams: int, upstream: int, seed: int) -> None:
        self.result = Result()
        self._serve = serve
        self._files = files
        self._streams = streams
        self._upstream = upstream
        self._seed = seed
        self._numbers = iter(range(1, 2**40))
        self._over = asyncio.Event()

    async def run(self, *, seconds: float) -> Result:
        """Soak for so long, then end in order and look whether anything is left."""
        before = await asyncio.to_thread(self._serve.sample)
        clients = [asyncio.create_task(self._client(index)) for index in range(self._streams)]
        others = [asyncio.create_task(self._edits()), asyncio.create_task(self._samples())]
        await asyncio.sleep(_RAMP_SECONDS + seconds)
        self._over.set()
        await asyncio.gather(*others)
        await asyncio.wait(clients, timeout=_DRAIN_SECONDS)
        for task in clients:
            if not task.done():
                self.result.fail("a client that does not end", f"{task.get_name()} still waits for its answer")
                task.cancel()
        for done in await asyncio.gather(*clients, return_exceptions=True):
            if isinstance(done, Exception):
                self.result.fail("a client that failed", repr(done))
        await self._drained(before)
        return self.result

    async def _client(self, index: int) -> None:
        chance = random.Random(f"{self._seed} {index}")
        client = Client(self._serve.port)
        await asyncio.sleep(index * _RAMP_SECONDS / self._streams)
        keys = self._files.clients[index % CLIENTS]
        while not self._over.is_set():
            plan = draw(next(self._numbers), chance)
            key = keys.retired if plan.manner is Manner.RETIRED else keys.current
            try:
                outcome = await client.ask(plan, key=key)
            except (OSError, ValueError, KeyError) as error:
                outcome = Outcome(Ending.NONE, detail=repr(error))
            self._note(plan, outcome)
        await client.close()
        self.result.stale += client.stale

    def _note(self, plan: Plan, outcome: Outcome) -> None:
        kind = (plan.lane.value, plan.manner.value, plan.fault.value if plan.fault else "", outcome.ending.value)
        self.result.outcomes[kind] += 1
        wrong = unexplained(plan, outcome)
        if wrong is not None:
            self.result.fail(
                f"{plan.lane}, {plan.manner}, fault {plan.fault}: {outcome.ending} {outcome.status}", wrong
            )

    async def _edits(self) -> None:
        while not await self._paused(EDIT_SECONDS):
            seen = Counter(self._serve.log.events)
            valid = await asyncio.to_thread(self._files.edit)
            if not await asyncio.to_thread(self._serve.until_applied, seen, valid=valid, seconds=_LIVE_SECONDS):
                self.result.fail("an edit that is not live", f"edit {self._files.edits} was not taken")
            self._files.settle()
            self.result.mistakes += not valid
        self.result.edits, self.result.rotations = self._files.edits, self._files.rotations

    async def _samples(self) -> None:
        began = time.monotonic()
        while True:
            self.result.samples.append(await asyncio.to_thread(self._serve.sample))
            self.result.times.append(time.monotonic() - began)
            self.result.log.append((self._serve.log.bytes, self._serve.log.lines))
            if not await asyncio.to_thread(lambda: self._serve.same):
                self.result.fail("a process that ended", "one of serve's processes ended or was restarted")
                self._serve.processes = self._serve._found()
            if await self._paused(_SAMPLE_SECONDS):
                return

    async def _paused(self, seconds: float) -> bool:
        """Wait; return whether the soak is over."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _drained(self, before: dict[str, dict[str, float]]) -> None:
        """Check that the streams left nothing behind."""
        end = time.monotonic() + _DRAIN_SECONDS
        while True:
            left = await asyncio.to_thread(self._left, before)
            if not left or time.monotonic() > end:
                break
            await asyncio.sleep(2)
        for text in left:
            self.result.fail("something is left behind", text)

    def _left(self, before: dict[str, dict[str, float]]) -> list[str]:
        left = []
        with urlopen(f"http://127.0.0.1:{self._upstream}/state", timeout=30) as answer:
            state: dict[str, Any] = json.load(answer)
        if state["open"]:
            left.append(f"the upstream still sends {state['open']} streams")
        if in_flight := self._serve.in_flight():
            left.append(f"{in_flight:.0f} requests are in flight")
        now = self._serve.sample()
        for name, values in before.items():
            for what, most in (("descriptors", 40), ("tasks", 20)):
                if what in values and now[name][what] > values[what] + most:
                    left.append(f"{name}: {what} {values[what]:.0f} before the load, {now[name][what]:.0f} after it")
        return left
