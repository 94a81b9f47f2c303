"""The record of one request: filled on its way, written once at its end as a log line and as metrics.

The app creates a record and fills in the caller and the request; the exchange fills in the target and the outcome. It
never contains anything of the conversation or a secret.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import getrandbits
from typing import Final, Literal, NamedTuple

import msgspec

from claude_gateway.contract import money
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.unreachable import Obstacle

UNKNOWN: Final = "unknown"
"""The label of a client, route or provider that was not found, so that labels stay bounded."""

CLIENT_GONE: Final = 499
"""Status of a request whose client disconnected before the answer began (nginx's number; it is only logged)."""

_MODEL_LOGGED: Final = 128
_SESSION_LOGGED: Final = 64
"""The most characters of the client's own text in a log line, fewer than a request may have."""
_ERROR_LOGGED: Final = 500
_IF_ANY: Final = ("cache_creation_1h_tokens", "reasoning_tokens", "web_searches")
_OF_AGENT: Final = ("agent", "agent_type", "request_class")

Outcome = Literal["ok", "client_error", "upstream_error", "refused", "cancelled", "timeout", "internal_error"]
"""``client_error``: the request was at fault; ``refused``: it was not let in; ``internal_error``: a bug of ours."""

SafeguardOutcome = Literal["flagged", "not_flagged", "undecided", "unavailable", "unsupported"]
"""The result for a tool call. ``undecided``: the judge returned no usable verdict on it; ``unavailable``: the judge did
not answer; ``unsupported``: the route has no judge.
"""


MirrorResult = Literal["same_tools", "other_tools", "unknown", "failed", "original_failed", "both_failed", "dropped"]
"""How the answer of a candidate compares. ``failed``: only the candidate's is an error or incomplete; ``unknown``: an
answer was too large to be read; ``dropped``: the pod had no room for the copy.
"""


CacheResult = Literal["", "hit", "miss"]
"""The result of the cache lookup; empty without a lookup. A hit sends nothing to a target and costs nothing."""


class UpstreamError(StrEnum):
    """Why one attempt at a target failed; the bounded label ``kind``."""

    CONNECT = "connect"
    ADDRESS = "address"
    REDIRECT = "redirect"
    CREDENTIAL = "credential"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    STATUS = "status"
    FIRST_TOKEN = "first_token"  # noqa: S105 - a kind of timeout
    STALLED = "stalled"
    BROKEN = "broken"


class FailedTry(NamedTuple):
    """One failed attempt at a target; ``obstacle`` is set if it could not be reached or broke off."""

    target: str
    provider: str
    kind: UpstreamError
    obstacle: Obstacle | None = None

    def __str__(self) -> str:
        return f"{self.target}: {self.kind.value}{f' ({self.obstacle.value})' if self.obstacle else ''}"


def new_request_id() -> str:
    """Return a random id that looks like Anthropic's; it need not be hard to guess, so that no system call is made."""
    return f"req_{getrandbits(96):024x}"


class BrakedBy(NamedTuple):
    """The limit of the client's brake that stopped a session, such as ``session_dollars``, and how."""

    limit: str
    stop: Literal["soft", "hard"]


class Record(msgspec.Struct, kw_only=True, eq=False):
    """One request. Times are ``time.monotonic()`` seconds, sizes bytes; 0 tokens means none were reported.

    ``status`` is 0 until the answer begins: the exchange sets it right before it sends ``http.response.start``.
    ``request_id`` may be replaced by the upstream's own before that. ``client`` and ``route`` are names. ``user``,
    ``team`` and ``proof`` are those of the caller, as far as known. ``rule`` is the rule of the route that matched,
    empty for its own targets; ``why`` says in one word why the first target came first. ``trace_id`` is that of its
    span, where one is recorded. ``queued`` are the seconds that it waited for limits, and ``limited`` is the kind of
    limit that rejected it. ``error`` is the gateway's own message to the client; ``braked`` says by what the session
    was stopped. ``batch`` says what was asked about a batch, such as ``create``; empty otherwise. ``event`` is the id
    of its usage event, where one was begun. ``verdicts`` has one word for each tool call that was to be judged,
    ``repairs`` the name and the cause of each change to the request that an upstream needed. ``asides`` are requests
    that the gateway made by itself to answer this one, and ``judges`` is, in such a record, the request whose tool
    calls are judged. ``mirrors`` is, in the record of a copy for a candidate, the request that was copied.

    Of the counts of tokens, ``gateway.wire.usage`` says what they hold. ``cost`` is in nanodollars; ``cost_certain`` is
    False where a price or a count that it comes from is an estimate. ``saved`` and ``extra`` are, in nanodollars, what
    reading from the prompt cache saved, and what writing to it cost on top. ``billed_model`` is the model that was paid
    for, as its provider names it. ``agent``, ``agent_type`` and ``request_class`` are what Claude Code said.
    """

    wire: Wire
    format: Format
    started: float
    request_id: str = msgspec.field(default_factory=new_request_id)
    client: str = UNKNOWN
    user: str = ""
    team: str = ""
    proof: str = ""
    route: str = UNKNOWN
    rule: str = ""
    why: str = ""
    target: str = ""
    provider: str = UNKNOWN
    lane: str = ""
    model: str = ""
    session: str = ""
    trace_id: str = ""
    cache: CacheResult = ""
    stream: bool = False
    status: int = 0
    outcome: Outcome = "ok"
    error: str = ""
    braked: BrakedBy | None = None
    batch: str = ""
    event: str = ""
    attempts: int = 0
    queued: float = 0.0
    limited: str = ""
    upstream_errors: list[FailedTry] = []
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_creation_1h_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0
    modes: tuple[str, ...] = ()
    cost: int = 0
    cost_certain: bool = True
    saved: int = 0
    extra: int = 0
    billed_model: str = ""
    agent: str = ""
    agent_type: str = ""
    request_class: str = ""
    first_byte: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    verdicts: list[SafeguardOutcome] = []
    repairs: list[tuple[str, str]] = []
    judges: "Record | None" = None
    mirrors: "Record | None" = None
    asides: list["Record"] = []

    @property
    def all_input_tokens(self) -> int:
        """All input tokens including those of the cache, as OpenTelemetry counts them."""
        return self.input_tokens + self.cache_read_tokens + self.cache_creation_tokens

    def reported_tokens(self) -> Iterator[tuple[str, int]]:
        """Yield the counts that are known, each with its name."""
        if self.input_tokens:
            yield "input", self.input_tokens
        if self.output_tokens:
            yield "output", self.output_tokens
        if self.cache_read_tokens:
            yield "cache_read", self.cache_read_tokens
        if self.cache_creation_tokens:
            yield "cache_creation", self.cache_creation_tokens

    def seconds_per_token(self, *, now: float) -> float | None:
        """How long each output token after the first took, of a stream that ended at ``now``; None if that is unknown.

        A whole answer arrives at once, so the time of its tokens is unknown.
        """
        if self.first_byte is None or not self.stream or self.output_tokens < 2:
            return None
        return (now - self.first_byte) / (self.output_tokens - 1)

    def upstream_failed(
        self, *, target: str, provider: str, kind: UpstreamError, obstacle: Obstacle | None = None
    ) -> None:
        """Record one failed attempt; a later target may still answer."""
        self.upstream_errors.append(FailedTry(target, provider, kind, obstacle))

    def fields(self, *, now: float) -> dict[str, object]:
        """Return the fields of the request's log line at its end; text of the client is truncated."""
        line = self._common_fields(now)
        self._add_optional_fields(line)
        return line

    def _common_fields(self, now: float) -> dict[str, object]:
        """Return the fields that every line has."""
        return {
            "request_id": self.request_id,
            "client": self.client,
            "user": self.user,
            "team": self.team,
            "proof": self.proof,
            "route": self.route,
            "rule": self.rule,
            "why": self.why,
            "target": self.target,
            "provider": self.provider,
            "lane": self.lane,
            "wire": self.wire.value,
            "format": self.format.value,
            "model": self.model[:_MODEL_LOGGED],
            "session": self.session[:_SESSION_LOGGED],
            "stream": self.stream,
            "status": self.status,
            "outcome": self.outcome,
            "attempts": self.attempts,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_creation_tokens": self.cache_creation_tokens,
            "billed_model": self.billed_model[:_MODEL_LOGGED],
            "cost_usd": money.exact(self.cost),
            "ttft_ms": None if self.first_byte is None else round((self.first_byte - self.started) * 1000, 1),
            "duration_ms": round((now - self.started) * 1000, 1),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }

    def _add_optional_fields(self, line: dict[str, object]) -> None:
        """Add the fields that a line has only if they are not empty."""
        if self.trace_id:
            line["trace_id"] = self.trace_id
        if self.cache:
            line["cache"] = self.cache
        if self.batch:
            line["batch"] = self.batch
        if self.queued:
            line["queued_ms"] = round(self.queued * 1000, 1)
        for name in _IF_ANY:
            value = getattr(self, name)
            if value:
                line[name] = value
        for name in _OF_AGENT:
            text = getattr(self, name)
            if text:
                line[name] = text[:_SESSION_LOGGED]
        if not self.cost_certain:
            line["cost_estimated"] = True
        if self.error:
            line["error"] = self.error[:_ERROR_LOGGED]
        if self.braked is not None:
            line["braked"] = f"{self.braked.limit} {self.braked.stop}"
        if self.upstream_errors:
            line["upstream_errors"] = [str(failed) for failed in self.upstream_errors]
        if self.repairs:
            line["repairs"] = sorted({name for name, _ in self.repairs})
        if self.verdicts:
            line["safeguards"] = dict(Counter(self.verdicts))
        if self.judges is not None:
            line["judges"] = self.judges.request_id
        if self.mirrors is not None:
            line["mirrors"] = self.mirrors.request_id


@dataclass(frozen=True, slots=True)
class Compared:
    """A request and its copy for a candidate, both ended; ``copy`` is None where it was dropped.

    ``seconds`` are from request to end of the answer, of both; None for one that failed.
    """

    original: Record
    copy: Record | None
    result: MirrorResult
    seconds: tuple[float | None, float | None] = (None, None)
