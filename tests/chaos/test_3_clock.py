"""The clock of the machine jumps. At the level of processes: all nodes of kind have the clock of their machine."""

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from tests.chaos.seen import Note
from tests.soak.client import Client
from tests.soak.edits import CLIENTS, Files
from tests.soak.plans import Lane, Manner, Outcome, Plan, draw, unexplained
from tests.support.builders.objects import budget
from tests.support.processes.child import Process, python
from tests.support.processes.gateway import System, documents
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

DAY = 24 * 3600
JUMPS = (DAY, -DAY, 366 * DAY, 0)
"""Seconds from the true time; the last one is the undoing."""
STREAMS = 40
PRICED = """
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: priced}}
spec:
  models: [claude-priced]
  targets: [{{model: anthropic/priced, baseURL: "{url}", prices: {{input: "0", output: "100"}}}}]
"""
ASKED = {"model": "claude-priced", "max_tokens": 400, "messages": [{"role": "user", "content": "[[words 100]]"}]}
"""A request that costs a cent."""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The library that moves the clock of a process."""
    assert shutil.which("cc"), "a C compiler is missing; on Debian: apt-get install gcc libc6-dev"
    made = tmp_path / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"], check=True)
    return made


@pytest.fixture
def upstream() -> Iterator[str]:
    """The soak's upstream, without faults."""
    with Process(python("tests.soak.upstream")) as process:
        yield f"http://{process.listening()}"


def plan(number: int, chance: random.Random) -> Plan:
    """A whole answer of some ten seconds."""
    drawn = draw(number, chance)
    lane = Lane.RELAY if drawn.lane is Lane.SPARED else drawn.lane
    return replace(drawn, lane=lane, manner=Manner.WHOLE, fault=None, events=12, pace=0.8, size=40)


async def test_the_clock_jumps(tmp_path: Path, library: Path, upstream: str, seen: Note) -> None:
    """The clock jumps by a day, back by two, and ahead by a year, under open streams.

    No stream is cut, no request fails, and edits go live at every time.
    """
    clock = tmp_path / "clock"
    clock.write_text("0")
    environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(clock)}
    files = Files(tmp_path, upstream=upstream)
    over = asyncio.Event()
    outcomes: list[tuple[Plan, Outcome]] = []

    with System(environment=environment) as system:
        system.apply(*documents((tmp_path / "soak.yaml").read_text()))
        port = int(system.url.rpartition(":")[2])

        async def ask(index: int) -> None:
            chance, client, number = random.Random(index), Client(port), index
            while not over.is_set():
                wanted = plan(number, chance)
                outcomes.append((wanted, await client.ask(wanted, key=files.clients[index % CLIENTS].current)))
                number += STREAMS
            await client.close()

        def loaded(revision: str) -> str:
            """Return the gateway's time when it loaded a revision, from a line that may come after it is live."""
            lines = system.processes["gateway"].lines
            found = until(
                lambda: [line["time"] for line in lines("config_loaded") if line["revision"] == revision],
                what=f"the line of {revision}",
            )
            return str(found[-1])

        asking = [asyncio.create_task(ask(index)) for index in range(STREAMS)]
        times = []
        for jump in JUMPS:
            await asyncio.sleep(3)
            clock.write_text(str(jump))
            files.edit()
            revision = await asyncio.to_thread(system.apply, *documents((tmp_path / "soak.yaml").read_text()))
            files.settle()
            times.append((await asyncio.to_thread(loaded, revision))[:10])
        over.set()
        await asyncio.gather(*asking)
    wrong = [text for wanted, outcome in outcomes if (text := unexplained(wanted, outcome))]
    seen(f"{len(outcomes)} streams over days {', '.join(times)}, {len(wrong)} failed")
    assert len(set(times)) == len(JUMPS), f"the clock of the gateway did not jump: {times}"
    assert wrong == []


def test_the_clock_jumps_while_a_budget_is_spent(library: Path, tmp_path: Path, scripted: Scripted, seen: Note) -> None:
    """The clock jumps by a day, back by two, ahead by a year, and is set right, while clients spend a day's budget.

    Each day has the whole amount and no more, to the cent, and a day that was begun goes on where it was.
    """
    clock = tmp_path / "clock"
    clock.write_text("0")
    environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(clock)}
    with System(environment=environment) as system, httpx.Client(base_url=system.url, timeout=60) as client:
        client.headers["x-api-key"] = system.key
        system.apply(PRICED.format(url=scripted.url), budget("daily", amount="0.10", period="Day"))

        def ask(times: int) -> int:
            answers = [client.post("/v1/messages", json=ASKED).status_code for _ in range(times)]
            assert set(answers) <= {200, 429}
            return answers.count(200)

        def standing() -> tuple[str, str]:
            (found,) = client.get("/v1/usage").json()["budgets"]
            return found["resets_at"], found["spent_usd"]

        assert ask(5) == 5
        today, spent = standing()
        assert spent == "0.05"
        served = {today: 5}
        for jump in JUMPS:
            clock.write_text(str(jump))
            # Longer than it takes to look for what can be forgotten.
            time.sleep(3)
            count = ask(15)
            day, spent = standing()
            served[day] = served.get(day, 0) + count
            assert Decimal(spent) == Decimal(served[day]) / 100
        days = ", ".join(f"{day[:10]}: {count}" for day, count in served.items())
        seen(f"answers of a cent for a budget of ten, by the day of its reset: {days}")
        assert list(served.values()) == [10] * len(JUMPS)
        assert next(iter(served)) == standing()[0] == today
