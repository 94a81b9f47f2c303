"""From one Claude wire to another: the values that move between a body, its path and its headers.

The body is spliced, never serialized again: model and stream are in the path at Bedrock and Vertex, betas in the body
at Bedrock, and each cloud requires its own ``anthropic_version``.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.body.document import Body, parse, splice
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.errors import bad_request
from claude_gateway_proxy.gateway.wire import betas
from claude_gateway_proxy.gateway.wire.beta_fields import without_fields_of
from claude_gateway_proxy.gateway.wire.paths import ModelPath

Changes = dict[str, bytes | None]

_VERSION: Final = "anthropic_version"
_VERSION_HEADER: Final = b"anthropic-version"
_VERSION_DEFAULT: Final = b"2023-06-01"
_DATE: Final = re.compile(rb"\d{4}-\d{2}-\d{2}")
VERSIONS: Final = {Wire.BEDROCK: b'"bedrock-2023-05-31"', Wire.VERTEX: b'"vertex-2023-10-16"'}
_OF_CLOUDS: Final = (b"x-amz", b"amz-sdk", b"x-goog")
"""Headers that only the client's own cloud understands."""

_COUNTED: Final = b'{"input":{"invokeModel":{"body":"%s"}}}'


class _Model(msgspec.Struct):
    body: bytes


class _Input(msgspec.Struct):
    invokeModel: _Model  # noqa: N815 - AWS's name


class _Counted(msgspec.Struct):
    input: _Input


_COUNT: Final = msgspec.json.Decoder(_Counted)


@dataclass(frozen=True, slots=True)
class Reframed:
    """What differs in the frame of another wire: top-level ``changes`` of the body, and the client's headers."""

    changes: Changes
    headers: Sequence[tuple[bytes, bytes]]


def read_body(raw: bytes, path: ModelPath) -> Body:
    """The body of a request as Messages; a count of tokens at Bedrock has it within another object, as base64.

    Raises Failure (400) if it does not follow the format.
    """
    if path.wire is Wire.BEDROCK and path.format is Format.COUNT_TOKENS:
        try:
            raw = _COUNT.decode(raw).input.invokeModel.body
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error):
            raise bad_request("input.invokeModel.body: must be a request body as base64") from None
    body = parse(raw, model=path.model, stream=path.stream)
    if path.wire is Wire.OPENAI and path.model is not None:
        # All later steps read the model where OpenAI's own clients write it.
        return parse(splice(body, {"model": model_text(path.model)}))
    return body


def reframed(
    facts: Facts,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    to: Wire,
    format: Format,
    model: str,
) -> Reframed:
    """Return the changes for the wire ``to``, on which ``model`` is the name of the target's model."""
    body = facts.body
    sent = betas.listed(headers, body.value(betas.FIELD))
    found = betas.known_to(to, sent)
    kept = [(name, value) for name, value in headers if name != betas.HEADER and not name.startswith(_OF_CLOUDS)]
    counts = format is Format.COUNT_TOKENS
    changes: Changes = {"model": model_text(model) if to is Wire.ANTHROPIC or counts else None}
    version = _own_version(body, headers)
    changes[_VERSION] = VERSIONS.get(to) if version is None or to is Wire.ANTHROPIC else b'"%s"' % version
    if to is Wire.ANTHROPIC and version is not None:
        kept = [header for header in kept if header[0] != _VERSION_HEADER] + [(_VERSION_HEADER, version)]
    changes[betas.FIELD] = None
    changes |= without_fields_of(betas.refused_by(to, sent), body)
    if to is Wire.BEDROCK:
        changes |= {"model": None, "stream": None, betas.FIELD: msgspec.json.encode(found) if found else None}
        if counts and "max_tokens" not in body.members:
            changes["max_tokens"] = b"%d" % _room(facts)
        return Reframed(_needed(changes, body), kept)
    if body.stream and body.value("stream") != b"true":
        changes["stream"] = b"true"
    if found:
        kept.append((betas.HEADER, ",".join(found).encode("latin-1")))
    return Reframed(_needed(changes, body), kept)


def _own_version(body: Body, headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
    """Return the version of Anthropic's own API that a client requests, if it is not the first one.

    Clients of a cloud say that cloud's version in the body, or like Anthropic's SDKs one of Anthropic's own.
    """
    text = (body.value(_VERSION) or b"").strip(b'"')
    found = text if _DATE.fullmatch(text) else dict(headers).get(_VERSION_HEADER, b"")
    return found if _DATE.fullmatch(found) and found != _VERSION_DEFAULT else None


def as_messages(body: Body) -> Changes:
    """Return the changes that turn the body of a cloud's request into plain Messages, except for the model's name."""
    changes: Changes = {"model": model_text(body.model), _VERSION: None, betas.FIELD: None}
    if body.stream and body.value("stream") != b"true":
        changes["stream"] = b"true"
    return _needed(changes, body)


def model_text(model: str) -> bytes:
    """Return a model's name as JSON."""
    return msgspec.json.encode(model)


def counted(body: bytes) -> bytes:
    """Return a body in the wrapper of a token count at Bedrock."""
    return _COUNTED % base64.b64encode(body)


def _needed(changes: Changes, body: Body) -> Changes:
    """Return the changes without removals of absent keys."""
    return {key: text for key, text in changes.items() if text is not None or key in body.members}


def _room(facts: Facts) -> int:
    """An output limit for a count: Bedrock checks the body as if it were to be answered, thinking included."""
    return (facts.thinking.budget or 0) + 1
