"""What a check is: one requirement, where it comes from, what it needs, and how it ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from claude_gateway.conformance.bench import Bench


class Source(StrEnum):
    """Where a requirement comes from."""

    PROTOCOL = "Anthropic: LLM gateway protocol"
    MEASURED = "Claude Code 2.1.328, measured"
    API = "Anthropic: API reference"
    OPENAI = "OpenAI: API reference"
    AWS = "AWS: Bedrock Runtime API reference"
    PROJECT = "Claude Gateway: goals"


class Need(StrEnum):
    """What a check cannot do without; the value is the word for ``--without``."""

    UPSTREAM = "upstream"
    OTHER = "other-model"
    GEMINI = "gemini-model"
    RESPONSES_MODEL = "responses-model"
    BEDROCK = "bedrock"
    SIGV4 = "sigv4"
    BEDROCK_TARGET = "bedrock-model"
    VERTEX = "vertex"
    BRIDGE = "bridge"
    VERTEX_TARGET = "vertex-model"
    FORWARDING = "forward-model"
    JUDGE = "judged-model"
    ESTIMATES = "estimate-model"
    DENIED = "denied-model"
    UNKNOWN = "unknown-model"
    KEYS = "unknown-key"
    DISCOVERY = "discovery"
    CHAT = "chat"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"


NEEDS: Final[Mapping[Need, str]] = {
    Need.UPSTREAM: "the scripted model behind the gateway, with its control face at --upstream",
    Need.OTHER: "a model that is no Claude, behind an OpenAI-compatible server",
    Need.GEMINI: "a model behind Gemini's API",
    Need.RESPONSES_MODEL: "a model that only speaks OpenAI's Responses",
    Need.BEDROCK: "Bedrock's paths for clients",
    Need.SIGV4: "clients that sign with SigV4",
    Need.BEDROCK_TARGET: "a Claude model on Bedrock as target",
    Need.VERTEX: "Vertex's paths for clients",
    Need.VERTEX_TARGET: "a Claude model on Vertex as target",
    Need.BRIDGE: "models elsewhere than in that cloud for clients in a cloud's mode",
    Need.FORWARDING: "a route that sends on the client's own login",
    Need.JUDGE: "a judge of tool calls for a model that is no Claude",
    Need.ESTIMATES: "a route that may estimate token counts",
    Need.DENIED: "a model that exists and that the key may not use",
    Need.UNKNOWN: "model names that nothing serves (some send every unknown name to a default)",
    Need.KEYS: "keys that are told apart (some need a database for that)",
    Need.DISCOVERY: "a list of models",
    Need.CHAT: "OpenAI's Chat Completions for clients",
    Need.RESPONSES: "OpenAI's Responses for clients",
    Need.EMBEDDINGS: "OpenAI's Embeddings for clients",
}


class Verdict(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"


class Failed(Exception):  # noqa: N818 - a verdict, raised from within a check
    """The requirement is not met; the message is the evidence."""


class NotApplicable(Exception):  # noqa: N818
    """The gateway does not claim the thing, or it cannot be seen here; the message says which."""


Run = Callable[["Bench"], str]


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement. ``run`` gives the evidence that it is met, or raises Failed or NotApplicable."""

    id: str
    requirement: str
    source: Source
    needs: frozenset[Need]
    run: Run

    @property
    def area(self) -> str:
        """The first part of the id."""
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Result:
    """How one check ended, with evidence: what was sent and what came, shortened, without keys."""

    check: Check
    verdict: Verdict
    evidence: str


def check(id_: str, requirement: str, *needs: Need, source: Source = Source.PROTOCOL) -> Callable[[Run], Check]:
    """Make a check of a function."""
    return lambda run: Check(id=id_, requirement=requirement, source=source, needs=frozenset(needs), run=run)


def expect(condition: object, evidence: str) -> None:
    """Raise Failed with the evidence unless the condition holds."""
    if not condition:
        raise Failed(evidence)


def shorten(value: object, limit: int = 300) -> str:
    """Give a value as evidence: one line, its middle left out if it is long."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit // 2]} … {line[-limit // 3 :]}"
