"""Pods with what they report, and plans made in knowledge of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.support.builders.objects import NOW

from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway.names import ConditionType, Kind
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.slices import slices_of
from claude_gateway.plan.status.programmed import PodState
from claude_gateway.plan.status.stored_status import Condition
from claude_gateway.plan.world import World


def serving(revision: str | None, litellm: str | None = None, **report: Any) -> PodReport:
    """A pod that serves one revision, or whose LiteLLM worker serves another."""
    other = litellm or revision
    return PodReport(
        wanted=report.pop("wanted", revision),
        live=revision if other == revision else None,
        gateway=ProcessReport(revision=revision, **report.pop("gateway", {})),
        litellm=ProcessReport(revision=other, **report.pop("litellm_report", {})),
        **report,
    )


def pod(report: PodReport | None, name: str = "p0", *, ready: bool = True) -> PodState:
    """The state of one pod."""
    return PodState(name=name, ready=ready, report=report)


def revision_of(decided: Plan) -> str:
    """The revision that a plan writes."""
    return decided.bundle.meta.revision


def known(*plans: Plan) -> dict[str, Mapping[str, str]]:
    """The slices of revisions, computed of their bundles as after a restart."""
    found = {}
    for decided in plans:
        parts = slices_of(decided.bundle)
        assert parts is not None
        found[revision_of(decided)] = parts
    return found


def look(of: World, *pods: PodState, before: Sequence[Plan] = ()) -> Plan:
    """Decide on a World with pods, knowing what earlier plans wrote."""
    return decide(replace(of, pods=pods, slices=known(*before)), NOW)


def conditions(decided: Plan, name: str, kind: Kind = Kind.MODEL_ROUTE) -> dict[str, Condition]:
    """The conditions of one object, by type."""
    (status,) = [s for s in decided.statuses if (s.object.kind, s.object.name) == (kind, name)]
    return {c.type: c for c in status.conditions}


def answer(decided: Plan, name: str = "sonnet", kind: Kind = Kind.MODEL_ROUTE) -> tuple[str, str]:
    """Status and reason of an object's `Programmed`."""
    condition = conditions(decided, name, kind)[ConditionType.PROGRAMMED]
    return condition.status, condition.reason
