"""Parses a request's path: the client's wire, the format of the request, and for clouds and Azure the model."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.operations import OPERATIONS

_PREFIXES: Final = ("", "/anthropic", "/bedrock", "/vertex", "/openai")
# A base URL that already ends in /v1 leads to /v1/v1: this is a common mistake, and the meaning is clear.
_VERSIONS: Final = ("/v1", "/v1/v1", "")
_BASE: Final = rb"(?:/anthropic|/bedrock|/vertex)?(?:/v1(?:beta1)?){0,2}"
_BEDROCK: Final = re.compile(_BASE + rb"/model/(.{1,2048})/(invoke|invoke-with-response-stream|count-tokens)")
_VERTEX: Final = re.compile(
    _BASE + rb"/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/([^/]{1,2048}?)"
    rb"(?::|%3[Aa])(rawPredict|streamRawPredict)"
)
_PROFILES: Final = re.compile(_BASE + rb"/inference-profiles(?:/(.{1,2048}+))?/?")
_PREFIX: Final = re.compile(r"/(?:anthropic|bedrock|vertex|openai)(?=/|$)")
_BATCHES: Final = re.compile(rb"(?:/anthropic)?(?:/v1){0,2}/messages/batches(?:/([^/]{1,2048}+)(/results|/cancel)?)?/?")
_AZURE: Final = re.compile(rb"(?:/openai)?/deployments/([^/]{1,2048})(/[a-z/]{1,64}?)/?")


@dataclass(frozen=True, slots=True)
class ModelPath:
    """The path of a model request. ``model`` and ``stream`` are set if the path names them."""

    wire: Wire
    format: Format
    model: str | None = None
    stream: bool = False


@dataclass(frozen=True, slots=True)
class BatchPath:
    """The path of a request about batches: all of them, one by its ``ident``, or a path ``below`` it."""

    ident: str = ""
    below: str = ""


COMPACT: Final = "/compact"
"""The suffix of the path of Responses in a request to compact a conversation."""

_ASKED: Final = {
    **{each.path: ModelPath(each.wire, each.format) for each in OPERATIONS.values()},
    f"{OPERATIONS[Format.RESPONSES].path}{COMPACT}": ModelPath(Wire.OPENAI, Format.RESPONSES),
}
_FIXED: Final = {
    f"{prefix}{version}{end}": found for end, found in _ASKED.items() for prefix in _PREFIXES for version in _VERSIONS
}
_DEPLOYED: Final = {each.path.encode(): each.format for each in OPERATIONS.values() if each.wire is Wire.OPENAI}
"""The formats of requests to an Azure deployment, by the end of the path."""


def model_path(path: str, raw_path: bytes) -> ModelPath | None:
    """Parse the path of a model request; None for every other path.

    ``raw_path`` is as it was sent: an ARN has slashes of its own there, as ``%2F``.
    """
    return _FIXED.get(path) or _FIXED.get(path.removesuffix("/")) or _azure(raw_path) or _cloud(raw_path)


def batch_path(raw_path: bytes) -> BatchPath | None:
    """Parse the path of a request about batches; None for every other path."""
    match = _BATCHES.fullmatch(raw_path)
    return None if match is None else BatchPath(_text(match[1] or b""), (match[2] or b"").decode())


def profile(raw_path: bytes) -> str | None:
    """Return the id of the requested inference profile, empty for the list of them; None for every other path."""
    match = _PROFILES.fullmatch(raw_path)
    return None if match is None else _text(match[1] or b"")


def plain_path(path: str) -> str:
    """A path without the prefix that says which mode its client is in."""
    return (_PREFIX.sub("", path, count=1) or "/") if _PREFIX.match(path) else path


def _azure(raw_path: bytes) -> ModelPath | None:
    """A deployment of Azure OpenAI, whose name is the model's; the version of the API is in the query."""
    match = _AZURE.fullmatch(raw_path)
    format = None if match is None else _DEPLOYED.get(match[2])
    return None if match is None or format is None else ModelPath(Wire.OPENAI, format, model=_text(match[1]))


def _cloud(raw_path: bytes) -> ModelPath | None:
    if match := _BEDROCK.fullmatch(raw_path):
        model, verb = _text(match[1]), match[2]
        format_ = Format.COUNT_TOKENS if verb == b"count-tokens" else Format.MESSAGES
        return ModelPath(Wire.BEDROCK, format_, model=model, stream=verb == b"invoke-with-response-stream")
    if match := _VERTEX.fullmatch(raw_path):
        if match[1] == b"count-tokens":
            return ModelPath(Wire.VERTEX, Format.COUNT_TOKENS)
        return ModelPath(Wire.VERTEX, Format.MESSAGES, model=_text(match[1]), stream=match[2] == b"streamRawPredict")
    return None


def _text(segment: bytes) -> str:
    return unquote_to_bytes(segment).decode("utf-8", "replace")
