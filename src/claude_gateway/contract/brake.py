"""The brake of a client: how far one session, and one agent in it, may go."""

from claude_gateway.contract.base import Contract


class BrakeLimits(Contract):
    """Limits of one session or one agent, 0 for none.

    ``dollars`` are nanodollars. ``repeated_tool_calls`` and ``growing_turns`` count what follows in a row.
    """

    dollars: int = 0
    requests: int = 0
    minutes: int = 0
    repeated_tool_calls: int = 0
    growing_turns: int = 0


class Brake(Contract):
    """The limits, and the percentage of each at which a session is stopped until it is released.

    ``released`` are ids of sessions whose use until now counts no longer.
    """

    session: BrakeLimits = BrakeLimits()
    agent: BrakeLimits = BrakeLimits()
    hard_percent: int = 200
    released: tuple[str, ...] = ()
