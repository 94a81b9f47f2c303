"""The worker's own failures."""

from typing import Final

from claude_gateway_runtime.failure import row

UNREACHABLE: Final = "upstream_unreachable"
"""The code of a failure of the connection, not of the upstream."""


@row(400, retry=False)
def bad_request(message: str) -> str:
    """The request does not follow its format, or requests what cannot be done here."""
    return message


@row(404, retry=False)
def unknown_path(path: str) -> str:
    """Nothing is served under this path."""
    return f"nothing is served at '{path[:128]}'"


@row(500, "internal_error")
def internal() -> str:
    """A bug of this process or of LiteLLM; the log says where."""
    return "the request could not be translated"


@row(501, "not_supported", retry=False)
def cannot_count(provider: str) -> str:
    """The provider has no way to count tokens exactly, and an estimate would be wrong."""
    return f"tokens cannot be counted exactly for the provider '{provider}'"


@row(502, UNREACHABLE)
def unreachable() -> str:
    """There is no connection to the upstream, or it broke."""
    return "the upstream could not be reached, or broke off its answer"


@row(502, "upstream_broken")
def empty_answer() -> str:
    """The upstream ended its stream before the answer began."""
    return "the upstream ended its answer before it began"


@row(502, "upstream_broken")
def answer_refused(reason: str) -> str:
    """The upstream's answer is not read to its end: it is too large, or cannot be decompressed."""
    return reason


@row(502, "upstream_redirected")
def redirected() -> str:
    """The upstream answered with a redirect."""
    return "the upstream answered with a redirect, which is not followed"


@row(502, "upstream_address_refused")
def address_refused() -> str:
    """The egress rule rejects the address of the target's host."""
    return "the target's host resolves to an address that is not allowed"


@row(503, "target_unknown")
def unknown_target(ident: str) -> str:
    """No revision that this process knows has the target; the gateway may be ahead of it."""
    return f"the LiteLLM worker does not know the target '{ident[:256]}' yet"


@row(504, "upstream_timeout")
def timed_out() -> str:
    """The upstream did not answer in time."""
    return "the upstream took too long"
