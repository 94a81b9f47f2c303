"""Queries a running ``serve``: the agent for the live revision, the gateway for its last failures."""

import asyncio
import time
from typing import Final

from pydantic import ValidationError

from claude_gateway.cli.remote import web
from claude_gateway.contract.report import OVERVIEW_PATH, Overview, PodReport, TargetFailure, TargetFailures

_SLICE_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.1


def status(agent: str, *, unlike: str | None = None, seconds: float = 0.0) -> PodReport | None:
    """Return the agent's report: at once, or when a revision other than ``unlike`` is live, at most after ``seconds``.

    ``agent`` is the agent's URL. Returns None if there is no valid answer.
    """
    query = f"?revision={unlike or ''}&timeout={seconds:g}" if seconds else ""
    try:
        answer = web.fetch(f"{agent}/status{query}", timeout=seconds + 5.0)
        return PodReport.model_validate_json(answer.body) if answer.status == 200 else None
    except (web.UnreachableError, ValidationError):
        return None


def failures(socket: str, *, since: float) -> tuple[TargetFailure, ...]:
    """Return the last failures of targets since a Unix time, from the gateway's ``socket``; none if it is away."""
    try:
        answer = web.fetch("http://gateway/failures", unix=socket)
        found = TargetFailures.model_validate_json(answer.body).failures
    except (web.UnreachableError, ValidationError):
        return ()
    return tuple(failure for failure in found if failure.at >= since)


def ejected(socket: str) -> frozenset[str]:
    """Return the ids of the targets that are ejected now, from the gateway's ``socket``; none if it is away."""
    found = overview(socket)
    return (
        frozenset() if found is None else frozenset(each.target for each in found.targets if each.ejected_seconds > 0)
    )


def overview(socket: str) -> Overview | None:
    """Return what the gateway at a ``socket`` does now; None if it is away."""
    try:
        answer = web.fetch(f"http://gateway{OVERVIEW_PATH}", unix=socket)
        return Overview.model_validate_json(answer.body) if answer.status == 200 else None
    except (web.UnreachableError, ValidationError):
        return None


async def until_live(agent: str, revision: str, *, seconds: float) -> PodReport | None:
    """Wait until gateway and LiteLLM worker both serve a revision; returns the last report.

    Ends early if the revision was rejected, and after ``seconds`` in any case.
    """
    deadline = time.monotonic() + seconds
    report: PodReport | None = None
    while time.monotonic() < deadline:
        before = report.live if report else None
        report = await asyncio.to_thread(status, agent, unlike=before, seconds=_SLICE_SECONDS if report else 0.0)
        if report is None:
            await asyncio.sleep(_PAUSE_SECONDS)
        elif report.live == revision or refusal(report, revision):
            break
    return report


def refusal(report: PodReport, revision: str) -> str | None:
    """Return which process rejected a revision, and why; None if none did."""
    if report.error and report.wanted == revision:
        return f"agent: {report.error}"
    for name, process in (("gateway", report.gateway), ("litellm", report.litellm)):
        if process is not None and process.refused == revision:
            return f"{name}: {process.error or 'no reason given'}"
    return None
