"""What the processes of a pod report: which revision is live, or why it is not."""

from typing import Final

from claude_gateway.contract.base import Contract
from claude_gateway.contract.login import Outcome


class CredentialReport(Contract):
    """What was last said about one credential, by an upstream or by who issues its tokens.

    ``credential`` is the name that targets have for it. ``asked`` says what was asked, ``answer`` what came back, in
    the upstream's words and without any secret. Times are Unix time. ``expires_at`` and ``renewed_at`` are those of an
    access token, ``failing`` why its last renewal failed, ``failures`` how many renewals did.
    """

    credential: str
    outcome: Outcome | None = None
    asked: str = ""
    answer: str = ""
    at: float = 0.0
    expires_at: float | None = None
    renewed_at: float | None = None
    failing: str = ""
    failures: int = 0


class EjectedTarget(Contract):
    """A target that a gateway tries last, because it failed.

    ``target`` is its id, ``model`` the only model that is affected (empty: all). ``reason`` is the kind of the last
    failure, as the metric of upstream errors has it. ``since`` and ``until`` are Unix time.
    """

    target: str
    model: str = ""
    reason: str
    since: float
    until: float


class ClientUse(Contract):
    """When a client was last used, in Unix time; ``client`` is its full name."""

    client: str
    at: float


class BudgetUse(Contract):
    """What one gateway spent of a budget in a window, in billionths of a dollar.

    ``budget`` is the full name, ``window`` its ``Window.key``. ``used`` is ``spent`` together with what running
    requests have reserved. ``lease`` is the lease that is in force, ``short`` what a request needed beyond it.
    ``total`` is what all gateways spent, where a store counts for them; else None. ``owed`` is the part of ``used``
    that the store has not heard of, because it was away. With a ``member``, all this is about one person's part.
    """

    budget: str
    window: str
    member: str = ""
    spent: int
    used: int
    lease: int = 0
    short: int = 0
    total: int | None = None
    owed: int = 0


class ProcessReport(Contract):
    """``GET /status`` of the gateway and of the LiteLLM worker.

    ``revision`` is what serves now; ``refused`` is a newer revision that could not be loaded, ``error`` why. Of the
    gateway, ``credentials`` are those that were used, ``clients`` the clients that called, the latest last, and
    ``ejected`` the targets that it tries last for longer than a minute. ``budgets`` is what it spent; it spends nothing
    more once it is ``drained``.
    """

    revision: str | None = None
    refused: str | None = None
    error: str | None = None
    in_flight: int = 0
    credentials: tuple[CredentialReport, ...] = ()
    clients: tuple[ClientUse, ...] = ()
    ejected: tuple[EjectedTarget, ...] = ()
    budgets: tuple[BudgetUse, ...] = ()
    drained: bool = False

    @property
    def ejections(self) -> frozenset[tuple[str, str]]:
        """What is news about ejected targets: which they are. The rest may change with every failure."""
        return frozenset((each.target, each.model) for each in self.ejected)

    @property
    def verdicts(self) -> tuple[tuple[str, str | None, bool], ...]:
        """What is news about the credentials: whether each is accepted, and whether it can be renewed."""
        return tuple((each.credential, each.outcome, bool(each.failing)) for each in self.credentials)


class PodReport(Contract):
    """``GET /status`` of the agent.

    ``wanted`` is the newest revision that the source offered. ``live`` is set when gateway and LiteLLM worker
    both serve the same revision. A process that does not answer is ``None``.
    """

    wanted: str | None = None
    live: str | None = None
    error: str | None = None
    gateway: ProcessReport | None = None
    litellm: ProcessReport | None = None


OVERVIEW_PATH: Final = "/overview"
"""Where the gateway answers with its ``Overview``, on its socket within the pod."""


class LiveRequest(Contract):
    """A request that is being answered: nothing of its content, and no secret.

    ``model`` is the name that the client sent, cut to a bound. ``seconds`` is how long it runs, ``first_byte`` whether
    its answer has begun; ``target`` is empty until one is tried.
    """

    request_id: str
    client: str
    route: str
    model: str
    format: str
    target: str = ""
    lane: str = ""
    attempts: int = 0
    stream: bool = False
    first_byte: bool = False
    seconds: float
    bytes_out: int = 0


class TargetState(Contract):
    """A target that is in use or that failed lately: for how long it is still ejected, and its last failure."""

    target: str
    in_flight: int = 0
    ejected_seconds: float = 0.0
    last: str = ""


class Overview(Contract):
    """What one gateway process does now: the oldest requests first, and how many there are in all."""

    revision: str | None = None
    in_flight: int = 0
    requests: tuple[LiveRequest, ...] = ()
    targets: tuple[TargetState, ...] = ()


class TargetFailure(Contract):
    """The last failed try at a target.

    ``kind`` and ``reason`` are the labels of the metric; ``said`` are the upstream's status and words, or what the
    system reported of the connection. ``at`` is Unix time.
    """

    target: str
    kind: str
    reason: str = ""
    said: str = ""
    at: float

    def __str__(self) -> str:
        return f"{self.target}: {self.reason or self.kind}{f' ({self.said})' if self.said else ''}"


class TargetFailures(Contract):
    """``GET /failures`` of the gateway, on its socket within the pod: the latest failure last."""

    failures: tuple[TargetFailure, ...] = ()
