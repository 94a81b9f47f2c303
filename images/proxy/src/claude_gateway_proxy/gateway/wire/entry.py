"""What a request's path says: the wire that its client speaks, the format it asks for, and on clouds the model."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from claude_gateway.contract.policy import Format, Wire

_PREFIXES: Final = ("", "/anthropic", "/bedrock", "/vertex")
# A base URL that already ends in /v1 gives /v1/v1: people do that, and it is clear what they mean.
_VERSIONS: Final = ("/v1", "/v1/v1", "")
_PATHS: Final = {
    "/messages": (Wire.ANTHROPIC, Format.MESSAGES),
    "/messages/count_tokens": (Wire.ANTHROPIC, Format.COUNT_TOKENS),
    "/chat/completions": (Wire.OPENAI, Format.CHAT),
    "/completions": (Wire.OPENAI, Format.COMPLETIONS),
    "/responses": (Wire.OPENAI, Format.RESPONSES),
    "/embeddings": (Wire.OPENAI, Format.EMBEDDINGS),
}
_BASE: Final = rb"(?:/anthropic|/bedrock|/vertex)?(?:/v1(?:beta1)?){0,2}"
_BEDROCK: Final = re.compile(_BASE + rb"/model/(.{1,2048})/(invoke|invoke-with-response-stream|count-tokens)")
_VERTEX: Final = re.compile(
    _BASE + rb"/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/([^/]{1,2048}?)"
    rb"(?::|%3[Aa])(rawPredict|streamRawPredict)"
)
_PROFILES: Final = re.compile(_BASE + rb"/inference-profiles(?:/(.{1,2048}))?/?")
_PREFIX: Final = re.compile(r"/(?:anthropic|bedrock|vertex)(?=/|$)")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a model request came in. ``model`` and ``stream`` are what the path says of them, if it does."""

    wire: Wire
    format: Format
    model: str | None = None
    stream: bool = False


_FIXED: Final = {
    f"{prefix}{version}{path}": Entry(wire, format_)
    for path, (wire, format_) in _PATHS.items()
    for prefix in _PREFIXES
    for version in _VERSIONS
}


def entry(path: str, raw_path: bytes) -> Entry | None:
    """The model request that a path stands for; None for every other path.

    ``raw_path`` is as it was sent: an ARN has slashes of its own there, as ``%2F``.
    """
    return _FIXED.get(path) or _cloud(raw_path)


def profile(raw_path: bytes) -> str | None:
    """The id of the inference profile that is asked for, empty for the list of them; None for every other path."""
    match = _PROFILES.fullmatch(raw_path)
    return None if match is None else _text(match[1] or b"")


def plain_path(path: str) -> str:
    """A path without the prefix that says which mode its client is in."""
    return (_PREFIX.sub("", path, count=1) or "/") if _PREFIX.match(path) else path


def _cloud(raw_path: bytes) -> Entry | None:
    if match := _BEDROCK.fullmatch(raw_path):
        model, verb = _text(match[1]), match[2]
        format_ = Format.COUNT_TOKENS if verb == b"count-tokens" else Format.MESSAGES
        return Entry(Wire.BEDROCK, format_, model=model, stream=verb == b"invoke-with-response-stream")
    if match := _VERTEX.fullmatch(raw_path):
        if match[1] == b"count-tokens":
            return Entry(Wire.VERTEX, Format.COUNT_TOKENS)
        return Entry(Wire.VERTEX, Format.MESSAGES, model=_text(match[1]), stream=match[2] == b"streamRawPredict")
    return None


def _text(segment: bytes) -> str:
    return unquote_to_bytes(segment).decode("utf-8", "replace")
