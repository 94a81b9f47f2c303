"""The limits of a client, a route or a target."""

from claude_gateway.contract.base import Contract


class Limits(Contract):
    """Requests and tokens per minute, and requests in flight at one time; None: no limit."""

    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    concurrent: int | None = None
