"""What the processes of a pod report: which revision is live, or why it is not."""

from claude_gateway.contract.policy import Contract


class ProcessReport(Contract):
    """``GET /status`` of the gateway and of the LiteLLM worker.

    ``revision`` is what serves now; ``refused`` is a newer revision that could not be loaded, ``error`` why.
    """

    revision: str | None = None
    refused: str | None = None
    error: str | None = None
    in_flight: int = 0


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
