"""Asks the agent which revision is live."""

import asyncio
import time
from typing import Final

from pydantic import ValidationError

from claude_gateway.cli import web
from claude_gateway.contract.report import PodReport

_SLICE_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.1


def status(agent: str, *, unlike: str | None = None, seconds: float = 0.0) -> PodReport | None:
    """The agent's report: now, or once another revision than ``unlike`` is live, after ``seconds`` at the latest.

    ``agent`` is its URL. None if it does not answer as it should.
    """
    query = f"?revision={unlike or ''}&timeout={seconds:g}" if seconds else ""
    try:
        answer = web.fetch(f"{agent}/status{query}", timeout=seconds + 5.0)
        return PodReport.model_validate_json(answer.body) if answer.status == 200 else None
    except (web.UnreachableError, ValidationError):
        return None


async def until_live(agent: str, revision: str, *, seconds: float) -> PodReport | None:
    """Wait until gateway and LiteLLM worker both serve a revision; give the last report, which says if they do.

    Ends early when the bundle was refused, and after ``seconds`` in any case.
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
    """Why a revision was refused, and by whom; None if it was not."""
    if report.error and report.wanted == revision:
        return f"agent: {report.error}"
    for name, process in (("gateway", report.gateway), ("litellm", report.litellm)):
        if process is not None and process.refused == revision:
            return f"{name}: {process.error or 'no reason given'}"
    return None
