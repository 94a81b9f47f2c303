"""The client formats: one frozen row per format, for the gateway and for the LiteLLM worker.

A new format is one more ``Format`` and one row here, and a codec if targets of another wire should answer it. Facts
about a format that only one package needs stay in that package, as a table with an entry for every format.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import msgspec

from claude_gateway.contract.target import CLAUDE_WIRES, Format, Wire
from claude_gateway_runtime.envelope import Envelope
from claude_gateway_runtime.failure import Failure


@dataclass(frozen=True, slots=True)
class Events:
    """What the gateway itself may write into a stream: a ping, and an error as its last event."""

    ping: bytes
    error: Callable[[Failure, str | None], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One format as a row.

    ``path`` is the endpoint below ``/v1``, on ``wire``; ``wires`` are all wires that have the operation, with paths of
    their own in clouds. ``output_limits`` are the names of the body's fields with the most output tokens, empty where
    nothing is generated. ``otel_name`` is OpenTelemetry's ``gen_ai.operation.name``.
    """

    format: Format
    path: str
    wire: Wire
    wires: frozenset[Wire]
    envelope: Envelope
    events: Events
    otel_name: str
    output_limits: tuple[str, ...] = ()

    @property
    def generates(self) -> bool:
        """Whether a model writes an answer of a length that a request can limit."""
        return bool(self.output_limits)

    def error_body(self, failure: Failure, *, request_id: str | None = None) -> bytes:
        """The JSON body of a failure in the format's own envelope."""
        return failure.body(self.envelope, request_id=request_id)

    def error_event(self, failure: Failure, *, request_id: str | None = None) -> bytes:
        """A failure as the last event of a stream."""
        return self.events.error(failure, request_id)


def _anthropic_event(failure: Failure, request_id: str | None) -> bytes:
    return b"event: error\ndata: " + failure.body(Envelope.ANTHROPIC, request_id=request_id) + b"\n\n"


def _openai_event(failure: Failure, _: str | None) -> bytes:
    return b"data: " + failure.body(Envelope.OPENAI) + b"\n\n"


def _responses_event(failure: Failure, _: str | None) -> bytes:
    """An error of the Responses API, without its sequence number, which is not tracked here."""
    body = {"type": "error", "code": failure.code or failure.type, "message": failure.message, "param": None}
    return b"event: error\ndata: " + msgspec.json.encode(body) + b"\n\n"


# Anthropic sends pings and documents that there may be any number of them. OpenAI's formats have no such event, but
# every client ignores a comment.
_ANTHROPIC: Final = Events(ping=b'event: ping\ndata: {"type": "ping"}\n\n', error=_anthropic_event)
_OPENAI: Final = Events(ping=b": ping\n\n", error=_openai_event)
_RESPONSES: Final = Events(ping=b": ping\n\n", error=_responses_event)
_OPENAI_WIRES: Final = frozenset({Wire.OPENAI})

_ROWS: Final = (
    Operation(
        format=Format.MESSAGES,
        path="/messages",
        wire=Wire.ANTHROPIC,
        wires=CLAUDE_WIRES,
        envelope=Envelope.ANTHROPIC,
        events=_ANTHROPIC,
        otel_name="chat",
        output_limits=("max_tokens",),
    ),
    Operation(
        format=Format.COUNT_TOKENS,
        path="/messages/count_tokens",
        wire=Wire.ANTHROPIC,
        wires=CLAUDE_WIRES,
        envelope=Envelope.ANTHROPIC,
        events=_OPENAI,  # never streamed
        otel_name="count_tokens",
    ),
    Operation(
        format=Format.CHAT,
        path="/chat/completions",
        wire=Wire.OPENAI,
        wires=_OPENAI_WIRES,
        envelope=Envelope.OPENAI,
        events=_OPENAI,
        otel_name="chat",
        output_limits=("max_tokens", "max_completion_tokens"),
    ),
    Operation(
        format=Format.COMPLETIONS,
        path="/completions",
        wire=Wire.OPENAI,
        wires=_OPENAI_WIRES,
        envelope=Envelope.OPENAI,
        events=_OPENAI,
        otel_name="text_completion",
        output_limits=("max_tokens",),
    ),
    Operation(
        format=Format.RESPONSES,
        path="/responses",
        wire=Wire.OPENAI,
        wires=_OPENAI_WIRES,
        envelope=Envelope.OPENAI,
        events=_RESPONSES,
        otel_name="chat",
        output_limits=("max_output_tokens",),
    ),
    Operation(
        format=Format.EMBEDDINGS,
        path="/embeddings",
        wire=Wire.OPENAI,
        wires=_OPENAI_WIRES,
        envelope=Envelope.OPENAI,
        events=_OPENAI,
        otel_name="embeddings",
    ),
)

OPERATIONS: Final[Mapping[Format, Operation]] = MappingProxyType({each.format: each for each in _ROWS})
"""Every format's row."""

OUTPUT_LIMITS: Final = tuple(dict.fromkeys(name for each in _ROWS for name in each.output_limits))
"""The names that the formats have for the most output tokens."""
