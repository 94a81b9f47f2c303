"""Claude on Bedrock and on Vertex: Messages in other frames, as AWS and Google document them.

Both have the model in the path and refuse it in the body, and each wants its own ``anthropic_version``. Bedrock takes
betas in the body, frames its streams (see ``eventstream``) and says errors in its own words.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote

from claude_gateway_scripted import anthropic
from claude_gateway_scripted.answer import Answer
from claude_gateway_scripted.eventstream import frame
from claude_gateway_scripted.formats import Chunk, Failure, Format, Stamp, encode
from claude_gateway_scripted.prompt import InvalidRequestError, Prompt
from claude_gateway_scripted.script import Json

_BEDROCK: Final = re.compile(r"/model/([^/]+)/(invoke|invoke-with-response-stream|count-tokens)$")
_VERTEX: Final = re.compile(
    r"/v1/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/([^/]+):(rawPredict|streamRawPredict)$"
)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
"""A version of Anthropic's own API, which Anthropic's Python SDK sends to both clouds."""

_REFUSED_BETAS: Final = frozenset({"claude-code-20250219", "oauth-2025-04-20", "advanced-tool-use-2025-11-20"})
"""Betas that Bedrock does not know."""

_AWS_TYPES: Final = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_EXCEPTIONS: Final = {
    "overloaded_error": "serviceUnavailableException",
    "rate_limit_error": "throttlingException",
    "api_error": "modelStreamErrorException",
    "invalid_request_error": "validationException",
}
_METRICS: Final = {"firstByteLatency": 312, "invocationLatency": 845}
_PADDING: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Called:
    """What a path of a cloud asks for; ``messages`` turns the body into that of a Messages request."""

    shape: Format
    counts: bool
    messages: Callable[[Json], Json]


def called(raw_path: str) -> Called | None:
    """Read a path as it was sent; None for one of another vendor."""
    if match := _BEDROCK.search(raw_path):
        model, verb = unquote(match[1]), match[2]
        if verb == "count-tokens":
            return Called(BEDROCK, counts=True, messages=lambda body: _bedrock(_counted(body), model, stream=False))
        stream = verb == "invoke-with-response-stream"
        return Called(BEDROCK, counts=False, messages=lambda body: _bedrock(body, model, stream=stream))
    if match := _VERTEX.search(raw_path):
        model = unquote(match[1])
        if model == "count-tokens":
            return Called(VERTEX, counts=True, messages=lambda body: _vertex(body, None))
        return Called(VERTEX, counts=False, messages=lambda body: _vertex(body, model))
    return None


def count(called: Called, body: Json) -> Json:
    """Answer a count of tokens in the cloud's own format. Raises InvalidRequestError."""
    messages = called.messages(body)
    found = anthropic.count(messages, size=len(encode(messages)))
    return {"inputTokens": found["input_tokens"]} if called.shape is BEDROCK else found


def _bedrock(body: Json, model: str, *, stream: bool) -> Json:
    _frame_of(body, version="bedrock-2023-05-31", absent=("model", "stream"))
    betas = body.get("anthropic_beta", [])
    if not isinstance(betas, list) or _REFUSED_BETAS & set(betas):
        raise InvalidRequestError("invalid beta flag")
    if not isinstance(body.get("max_tokens"), int):
        raise InvalidRequestError("max_tokens: Field required")
    return {**body, "model": model, "stream": stream}


def _vertex(body: Json, model: str | None) -> Json:
    _frame_of(body, version="vertex-2023-10-16", absent=("anthropic_beta", *(("model",) if model else ())))
    return {**body, "model": model or body.get("model")}


def _frame_of(body: Json, *, version: str, absent: tuple[str, ...]) -> None:
    found = body.get("anthropic_version")
    if found != version and not (isinstance(found, str) and _DATE.fullmatch(found)):
        raise InvalidRequestError(f"anthropic_version: Input should be '{version}'")
    for key in absent:
        if key in body:
            raise InvalidRequestError(f"{key}: Extra inputs are not permitted")


def _counted(body: Json) -> Json:
    try:
        inner = json.loads(base64.b64decode(body["input"]["invokeModel"]["body"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise InvalidRequestError("input.invokeModel.body: a request body as base64 is expected") from None
    if not isinstance(inner, dict):
        raise InvalidRequestError("Malformed input request")
    return inner


def _frames(answer: Answer, prompt: Prompt, stamp: Stamp) -> Iterator[Chunk]:
    """Each event in a frame, padded as AWS does against guesses by length; the last one has AWS's own metrics."""
    for number, chunk in enumerate(anthropic.events(answer, prompt, stamp)):
        event = json.loads(chunk.data.partition(b"data: ")[2])
        if event["type"] == "ping":
            continue  # AWS sends none
        if event["type"] == "message_stop":
            counts = {"inputTokenCount": answer.usage.input, "outputTokenCount": answer.usage.output}
            event["amazon-bedrock-invocationMetrics"] = {**counts, **_METRICS}
        payload = {"bytes": base64.b64encode(encode(event)).decode(), "p": _PADDING[: number % 26 + 1]}
        headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
        yield Chunk(frame(headers, encode(payload)), content=chunk.content)


def _exception(failed: Failure, _: int) -> bytes:
    headers = {
        ":exception-type": _EXCEPTIONS.get(failed.type or "overloaded_error", "internalServerException"),
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, encode({"message": failed.message}))


def _aws_headers(failed: Failure) -> dict[str, str]:
    return {"x-amzn-errortype": _AWS_TYPES.get(failed.status, "InternalServerException")}


BEDROCK: Final = Format(
    read=anthropic.read,
    document=anthropic.document,
    events=_frames,
    failure=lambda failed, _: {"message": failed.message},
    midstream=_exception,
    headers=lambda stamp: {"x-amzn-requestid": stamp.id},
    failure_headers=_aws_headers,
    stream_headers={
        "content-type": "application/vnd.amazon.eventstream",
        "x-amzn-bedrock-content-type": "application/json",
    },
)
VERTEX: Final = replace(anthropic.MESSAGES, headers=lambda stamp: {"request-id": f"req_vrtx_{stamp.id}"})
