"""Rewrites a model server's "prompt too long" error to the message or the code that clients act on.

Claude Code compacts its conversation when it reads Anthropic's message, and agents of OpenAI's formats when they read
OpenAI's code. Servers of other models use these formats with their own messages, and a session would be stuck.
"""

from typing import Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.errors.relayed import Relayed
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.translation.limits import TooLong, most_output, prompt_too_long, too_long
from claude_gateway_proxy.translation.words import words_of
from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.failure import Failure

_CODE: Final = "context_length_exceeded"
_WORDS: Final = "prompt is too long"
_READ_MOST: Final = 16 * 1024
"""Bytes of an error that are read: a refusal of a prompt is short."""

_OF_THE_BODY: Final = frozenset({b"content-type", b"content-length"})


def words_of_refusal(upstream: Relayed) -> str | None:
    """Return what a refusal says; ``upstream.body`` is plain and without keys."""
    return words_of(upstream.body[:_READ_MOST].decode("utf-8", "replace"))


def in_known_words(upstream: Relayed, said: str, *, format: Format, request_id: str) -> Relayed:
    """Return the refusal of a prompt that is too long, with the words ``said``, as the vendor would word it."""
    known = is_known(said) if format is Format.MESSAGES else _CODE.encode() in upstream.body
    if known:
        return upstream
    kept = [(name, value) for name, value in upstream.headers if name.lower() not in _OF_THE_BODY]
    return refused_length(said, format=format, request_id=request_id, headers=kept)


def is_known(words: str) -> bool:
    """Whether Claude Code acts on an upstream's message as it is."""
    return words.startswith(_WORDS)


def refused_length(words: str, *, format: Format, request_id: str, headers: Headers = ()) -> Relayed:
    """Return an upstream's refusal of a prompt that is too long, as the vendor of the format would word it."""
    message = prompt_too_long(words) if format is Format.MESSAGES else words
    body = OPERATIONS[format].error_body(Failure(status=400, message=message, code=_CODE), request_id=request_id)
    return Relayed(400, headers=[*headers, (b"content-type", b"application/json")], body=body)


def refuses_length(upstream: Relayed, said: str | None) -> TooLong | None:
    """Return what a refusal, with the words ``said``, says of a request that is too long; None for any other."""
    found = None if said is None else too_long(said)
    if found is None and _CODE.encode() in upstream.body[:_READ_MOST] and most_output(said or "") is None:
        return TooLong()
    return found
