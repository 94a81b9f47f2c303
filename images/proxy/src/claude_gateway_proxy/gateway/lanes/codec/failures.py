"""The failures that stand for upstream answers which are unreadable or incomplete."""

from typing import Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.lanes.whole import Whole, json_answer
from claude_gateway_proxy.masking import Mask
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.translation import limits
from claude_gateway_proxy.translation.bad_answer import BadAnswer, Reported
from claude_gateway_runtime.failure import Failure, row

_READ_MOST: Final = 64 * 1024
_MESSAGE_MOST: Final = 4_000
"""The most characters of an upstream's message that are searched for keys and passed on."""


@row(502, "upstream_broken")
def broken(message: str) -> str:
    """The upstream's answer is invalid or incomplete."""
    return message


@row(501, "not_supported", retry=False)
def cannot_count(provider: str) -> str:
    """The provider has no way to count tokens exactly, and an estimate would be wrong."""
    return f"tokens cannot be counted exactly for the provider '{provider}'"


def failure_of(error: BadAnswer, *, call: Call, mask: Mask) -> Failure:
    """Return the failure of a bad answer for the caller, without keys that the upstream may quote."""
    message = mask.text(str(error)[:_READ_MOST])[:_MESSAGE_MOST]
    if not isinstance(error, Reported):
        return broken(message)
    # Servers without statuses of their own, such as LM Studio, report what is wrong with the request as theirs.
    of_request = error.status < 500 or limits.is_counted_too_long(message)
    found = too_long(message, call) if of_request else None
    return found or Failure(status=error.status, message=message)


def too_long(words: str, call: Call) -> Failure | None:
    """Return the failure of a prompt that is too long, in the caller's format; None for other messages."""
    words = words[:_MESSAGE_MOST]
    if limits.too_long(words) is None:
        return None
    message = limits.prompt_too_long(words) if call.format is Format.MESSAGES else words
    return Failure(status=400, message=message, code="context_length_exceeded")


def written(failure: Failure, call: Call) -> Whole:
    """Return a failure as an answer in the caller's format, for the exchange to judge like any upstream's."""
    body = OPERATIONS[call.format].error_body(failure, request_id=call.record.request_id)
    return json_answer(body, status=failure.status, headers=failure.headers())
