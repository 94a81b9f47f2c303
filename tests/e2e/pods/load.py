"""Runs in a pod: clients that ask without a pause, one JSON line per answer; bounded in time and number.

``load.py NAME SPEC``: SPEC is a JSON list of groups (see ``Group``). It ends when ``/tmp/NAME.stop`` exists; open
requests end first, then ``/tmp/NAME.done`` is made. Each answer's line has times of the system's clock. The key is the
pod's own, out of its environment.
"""

import asyncio
import hashlib
import itertools
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import aiohttp

MOST_SECONDS: Final = 300.0
MOST_REQUESTS: Final = 40_000
ANSWER_SECONDS: Final = 200.0


@dataclass(frozen=True, slots=True)
class Group:
    """``workers`` at once ask ``url`` for ``model``; ``fresh`` opens a connection for each request.

    ``stream``: always, never, or in turn (None). ``rounds`` requests per worker, 0: until it is stopped, at most for
    ``seconds``. ``most`` is the number of tokens that an answer may have. ``helper`` is a command that prints a key,
    which is kept for ``ttl`` seconds.
    """

    name: str
    url: str
    model: str
    workers: int = 2
    pause: float = 0.05
    fresh: bool = False
    stream: bool | None = None
    rounds: int = 0
    prompt: str = "Turn"
    seconds: float = MOST_SECONDS
    most: int = 4096
    helper: str = ""
    ttl: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's outcome: which upstream model served it, and what was wrong (None for a whole answer).

    ``key`` is the beginning of the SHA-256 of the key that it was sent with.
    """

    group: str
    stream: bool
    started: float
    ended: float = 0.0
    served: str = ""
    events: int = 0
    problem: str | None = None
    key: str = ""


class Keys:
    """The key of a group. One of a helper is kept as Claude Code keeps it.

    Once it is too old, the next request still has it, and fetches another meanwhile.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self._key = "" if group.helper else os.environ["ANTHROPIC_AUTH_TOKEN"]
        self._fetched = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def current(self) -> str:
        """Return the key of the next request."""
        if self._group.helper and self._fetching is None and time.monotonic() > self._fetched + self._group.ttl:
            self._fetching = asyncio.create_task(self._fetch())
        if not self._key and self._fetching is not None:
            await asyncio.shield(self._fetching)
        return self._key

    async def _fetch(self) -> None:
        program = await asyncio.create_subprocess_shell(self._group.helper, stdout=asyncio.subprocess.PIPE)
        printed, _ = await program.communicate()
        # Without a new key the old one stays; a helper that fails says why on standard error.
        self._key = printed.decode().strip() or self._key
        self._fetched, self._fetching = time.monotonic(), None


class Run:
    """All groups together."""

    def __init__(self, name: str, groups: list[Group]) -> None:
        self._stop = Path(f"/tmp/{name}.stop")
        self._end = time.monotonic() + max(group.seconds for group in groups)
        self._groups = groups
        self._count = 0

    async def run(self) -> None:
        """Ask until it is stopped."""
        await asyncio.gather(*(self._group(group) for group in self._groups))

    @property
    def _over(self) -> bool:
        return self._stop.exists() or time.monotonic() > self._end or self._count >= MOST_REQUESTS

    async def _group(self, group: Group) -> None:
        connector = aiohttp.TCPConnector(force_close=group.fresh, limit=0)
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        headers = {"anthropic-version": "2023-06-01"}
        keys = Keys(group)
        turns = itertools.cycle([True, False] if group.stream is None else [group.stream])
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:

            async def work() -> None:
                for done in itertools.count():
                    if self._over or (group.rounds and done >= group.rounds):
                        return
                    self._count += 1
                    print(
                        json.dumps(asdict(await ask(session, group, key=await keys.current(), stream=next(turns)))),
                        flush=True,
                    )
                    await asyncio.sleep(group.pause)

            await asyncio.gather(*(work() for _ in range(group.workers)))


async def ask(session: aiohttp.ClientSession, group: Group, *, key: str, stream: bool) -> Answer:
    """Send one request and read its answer to the end."""
    started = time.time()
    body = {
        "model": group.model,
        "max_tokens": group.most,
        "stream": stream,
        "messages": [{"role": "user", "content": f"{group.prompt} {started}"}],
    }
    served, events, problem = "", 0, None
    try:
        async with session.post(f"{group.url}/v1/messages", json=body, headers={"x-api-key": key}) as response:
            if response.status != 200:
                problem = f"status {response.status}: {(await response.text())[:300]}"
            elif stream:
                served, events, problem = await _streamed(response)
            else:
                served = (await response.json())["model"]
            # The gateway answers under the name that was asked for; the scripted model says in a header what it is.
            served = response.headers.get("anthropic-served-model", served)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError) as error:
        problem = f"{type(error).__name__}: {error}"
    return Answer(group.name, stream, started, time.time(), served, events, problem, mark(key))


def mark(key: str) -> str:
    """Return what tells one key from another without being one."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


async def _streamed(response: aiohttp.ClientResponse) -> tuple[str, int, str | None]:
    """Return the model of a stream, the number of its events, and what is wrong with it."""
    served, count, last = "", 0, ""
    try:
        async for line in response.content:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line.removeprefix(b"data: "))
            count, last = count + 1, event["type"]
            if last == "message_start":
                served = event["message"]["model"]
            if last == "error":
                return served, count, f"an error event: {event}"
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return served, count, f"cut off after {count} events: {type(error).__name__}: {error}"
    return served, count, None if last == "message_stop" else f"cut off after {last or 'nothing'}"


def main() -> None:
    """Run the command line."""
    name, spec = sys.argv[1:]
    try:
        asyncio.run(Run(name, [Group(**group) for group in json.loads(spec)]).run())
    finally:
        Path(f"/tmp/{name}.done").touch()


if __name__ == "__main__":
    main()
