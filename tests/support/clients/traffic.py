"""Clients that ask without a pause while a test changes something: what each got, and when.

Bounded in how many ask at once, how often, and for how long.
"""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp
from tests.support.processes.waiting import until

MOST_SECONDS: Final = 240.0
MOST_REQUESTS: Final = 20_000
ANSWER_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's outcome. ``text`` is all of the answer's words; times are those of ``time.monotonic``.

    ``problem`` says what was wrong; None for a whole answer.
    """

    model: str
    stream: bool
    started: float
    ended: float
    text: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Load:
    """Who asks what: ``workers`` at once, each ``pause`` seconds after its last answer, models and streams in turn."""

    url: str
    key: str
    models: Sequence[str]
    workers: int = 4
    pause: float = 0.02


class Traffic:
    """Messages requests from a thread of its own; a context manager that stops them and lets open ones end."""

    def __init__(self, load: Load) -> None:
        self.answers: list[Answer] = []
        self._load = load
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="traffic", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(ANSWER_SECONDS + 10)

    @property
    def problems(self) -> list[str]:
        """What went wrong, each with its model and kind."""
        return [
            f"{answer.model}{', stream' if answer.stream else ''}: {answer.problem}"
            for answer in self.answers
            if answer.problem is not None
        ]

    def wait_for_more(self, count: int) -> None:
        """Wait until ``count`` more requests, begun from now on, were answered."""
        now = time.monotonic()

        def enough() -> bool:
            assert self._thread.is_alive(), "the traffic ended by itself"
            return sum(answer.started >= now for answer in self.answers) >= count

        until(enough, what=f"{count} more answers")

    async def _run(self) -> None:
        end = time.monotonic() + MOST_SECONDS
        turns = itertools.cycle([(model, stream) for model in self._load.models for stream in (True, False)])
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        headers = {"x-api-key": self._load.key, "anthropic-version": "2023-06-01"}
        async with aiohttp.ClientSession(self._load.url, timeout=timeout, headers=headers) as session:

            async def work() -> None:
                while not self._stop.is_set() and time.monotonic() < end and len(self.answers) < MOST_REQUESTS:
                    model, stream = next(turns)
                    self.answers.append(await _ask(session, model, stream=stream))
                    await asyncio.sleep(self._load.pause)

            await asyncio.gather(*(work() for _ in range(self._load.workers)))


async def _ask(session: aiohttp.ClientSession, model: str, *, stream: bool) -> Answer:
    started = time.monotonic()
    body = {
        "model": model,
        "max_tokens": 256,
        "stream": stream,
        "messages": [{"role": "user", "content": f"Turn {started}"}],
    }
    text, problem = "", None
    try:
        async with session.post("/v1/messages", json=body) as response:
            content = await response.text()
            if response.status != 200:
                problem = f"status {response.status}: {content[:300]}"
            else:
                text, problem = _streamed(content) if stream else (_whole(content), None)
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, IndexError) as error:
        problem = f"{type(error).__name__}: {error}"
    return Answer(model, stream, started, time.monotonic(), text, problem)


def _whole(content: str) -> str:
    return "".join(block["text"] for block in json.loads(content)["content"])


def _streamed(content: str) -> tuple[str, str | None]:
    """The words of a stream, and what is wrong with it."""
    events = [json.loads(line.removeprefix("data: ")) for line in content.splitlines() if line.startswith("data: ")]
    kinds = [event["type"] for event in events]
    text = "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
    if "error" in kinds:
        return text, f"an error event: {events[kinds.index('error')]}"
    if kinds[:1] != ["message_start"] or kinds[-1:] != ["message_stop"]:
        return text, f"cut off: {kinds[:1]} to {kinds[-1:]}"
    return text, None
