"""What a session used, and its agents: bounded for each session, for each client and together."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from claude_gateway_proxy.gateway.admission.brake.line import Line

_PAUSE: Final = 300.0
"""Seconds without a request after which nobody is at work."""
_AGENTS: Final = 256
_LINES: Final = 64
"""Agents and lines of conversation that are remembered of one session; a forgotten one begins at nothing."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Stop:
    """A hard stop: by which limit (``scope`` and ``limit``), and how much was used."""

    scope: str
    limit: str
    used: int


class Used:
    """What a session or an agent used: nanodollars, requests, seconds of work; and how it was stopped.

    ``warned`` are the limits of which it was stopped softly; ``stop`` is its hard stop.
    """

    __slots__ = ("_at", "dollars", "requests", "seconds", "stop", "warned")

    def __init__(self) -> None:
        self._at: float | None = None
        self.forget()

    def forget(self) -> None:
        """Count from nothing again."""
        self.dollars = 0
        self.requests = 0
        self.seconds = 0.0
        self.warned: set[str] = set()
        self.stop: Stop | None = None

    def begin(self, now: float) -> None:
        """Count the time since the last sign of work, unless the pause was long."""
        if self._at is not None and now - self._at <= _PAUSE:
            self.seconds += now - self._at
        self._at = now

    def end(self, dollars: int, *, began: float, now: float) -> None:
        """Count a request at its end: what it cost, in nanodollars, and its time, as far as nobody counted it yet."""
        self.requests += 1
        self.dollars += dollars
        self.seconds += now - max(began, began if self._at is None else self._at)
        self._at = now


class Recent(Generic[K, V]):
    """A mapping that forgets what was asked for longest ago, above a number of entries."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: K) -> V | None:
        """Return an entry without marking it as used; None where there is none."""
        return self._found.get(key)

    def put(self, key: K, value: V) -> V:
        """Add an entry, or mark it as used, and return it."""
        self._found[key] = value
        self._found.move_to_end(key)
        if len(self._found) > self._most:
            self._found.popitem(last=False)
        return value

    def drop_oldest(self) -> None:
        """Forget the entry that was asked for longest ago."""
        self._found.popitem(last=False)

    def values(self) -> list[V]:
        """All entries."""
        return list(self._found.values())


class Session:
    """One session: what it used, what each agent used, and its lines of conversation.

    ``tools``: whether a request of its main conversation offered tools. ``released``: whether the client's object lists
    it as released.
    """

    __slots__ = ("_agents", "_lines", "released", "tools", "used")

    def __init__(self) -> None:
        self.used = Used()
        self._agents: Recent[str, Used] = Recent(_AGENTS)
        self._lines: Recent[tuple[str, bytes], Line] = Recent(_LINES)
        self.tools = False
        self.released = False

    def agent(self, ident: str) -> Used:
        """Return what an agent used."""
        return self._agents.put(ident, self._agents.get(ident) or Used())

    def line(self, agent: str, start: bytes) -> Line:
        """Return a line of conversation, by its agent and by how it begins."""
        key = agent, start
        return self._lines.put(key, self._lines.get(key) or Line())

    def release(self) -> None:
        """Count from nothing again, for the session and for all of its agents."""
        self.used.forget()
        for each in self._agents.values():
            each.forget()
        for line in self._lines.values():
            line.release()


class Sessions:
    """The sessions of all clients; of too many, the client with the most of them loses its oldest."""

    def __init__(self, *, most: int = 8192, most_of_client: int = 4096) -> None:
        """Remember so many sessions, of all clients and of one."""
        self._most, self._most_of_client = most, most_of_client
        self._clients: dict[str, Recent[tuple[str, str], Session]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._clients.values()))

    def of(self, client: str, user: str, ident: str) -> Session:
        """Return the session of a client and its user, which begins now where it is not known."""
        found = self._clients.get(client)
        if found is None:
            found = self._clients[client] = Recent(self._most_of_client)
        known = found.get((user, ident))
        session = found.put((user, ident), known or Session())
        if known is None and len(self) > self._most:
            max(self._clients.values(), key=len).drop_oldest()
        return session

    def find(self, client: str, user: str, ident: str) -> Session | None:
        """Return a session; None where it is not known."""
        found = self._clients.get(client)
        return None if found is None else found.get((user, ident))
