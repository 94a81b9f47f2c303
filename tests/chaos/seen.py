"""What a scenario saw, for the report, and the load that runs in all of them."""

from collections.abc import Callable
from dataclasses import replace

from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway
from tests.support.kube import pods as kubepods

Note = Callable[..., None]


def steady(gateway: Gateway, *, seconds: float = 300) -> list[Group]:
    """Return the e2e suite's load on both wires, over kept and over fresh connections."""
    return [replace(group, pause=0.5, seconds=seconds) for group in gateway.steady()]


def said(what: str, load: kubepods.Load) -> str:
    """Say what was done and how many requests ran meanwhile."""
    failed = len(load.problems())
    return f"{what}; {len(load.answers):,} requests, {failed} failed"
