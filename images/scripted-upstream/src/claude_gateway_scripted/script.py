"""What the caller decides beforehand: the configuration, and steps that are used one per call."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal, Self

Json = dict[str, Any]
Midstream = Literal["error", "drop", "hang"]
Greeting = Literal["echo", "quickstart"]

_MIDSTREAM: Final = ("error", "drop", "hang")


class ScriptError(ValueError):
    """A step or a setting that is not understood; the message says which key."""


@dataclass(frozen=True, slots=True)
class Step:
    """One scripted answer.

    ``status`` other than 200 gives an error with ``error_type`` and ``error_message``. ``text``, ``thinking`` and
    ``tools`` (pairs of name and input) replace the answer, ``usage`` its token counts (keys of ``Usage``). Delays in
    seconds: ``delay`` before the headers, ``first_delay`` between headers and first byte, ``chunk_delay`` before each
    content chunk and before a break. ``midstream`` breaks the answer after ``midstream_after`` content chunks: an error
    event, a dropped connection or silence. ``raw`` are the pieces that the answer's body consists of, whatever the
    format would say; ``refuse`` drops the connection before any answer. ``match`` keeps the step for a request whose
    body contains it; ``times`` uses it repeatedly.
    """

    status: int = 200
    error_type: str | None = None
    error_message: str = "scripted failure"
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    thinking: str | None = None
    tools: tuple[tuple[str, Json], ...] | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    stop_reason: str | None = None
    delay: float = 0.0
    first_delay: float = 0.0
    chunk_delay: float | None = None
    midstream: Midstream | None = None
    midstream_after: int = 1
    raw: tuple[str, ...] | None = None
    refuse: bool = False
    match: str = ""
    times: int = 1

    @classmethod
    def parse(cls, data: Json) -> Self:
        """Read a step from JSON. Raises ScriptError for an unknown key or a wrong value."""
        _refuse_unknown(data, cls, "step")
        if data.get("midstream") not in (None, *_MIDSTREAM):
            raise ScriptError(f"midstream must be one of {', '.join(_MIDSTREAM)}")
        tools = data.get("tools")
        if tools is not None:
            try:
                tools = tuple((str(name), dict(arguments)) for name, arguments in tools)
            except (TypeError, ValueError):
                raise ScriptError("tools must be a list of [name, {input}]") from None
        raw = data.get("raw")
        if raw is not None and not (isinstance(raw, list | tuple) and all(isinstance(piece, str) for piece in raw)):
            raise ScriptError("raw must be a list of texts")
        return cls(**{**data, "tools": tools, "raw": None if raw is None else tuple(raw)})


@dataclass(frozen=True, slots=True)
class Config:
    """Settings for all calls.

    ``count_tokens`` and ``models`` are the statuses of those endpoints, ``headers`` are added to every reply,
    ``keys`` are the only credentials that are accepted (None: any or none), ``safeguards`` is the verdict on every
    tool call of a request that asks for one (None: the field is ignored), ``chunk_delay`` is in seconds. Asked to judge
    tool calls, it finds those ``dangerous`` that contain this text (None: it echoes, which is not a verdict). With
    ``plain_words`` above 0 each call is answered from bytes encoded beforehand, that many words long: nothing is
    parsed, scripted or recorded, for use under load. ``aws_keys`` (secret by access key id) are the only ones that
    may sign requests to Bedrock (None: anything goes); ``google_token`` is what a service account gets at ``/token``.
    """

    count_tokens: int = 200
    models: int = 200
    model_ids: tuple[str, ...] = ("claude-sonnet-5-5", "gpt-5")
    chunk_delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] | None = field(default=None, repr=False)
    safeguards: Literal["flagged", "not_flagged"] | None = None
    greeting: Greeting = "echo"
    plain_words: int = 0
    dangerous: str | None = None
    aws_keys: Mapping[str, str] | None = field(default=None, repr=False)
    google_token: str = field(default="ya29.scripted", repr=False)

    def with_changes(self, data: Json) -> "Config":
        """Return the settings with some of them changed. Raises ScriptError for an unknown one."""
        _refuse_unknown(data, type(self), "setting")
        changes: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return replace(self, **changes)


class Script:
    """The queue of steps; each call takes the first one that matches it."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def __len__(self) -> int:
        return sum(step.times for step in self._steps)

    def replace(self, steps: list[Step]) -> None:
        """Forget what is queued and queue these."""
        self._steps = list(steps)

    def extend(self, steps: list[Step]) -> None:
        """Queue these behind the others."""
        self._steps.extend(steps)

    def take(self, body: bytes) -> Step:
        """Take the step for a request body; the default step when none is meant for it."""
        for position, step in enumerate(self._steps):
            if step.match.encode() in body:
                if step.times > 1:
                    self._steps[position] = replace(step, times=step.times - 1)
                else:
                    del self._steps[position]
                return step
        return Step()


def _refuse_unknown(data: Json, known: type[Step] | type[Config], what: str) -> None:
    unknown = sorted(data.keys() - {field.name for field in fields(known)})
    if unknown:
        raise ScriptError(f"unknown {what} key: {', '.join(unknown)}")
