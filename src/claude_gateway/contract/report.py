"""What the processes of a pod report: which revision is live, or why it is not."""

from claude_gateway.contract.login import Outcome
from claude_gateway.contract.policy import Contract


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


class ClientUse(Contract):
    """When a client was last used, in Unix time; ``client`` is its full name."""

    client: str
    at: float


class ProcessReport(Contract):
    """``GET /status`` of the gateway and of the LiteLLM worker.

    ``revision`` is what serves now; ``refused`` is a newer revision that could not be loaded, ``error`` why. Of the
    gateway, ``credentials`` are those that were used, ``clients`` the clients that called, the latest last.
    """

    revision: str | None = None
    refused: str | None = None
    error: str | None = None
    in_flight: int = 0
    credentials: tuple[CredentialReport, ...] = ()
    clients: tuple[ClientUse, ...] = ()

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
