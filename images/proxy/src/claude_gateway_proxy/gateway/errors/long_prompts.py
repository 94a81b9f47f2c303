"""A model server's refusal of a prompt that is too long, in the words or with the code that clients act upon.

Claude Code compacts its conversation when it reads Anthropic's words, and agents of OpenAI's formats at OpenAI's code.
Servers of other models speak these formats as well, but refuse in words of their own, at which a session is stuck.
"""

from dataclasses import replace
from typing import Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.errors.relayed import Relayed
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.translation.limits import is_too_long, most_output, prompt_too_long
from claude_gateway_proxy.translation.words import words_of
from claude_gateway_runtime.failure import Failure

_CODE: Final = "context_length_exceeded"
_WORDS: Final = "prompt is too long"
_READ_MOST: Final = 16 * 1024
"""Bytes of an error that are read: a refusal of a prompt is short."""

_OF_THE_BODY: Final = frozenset({b"content-type", b"content-length"})


def in_known_words(upstream: Relayed, *, format: Format, request_id: str) -> Relayed:
    """Return the refusal as the vendor of the format would word it; ``upstream`` itself where it says something else.

    ``upstream.body`` is plain and without keys.
    """
    said = words_of(upstream.body[:_READ_MOST].decode("utf-8", "replace"))
    if said is None or most_output(said) is not None or not is_too_long(said):
        return upstream
    known = said.startswith(_WORDS) if format is Format.MESSAGES else _CODE.encode() in upstream.body
    if known:
        return upstream
    message = prompt_too_long(said) if format is Format.MESSAGES else said
    body = OPERATIONS[format].error_body(Failure(status=400, message=message, code=_CODE), request_id=request_id)
    kept = [(name, value) for name, value in upstream.headers if name.lower() not in _OF_THE_BODY]
    headers = [*kept, (b"content-type", b"application/json")]
    return replace(upstream, status=400, headers=headers, body=body)
