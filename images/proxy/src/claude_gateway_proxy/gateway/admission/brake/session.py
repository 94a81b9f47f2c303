"""What a session used, and its agents: bounded for each session, for each client and together."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from claude_gateway_proxy.gateway.admission.brake.line import Line
from claude_gateway_runtime.bounded_dict import BoundedDict

_PAUSE: Final = 300.0
"""Seconds without a request after which a session counts as idle."""
_AGENTS: Final = 256
_LINES: Final = 64
"""The most agents and lines of conversation remembered of one session; a forgotten one starts from zero."""

_LONGEST: Final = 256
"""The most characters of an id that is stored unchanged; clients choose their ids."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A hard stop: by which limit (``scope`` and ``limit``), and how much was used."""

    scope: str
    limit: str
    used: int


class Used:
    """What a session or an agent used: nanodollars, requests, seconds of work; and how it was stopped.

    ``warned`` are the limits that caused a soft stop; ``stop`` is its hard stop.
    """

    __slots__ = ("_at", "dollars", "requests", "seconds", "stop", "warned")

    def __init__(self) -> None:
        self._at: float | None = None
        self.forget()

    def forget(self) -> None:
        """Reset all counts."""
        self.dollars = 0
        self.requests = 0
        self.seconds = 0.0
        self.warned: set[str] = set()
        self.stop: Stop | None = None

    def begin(self, now: float) -> None:
        """Count the time since the last activity, unless the pause was long."""
        if self._at is not None and now - self._at <= _PAUSE:
            self.seconds += now - self._at
        self._at = now

    def end(self, dollars: int, *, began: float, now: float, requests: int = 1) -> None:
        """Count a request at its end: its cost in nanodollars, and its time as far as it was not counted yet.

        A batch counts as all its ``requests``.
        """
        self.requests += requests
        self.dollars += dollars
        self.seconds += now - max(began, began if self._at is None else self._at)
        self._at = now


class Session:
    """One session: what it used, what each agent used, and its lines of conversation.

    ``tools``: whether a request of its main conversation offered tools. ``released``: whether the client's object lists
    it as released. ``parts`` are its agents and lines, as far as they were weighed.
    """

    __slots__ = ("_agents", "_lines", "parts", "released", "tools", "used")

    def __init__(self) -> None:
        self.used = Used()
        self._agents: BoundedDict[str, Used] = BoundedDict(_AGENTS)
        self._lines: BoundedDict[tuple[str, bytes], Line] = BoundedDict(_LINES)
        self.parts = 0
        self.tools = False
        self.released = False

    def agent(self, ident: str) -> Used:
        """Return what an agent used."""
        key = _key(ident)
        found = self._agents.used(key)
        if found is None:
            found = self._agents[key] = Used()
        return found

    def line(self, agent: str, start: bytes) -> Line:
        """Return a line of conversation, by its agent and by how it begins."""
        key = _key(agent), start
        found = self._lines.used(key)
        if found is None:
            found = self._lines[key] = Line()
        return found

    def count_new(self) -> int:
        """Count the agents and lines, and return how many are new since the last call."""
        before, self.parts = self.parts, len(self._agents) + len(self._lines)
        return self.parts - before

    def release(self) -> None:
        """Reset all counts of the session and of its agents."""
        self.used.forget()
        for each in self._agents.values():
            each.forget()
        for line in self._lines.values():
            line.release()


class Sessions:
    """The sessions of all clients. Above a limit of sessions, or of agents in them, the oldest are evicted.

    The client with the most sessions loses its own, so that a flood from one client does not affect others.
    """

    def __init__(self, *, most: int = 8192, most_of_client: int = 4096, parts: int = 32768) -> None:
        """Set the limits: sessions of all clients and of one, and agents and lines of all of them."""
        self._most, self._most_of_client, self._most_parts = most, most_of_client, parts
        self._clients: dict[str, _OfClient] = {}
        self._count = 0
        self._parts = 0

    def __len__(self) -> int:
        return self._count

    def of(self, client: str, user: str, ident: str) -> Session:
        """Return the session of a client and its user; an unknown one is created."""
        own = self._clients.get(client)
        if own is None:
            own = self._clients[client] = _OfClient()
        key = user, _key(ident)
        session = own.sessions.get(key)
        if session is not None:
            own.sessions.move_to_end(key)
            return session
        session = own.sessions[key] = Session()
        self._count += 1
        while len(own.sessions) > self._most_of_client:
            self._drop(own)
        while self._count > self._most:
            self._drop(max(self._clients.values(), key=lambda each: len(each.sessions)))
        return session

    def weigh(self, client: str, session: Session) -> None:
        """Count the new agents and lines of a client's session; old sessions are evicted to make room."""
        new = session.count_new()
        if not new:
            return
        self._parts += new
        self._clients[client].parts += new
        while self._parts > self._most_parts:
            self._drop(max(self._clients.values(), key=lambda each: each.parts))

    def find(self, client: str, user: str, ident: str) -> Session | None:
        """Return a session; None if it is not known."""
        own = self._clients.get(client)
        return None if own is None else own.sessions.get((user, _key(ident)))

    def _drop(self, own: "_OfClient") -> None:
        _, session = own.sessions.popitem(last=False)
        own.parts -= session.parts
        self._parts -= session.parts
        self._count -= 1


class _OfClient:
    """The sessions of a client, the one used longest ago first, and how many agents and lines they have."""

    __slots__ = ("parts", "sessions")

    def __init__(self) -> None:
        self.sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self.parts = 0


def _key(ident: str) -> str:
    """Return an id, or a short replacement for one that is too long."""
    if len(ident) <= _LONGEST:
        return ident
    return blake2b(ident.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
