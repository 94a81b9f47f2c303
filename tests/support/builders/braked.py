"""Sessions of a client with a brake, driven request by request."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from claude_gateway.api import brake as api
from claude_gateway.contract.brake import Brake as Limits
from claude_gateway.contract.brake import BrakeLimits
from claude_gateway.contract.client import Client
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway.contract.target import Format
from claude_gateway.plan.clients import brakes
from claude_gateway_proxy.gateway.admission.brake.brake import Brake, Seat
from claude_gateway_proxy.gateway.admission.brake.session import Sessions
from claude_gateway_proxy.gateway.admission.brake.words import Stopped
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts

DEFAULTS: Final = brakes.of(api.Brake())
TOOL: Final = {"name": "Bash", "input_schema": {"type": "object"}}
Message = dict[str, Any]


def limits(*, agent: BrakeLimits | None = None, percent: int = 200, released: Sequence[str] = (), **own: int) -> Limits:
    """Return a brake with these limits of a session, and no others."""
    return Limits(
        session=BrakeLimits(**own), agent=agent or BrakeLimits(), hard_percent=percent, released=tuple(released)
    )


@dataclass
class Driver:
    """Sends requests to a brake as a client would; each advances the clock by ``step`` seconds."""

    limits: Limits | None = DEFAULTS
    session: str = "5e55"
    user: str = ""
    client: str = "ns/dev"
    step: float = 5.0
    now: float = 1000.0
    sessions: Sessions = field(default_factory=Sessions)

    def __post_init__(self) -> None:
        self.brake = Brake(lambda: self.now, sessions=self.sessions)

    @property
    def principal(self) -> Principal:
        """The caller."""
        return Principal(Client(name=self.client, brake=self.limits), user=self.user)

    def ask(
        self,
        messages: Sequence[Any] = (),
        *,
        agent: str = "",
        cost: float = 0.0,
        tools: bool = True,
        format_: Format = Format.MESSAGES,
        took: float = 0.0,
    ) -> Stopped | None:
        """Send one request; return what stopped it."""
        name = "input" if format_ is Format.RESPONSES else "messages"
        body = {"model": "m", **({"tools": [TOOL]} if tools else {}), name: list(messages)}
        headers = [(b"x-claude-code-session-id", self.session.encode())]
        headers += [(b"x-claude-code-agent-id", agent.encode())] if agent else []
        found = self.brake.enter(self.principal, Facts(parse(json.dumps(body).encode()), headers), format_)
        self.now += took
        if isinstance(found, Seat):
            self.brake.leave(found, round(cost * NANODOLLARS))
        self.now += self.step
        return found if isinstance(found, Stopped) else None


def said(text: str) -> Message:
    """Return a message of a person."""
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def turn(number: int, *calls: tuple[str, Any], result: str = "done") -> list[Message]:
    """Return an answer that calls tools, and their results."""
    used = [
        {"type": "tool_use", "id": f"toolu_{number}_{at}", "name": name, "input": given}
        for at, (name, given) in enumerate(calls)
    ]
    results = [
        {
            "type": "tool_result",
            "tool_use_id": each["id"],
            "content": f"{result} {number}",
            "is_error": result != "done",
        }
        for each in used
    ]
    return [{"role": "assistant", "content": used}, {"role": "user", "content": results}]


def conversation(calls: Sequence[Sequence[tuple[str, Any]]], *, result: str = "done") -> Iterator[list[Message]]:
    """Yield the messages of each request of a run in which the model calls these tools, one turn after another."""
    messages = [said("please do it")]
    yield list(messages)
    for number, each in enumerate(calls):
        messages += turn(number, *each, result=result)
        yield list(messages)


def run(driver: Driver, requests: Iterator[list[Message]], **more: Any) -> tuple[int, Stopped] | None:
    """Send requests until one is stopped; return how many were admitted before it, and what stopped it."""
    for number, messages in enumerate(requests):
        stopped = driver.ask(messages, **more)
        if stopped is not None:
            return number, stopped
    return None


WORDS = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != "")
