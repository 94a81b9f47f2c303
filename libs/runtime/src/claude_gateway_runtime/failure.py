"""One failure of a request: raised anywhere, turned into a response once at the edge, in the caller's envelope.

A table of failures is written with ``row``: one decorated function per failure, which returns its message.

Claude Code decides by status and ``x-should-retry`` whether it tries again: a rejected key without ``x-should-retry:
false`` keeps it busy for three minutes.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.envelope import Envelope, anthropic_error, anthropic_type, aws_error, openai_error

_Parameters = ParamSpec("_Parameters")


@dataclass(eq=False, kw_only=True)
class Failure(Exception):  # noqa: N818 - an answer like any other, raised
    """An answer other than the requested one. Nothing in it is secret.

    ``type`` is Anthropic's ``error.type``, by default that of the status; ``code`` is OpenAI's ``error.code``.
    ``retry`` becomes ``x-should-retry``; ``retry_after`` and ``allow`` are the headers of these names. ``close``: the
    connection cannot be used for another request. ``request_id`` is the upstream's own id of the request. ``more`` are
    further headers.
    """

    status: int
    message: str
    type: str = ""
    code: str | None = None
    retry: bool | None = None
    retry_after: str | None = None
    allow: str | None = None
    close: bool = False
    request_id: str | None = None
    more: Headers = ()

    def __post_init__(self) -> None:
        self.type = self.type or anthropic_type(self.status)

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {self.message}"

    def body(self, envelope: Envelope, *, request_id: str | None = None) -> bytes:
        """The JSON body. ``request_id`` is used where the failure has no id of the upstream's."""
        if envelope is Envelope.AWS:
            return aws_error(message=self.message)
        if envelope is Envelope.OPENAI:
            return openai_error(status=self.status, message=self.message, code=self.code)
        return anthropic_error(kind=self.type, message=self.message, request_id=self.request_id or request_id)

    def headers(self) -> Headers:
        """The headers that tell a client when, how and whether to try again."""
        found: list[tuple[bytes, bytes]] = []
        if self.retry is not None:
            found.append((b"x-should-retry", b"true" if self.retry else b"false"))
        if self.retry_after is not None:
            found.append((b"retry-after", self.retry_after.encode()))
        if self.allow is not None:
            found.append((b"allow", self.allow.encode()))
        if self.close:
            found.append((b"connection", b"close"))
        return [*found, *self.more]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table of failures, without its message. The fields are those of ``Failure``."""

    status: int
    code: str | None = None
    retry: bool | None = None
    retry_after: str | None = None
    close: bool = False

    def failure(self, message: str) -> Failure:
        """The failure of this row with its message."""
        return Failure(
            status=self.status,
            message=message,
            code=self.code,
            retry=self.retry,
            retry_after=self.retry_after,
            close=self.close,
        )


def row(
    status: int,
    code: str | None = None,
    *,
    retry: bool | None = None,
    retry_after: str | None = None,
    close: bool = False,
) -> Callable[[Callable[_Parameters, str]], Callable[_Parameters, Failure]]:
    """Decorate a function that returns a message: it then returns the failure with it, for the same parameters."""
    found = Row(status, code=code, retry=retry, retry_after=retry_after, close=close)

    def decorate(message: Callable[_Parameters, str]) -> Callable[_Parameters, Failure]:
        @functools.wraps(message)
        def failure(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> Failure:
            return found.failure(message(*args, **kwargs))

        failure.__annotations__ = {**message.__annotations__, "return": Failure}
        return failure

    return decorate
