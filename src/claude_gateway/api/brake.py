"""The brake of a GatewayClient: how far one session, and one agent in it, may go before the gateway stops it."""

from typing import Annotated, Any, Final

from pydantic import Field

from claude_gateway.api.base import Spec
from claude_gateway.api.rule import Items, matches

_AMOUNT: Final = r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,9})?$"
_SESSION: Final = r"^[-A-Za-z0-9._:@]+$"

Amount = Annotated[
    str,
    Field(min_length=1, max_length=16),
    matches(_AMOUNT, wrong="not an amount in dollars", fix="write an amount such as `25.00`, in quotes"),
]
SessionId = Annotated[
    str,
    Field(min_length=1, max_length=256),
    matches(_SESSION, wrong="not the id of a session", fix="write the id as the gateway's message and log show it"),
]


def _amount(default: str, text: str) -> Any:
    return Field(default=default, description=f"{text} `0`: no limit. Default: `{default}`.")


def _count(default: int, text: str) -> Any:
    return Field(
        default=default,
        strict=True,
        ge=0,
        le=1_000_000,
        description=f"{text} `0`: no limit. Default: `{default}`.",
    )


_REPEATED: Final = (
    "Tool calls in a row that repeat what was called before: the same call, or a cycle of up to four calls, with the "
    "same input."
)
_GROWING: Final = "Turns in a row by which the conversation only grew, and in which no person said anything new."
_MINUTES: Final = "Minutes of work; a pause of more than five minutes between two requests does not count."


class SessionLimits(Spec):
    """How far a session may go, its agents included; the patterns are those of its main conversation."""

    dollars: Amount = _amount("100.00", "What its requests may cost, in dollars.")
    requests: int = _count(2000, "Requests that were answered.")
    minutes: int = _count(720, _MINUTES)
    repeated_tool_calls: int = _count(20, _REPEATED)
    growing_turns: int = _count(200, _GROWING)


class AgentLimits(Spec):
    """How far one agent (subagent) of a session may go."""

    dollars: Amount = _amount("25.00", "What its requests may cost, in dollars.")
    requests: int = _count(500, "Requests that were answered.")
    minutes: int = _count(240, _MINUTES)
    repeated_tool_calls: int = _count(20, _REPEATED)
    growing_turns: int = _count(200, _GROWING)


class Brake(Spec):
    """When the gateway stops a session: at a limit once, in one sentence, and further on until it is released."""

    per_session: SessionLimits = Field(
        default=SessionLimits(), description="Limits of each session. Default: the limits' own defaults."
    )
    per_agent: AgentLimits = Field(
        default=AgentLimits(), description="Limits of each agent of a session. Default: the limits' own defaults."
    )
    hard_percent: int = Field(
        default=200,
        strict=True,
        ge=100,
        le=1000,
        description=(
            "Percentage of each limit at which the session is stopped until it is released. At the limit itself it is "
            "stopped once, and the next message continues it. `100` turns this warning off. Default: `200`."
        ),
    )
    released: Annotated[tuple[SessionId, ...], Items("session", most=64, least=0, unique=True)] | None = Field(
        default=None,
        description=(
            "Sessions that are released on every pod: what such a session used until its id is listed counts no "
            "longer. To release it again, remove the id first. Default: none."
        ),
    )
