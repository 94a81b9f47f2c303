"""What LiteLLM's exceptions mean for the caller.

LiteLLM wraps an upstream's error into a text with its own class names; the upstream's message, status and
``retry-after`` are what the caller needs, and 529 must stay 529 for Claude Code to change its model.
"""

import ast
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm import errors
from claude_gateway_proxy.litellm.bounds import AnswerRefused
from claude_gateway_proxy.litellm.downloads import REFUSAL, DownloadRefused
from claude_gateway_proxy.litellm.guard import AddressRefused
from claude_gateway_proxy.litellm.masking import mask_of, without_tokens
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.resets import retry_after
from claude_gateway_proxy.translation import limits
from claude_gateway_proxy.translation.bad_answer import BadAnswer, Reported
from claude_gateway_proxy.translation.words import is_page, words_within
from claude_gateway_proxy.unreachable import Obstacle, explain
from claude_gateway_runtime.failure import Failure

_READ_MOST: Final = 64 * 1024
"""Characters of an error that are searched for a JSON object."""

_MESSAGE_MOST: Final = 4_000
"""Characters of a message. A text is cut to it before any pattern of this module reads it."""

_TEXT_MOST: Final = 20 * 1024
"""Characters of other texts that are searched for keys; no key is so long that it reaches into a message from here."""

_UNREADABLE: Final = "the upstream's answer is not in the format of its provider"
_PAGE: Final = "the upstream answered with a web page"

_CHAIN_LIMIT: Final = 16
_OF_LITELLM: Final = "llm_provider-"
"""What LiteLLM puts before the names of an upstream's headers."""

_STATUSES: Final = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "api_error": 500,
    "server_error": 500,
    "invalid_request_error": 400,
}
"""Types of an error within a stream, which has no status of its own."""

_PREFIXES: Final = re.compile(r"^(?:litellm\.)?(?:[A-Z]\w*(?:Error|Exception|Timeout)\b(?: \w+Error)?\s*(?::|-)\s*)+")
_TAILS: Final = re.compile(
    r"\.? ?(?:Handle with `litellm|Received Model Group=|Available Model Group|LiteLLM Retried|Original exception: ).*"
    r"|Traceback \(most recent call.*",
    re.DOTALL,
)
_BYTES: Final = re.compile(r"""\bb(?:'[\[{][^'\\]*(?:\\.[^'\\]*)*'|"[\[{][^"\\]*(?:\\.[^"\\]*)*")""")
_CLASS: Final = re.compile(r"\blitellm\.(?=[A-Z])")
_URL: Final = re.compile(r"(?P<scheme>https?://)(?P<rest>[^\s'\"]*)")
_CONNECTION: Final = re.compile(
    r"cannot connect to host|connection error|server disconnected|connection reset|payload is not completed"
    r"|closed the responses stream before any terminal event",
    re.IGNORECASE,
)


def of_exception(error: Exception, *, target: Target, format: Format) -> Failure:
    """What an exception of LiteLLM means for the caller."""
    chain = list(_chain(error))
    if any(isinstance(each, AddressRefused) for each in chain):
        return errors.address_refused()
    unread = next((each for each in chain if isinstance(each, AnswerRefused)), None)
    if unread is not None:
        return errors.answer_refused(str(unread))
    bad = next((each for each in chain if isinstance(each, BadAnswer)), None)
    if bad is not None:
        return of_bad_answer(bad, target=target, format=format)
    if any(isinstance(each, DownloadRefused) for each in chain) or _named(chain, "ImageFetchError"):
        return errors.bad_request(REFUSAL)
    if any(isinstance(each, RecursionError) for each in chain) or "Max depth of " in _text(error)[:_MESSAGE_MOST]:
        return errors.bad_request("tools: nested too deeply")
    status = _status(chain)
    if status == 504:
        # A connection that was not accepted in time is not a slow answer.
        why = explain(error)
        return errors.unreachable(why) if why.obstacle is Obstacle.TIMEOUT else errors.timed_out()
    if status is None or (status >= 500 and _no_connection(chain)):
        return errors.unreachable(explain(error)) if _no_connection(chain) else errors.internal()
    if 300 <= status < 400:
        return errors.redirected()
    if status == 500 and _is_unreadable(chain):
        return errors.broken(_UNREADABLE)
    text = _clean(_text(error), target)
    if text.startswith("Unmapped LLM provider"):
        return errors.bad_request("this endpoint is not supported for this model")
    if status == 500 and "overloaded" in text.lower():
        status = 529  # LiteLLM drops the type of an error within a stream
    failure = Failure(
        status=status,
        message=text,
        retry_after=_retry_after(status, chain),
        request_id=_header(chain, ("request-id", "x-request-id")),
    )
    named = status == 400 and _named(chain, "ContextWindowExceededError")
    return _of_limits(failure, named=named, format=format) if status in (400, 413, 422) else failure


def _of_limits(failure: Failure, *, named: bool, format: Format) -> Failure:
    """A rejection of the request's size, in the words that Claude Code acts upon."""
    text = failure.message
    if limits.most_output(text) is not None or not (named or limits.is_too_long(text)):
        return failure
    return _too_long(failure, format=format)


def param_of(error: BaseException) -> str:
    """Return the parameter of the request that the upstream names beside its message; empty if it names none."""
    found = (getattr(each, "param", None) for each in _chain(error))
    return next((param for param in found if isinstance(param, str)), "")


def unrepaired(failure: Failure, *, format: Format) -> Failure:
    """Return a failure that cannot be repaired: prompt and output share a context, and the prompt does not fit."""
    most = limits.most_output(failure.message)
    if (
        failure.status not in (400, 413, 422)
        or most is None
        or most.of_model
        or not limits.is_too_long(failure.message)
    ):
        return failure
    return _too_long(failure, format=format)


def _too_long(failure: Failure, *, format: Format) -> Failure:
    message = limits.prompt_too_long(failure.message) if format is Format.MESSAGES else failure.message
    return replace(failure, status=400, type="", code="context_length_exceeded", message=message)


def of_bad_answer(error: BadAnswer, *, target: Target, format: Format) -> Failure:
    """Return the failure for an answer that has a status of success but cannot be used."""
    if not isinstance(error, Reported):
        return errors.broken(_clean(str(error), target))
    failure = Failure(status=error.status, message=_clean(str(error), target))
    # Servers without statuses of their own, such as LM Studio, report what is wrong with the request as theirs.
    of_request = error.status in (400, 413, 422) or limits.is_counted_too_long(failure.message)
    return _of_limits(failure, named=False, format=format) if of_request else failure


def of_event(data: dict[str, Any], *, target: Target) -> Failure:
    """What an error event within an upstream's stream means; ``data`` is its parsed ``error`` object or the event."""
    error = data.get("error", data)
    fields: dict[str, Any] = error if isinstance(error, dict) else {"message": str(error)}
    message = str(fields.get("message") or "the upstream reported an error")
    if _CONNECTION.search(message[:_MESSAGE_MOST]):
        return errors.unreachable()
    code = fields.get("code")
    status = _STATUSES.get(str(fields.get("type")), code if isinstance(code, int) and 400 <= code < 600 else 500)
    if status == 500 and "overloaded" in message[:_MESSAGE_MOST].lower():
        status = 529  # LiteLLM drops the type of an error within a stream
    return Failure(status=status, message=_clean(message, target))


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    for _ in range(_CHAIN_LIMIT):
        if found is None:
            return
        yield found
        # LiteLLM stores the exception that it caught under this name if it raises another one.
        original = getattr(found, "original_exception", None)
        found = found.__cause__ or found.__context__ or (original if isinstance(original, BaseException) else None)


def _status(chain: list[BaseException]) -> int | None:
    """Return the upstream's status, the innermost one: LiteLLM knows few statuses, and turns a 529 into a 500."""
    if any("Timeout" in type(each).__name__ for each in chain):
        return 504
    codes = [code for each in chain if isinstance(code := getattr(each, "status_code", None), int)]
    return next((code for code in reversed(codes) if 300 <= code < 600), None)


def _named(chain: list[BaseException], name: str) -> bool:
    return any(type(each).__name__ == name for each in chain)


def _is_unreadable(chain: list[BaseException]) -> bool:
    """Return whether LiteLLM failed to read an answer: its message is then that of Python's error, for nobody to read.

    The error of an upstream has words of its own, whatever failed while LiteLLM read it.
    """
    text = _text(chain[0])[:_MESSAGE_MOST]
    own = (str(each) for each in chain if isinstance(each, LookupError | TypeError | AttributeError))
    return any(words and words[:_MESSAGE_MOST] in text for words in own)


def _no_connection(chain: list[BaseException]) -> bool:
    for each in chain:
        module = type(each).__module__.partition(".")[0]
        if isinstance(each, OSError):
            return True
        if module == "aiohttp" and "Connect" in "".join(base.__name__ for base in type(each).__mro__):
            return True
        if module in ("httpx", "httpcore", "aiohttp") and type(each).__name__ in (
            "ConnectError",
            "ReadError",
            "WriteError",
            "RemoteProtocolError",
            "ClientPayloadError",
        ):
            return True
    return explain(chain[0]).obstacle is Obstacle.PROXY or _CONNECTION.search(str(chain[0])[:_MESSAGE_MOST]) is not None


def _text(error: BaseException) -> str:
    message = getattr(error, "message", None)
    return message if isinstance(message, str) else str(error)


def _clean(text: str, target: Target) -> str:
    words = _upstream_words(text[:_READ_MOST])
    # Keys are masked before the cut, which could leave half of one.
    text = mask_of(target).text(text[:_TEXT_MOST] if words is None else words)[:_MESSAGE_MOST]
    if words is None:
        if is_page(text):
            return _PAGE
        text = _TAILS.sub("", _PREFIXES.sub("", _CLASS.sub("", text)))
    text = without_tokens(_URL.sub(_bare_url, text))
    if text in ("b''", 'b""'):
        text = ""
    return text.strip() or "the upstream gave no reason"


def _bare_url(found: re.Match[str]) -> str:
    """An address without its query and its user, either of which may be a key."""
    authority, slash, path = found["rest"].partition("?")[0].partition("/")
    return f"{found['scheme']}{authority.rpartition('@')[2]}{slash}{path}"


def _upstream_words(text: str) -> str | None:
    """Return the upstream's message in the first JSON document of a text; LiteLLM prints bytes as ``b'…'``."""
    literal = _BYTES.search(text)
    if literal is not None:
        try:
            text = ast.literal_eval(literal[0]).decode("utf-8", "replace")
        except (ValueError, SyntaxError):
            return None
    return words_within(text)


def _retry_after(status: int, chain: list[BaseException]) -> str | None:
    """Return when to retry: the upstream's own value, else whole seconds from wherever it says so."""
    said = _header(chain, ("retry-after",))
    if said is not None:
        return said
    headers = [
        (name.lower().removeprefix(_OF_LITELLM).encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for found in _headers(chain)
        for name, value in found.items()
        if isinstance(value, str)
    ]
    # The outermost exception that has a header has the last word; LiteLLM copies some of them inwards.
    seconds = retry_after(status, reversed(headers), _told(chain), now=datetime.now(UTC))
    return None if seconds is None else str(math.ceil(seconds))


def _told(chain: list[BaseException]) -> str:
    return "\n".join(dict.fromkeys(_text(each)[:_MESSAGE_MOST] for each in chain))


def _header(chain: list[BaseException], names: tuple[str, ...]) -> str | None:
    """A header of the upstream's answer, if it may be passed on."""
    for headers in _headers(chain):
        for name in names:
            value = headers.get(name)
            if isinstance(value, str) and is_header_value(value):
                return value
    return None


def _headers(chain: list[BaseException]) -> Iterator[Mapping[str, Any]]:
    """Yield the headers of upstreams' answers, wherever LiteLLM keeps them."""
    for each in chain:
        response = getattr(each, "response", None)
        for headers in (
            getattr(each, "litellm_response_headers", None),
            getattr(response, "headers", None),
            getattr(each, "headers", None),
        ):
            if headers is not None:
                yield headers


def is_header_value(value: str) -> bool:
    """Whether an upstream's text may be put into one of our headers."""
    return 0 < len(value) < 64 and value.isascii() and value.isprintable()
