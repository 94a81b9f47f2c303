"""The wire form of ``safeguard_results``, as Claude Code reads it in the closing ``message_delta``.

Its behaviour for each form was measured with 2.1.330:

* ``evaluated`` runs the call or refuses it with the explanation.
* ``unavailable`` (reason ``timeout`` or ``error``) does not run it, and tells the model to try again: right for a
  temporary failure.
* A call without an entry is shown to the person, who decides: right where a judge has no usable verdict.
* ``unsupported`` as a whole shows a notice that names the gateway, and then the person decides on each action:
  right where the route has no judge.
* ``skipped`` makes the model repeat the call, which would only be skipped again: never used.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from claude_gateway_proxy.gateway.safeguards.calls import ToolCall
from claude_gateway_proxy.gateway.safeguards.prompt import ToolVerdict
from claude_gateway_proxy.gateway.safeguards.request import DANGEROUS

Reason = Literal["timeout", "error"]

Json = dict[str, Any]


def results(kinds: Sequence[str], status: Json) -> list[Json]:
    """Return an entry for each kind of safeguard that was requested; unknown kinds are unsupported."""
    return [{"type": kind, "status": status if kind == DANGEROUS else unsupported()} for kind in kinds]


def unsupported() -> Json:
    """Return the status if the route has no judge."""
    return {"type": "unsupported"}


def unavailable(calls: Sequence[ToolCall], reason: Reason) -> Json:
    """Return the status if the judge did not answer this time."""
    return _available({call.id: {"type": "unavailable", "reason": reason} for call in calls})


def judged(calls: Sequence[ToolCall], verdicts: Mapping[int, ToolVerdict]) -> Json:
    """The status with the verdicts, by call numbers from 1; a call without one is left out."""
    numbered = [(call, verdicts.get(number)) for number, call in enumerate(calls, start=1)]
    return _available({call.id: _evaluated(verdict) for call, verdict in numbered if verdict is not None})


def _evaluated(verdict: ToolVerdict) -> Json:
    if not verdict.flagged:
        return {"type": "evaluated", "outcome": "not_flagged"}
    return {"type": "evaluated", "outcome": "flagged", "explanation": verdict.reason or "judged to be dangerous"}


def _available(tool_uses: Json) -> Json:
    return {"type": "available", "tool_uses": tool_uses}
