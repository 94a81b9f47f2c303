"""Google's Gemini API: generateContent, its stream and countTokens, as strict as Google about what it refuses."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_gateway_scripted.answer import Answer, ToolCall, Usage, estimate, pieces
from claude_gateway_scripted.formats import Chunk, Failure, Format, Stamp, encode
from claude_gateway_scripted.prompt import InvalidRequestError, Prompt, Reader
from claude_gateway_scripted.script import Json

PATH: Final = re.compile(r"/v1(?:beta)?/models/([^/:]+):(generateContent|streamGenerateContent|countTokens)$")

_SCHEMA: Final = frozenset(
    (
        *("type", "format", "title", "description", "nullable", "enum", "anyOf", "default", "example", "pattern"),
        *("properties", "required", "propertyOrdering", "minProperties", "maxProperties"),
        *("items", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"),
    )
)
_TYPES: Final = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_SNAKE: Final = re.compile(r"_([a-z])")
_FINISH: Final = {"max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}
_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def read(body: Json) -> Prompt:
    """Read a request; its ``model`` and ``stream`` are from the path.

    Raises InvalidRequestError where Google answers 400.
    """
    contents = _camel(body.get("contents"))
    if not isinstance(contents, list) or not contents:
        raise InvalidRequestError("contents is not specified")
    tools = _tools(body)
    reader = Reader()
    _read_contents(contents, reader, signed=str(body["model"]).startswith("gemini-3"))
    settings = _camel(body.get("generationConfig") or {})
    calling = _camel(body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed = calling.get("allowedFunctionNames") or list(tools)
    return Prompt(
        model=str(body["model"]),
        stream=body.get("stream") is True,
        text=reader.text,
        results=tuple(reader.results),
        tools=tools,
        forced=next(iter(allowed), None) if calling.get("mode") == "ANY" else None,
        thinks=bool((settings.get("thinkingConfig") or {}).get("includeThoughts")),
        max_tokens=settings.get("maxOutputTokens"),
        stops=tuple(settings.get("stopSequences") or ()),
        schema=settings.get("responseSchema") or settings.get("responseJsonSchema"),
    )


def count(body: Json, *, size: int) -> Json:
    """Answer a countTokens request. Raises InvalidRequestError where Google answers 400."""
    whole = body.get("generateContentRequest") or body
    read({**whole, "model": body["model"]})
    return {"totalTokens": estimate(size), "promptTokensDetails": [{"modality": "TEXT", "tokenCount": estimate(size)}]}


def _tools(body: Json) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for tool in body.get("tools") or []:
        for function in tool.get("functionDeclarations") or tool.get("function_declarations") or []:
            name = str(function.get("name"))
            if not _NAME.fullmatch(name):
                raise InvalidRequestError(f"Invalid function name: {name}")
            parameters = function.get("parameters")
            if parameters is not None:
                _check_schema(parameters, name)
                if not parameters.get("properties"):
                    raise InvalidRequestError(f"{name}.parameters.properties: should be non-empty for OBJECT type")
            found[name] = _lower(parameters or {})
    return found


def _check_schema(schema: Any, at: str) -> None:
    """Refuse what Google's protocol buffers have no field for. Raises InvalidRequestError."""
    if not isinstance(schema, dict):
        raise InvalidRequestError(f"Invalid value at '{at}'")
    for key in schema.keys() - _SCHEMA:
        raise InvalidRequestError(
            f"Invalid JSON payload received. Unknown name \"{key}\" at '{at}': Cannot find field."
        )
    kind = schema.get("type")
    if kind is not None and str(kind).upper() not in _TYPES:
        raise InvalidRequestError(f"Invalid value at '{at}.type'")
    if "enum" in schema and (str(kind).upper() != "STRING" or not all(isinstance(one, str) for one in schema["enum"])):
        raise InvalidRequestError(f"{at}.enum: only allowed for STRING type")
    if str(kind).upper() == "STRING" and schema.get("format") not in (None, "enum", "date-time"):
        raise InvalidRequestError(f"{at}: only 'enum' and 'date-time' are supported for STRING type")
    if str(kind).upper() == "ARRAY" and "items" not in schema:
        raise InvalidRequestError(f"{at}.items: missing field.")
    for name in schema.get("required") or []:
        if name not in (schema.get("properties") or {}):
            raise InvalidRequestError(f"{at}.required: property is not defined: {name}")
    for name, inner in (schema.get("properties") or {}).items():
        _check_schema(inner, f"{at}.{name}")
    if "items" in schema:
        _check_schema(schema["items"], f"{at}.items")
    for inner in schema.get("anyOf") or []:
        _check_schema(inner, f"{at}.any_of")


def _lower(schema: Any) -> Any:
    """A schema with the names of its types as JSON Schema has them."""
    if isinstance(schema, list):
        return [_lower(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # A property may be called `type`, too.
    return {
        key: value.lower() if key == "type" and isinstance(value, str) else _lower(value)
        for key, value in schema.items()
    }


def _camel(value: Any) -> Any:
    """A value with its keys in camelCase: protocol buffers in JSON take snake_case as well."""
    if isinstance(value, list):
        return [_camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {_SNAKE.sub(lambda found: found[1].upper(), key): _camel(each) for key, each in value.items()}


def _read_contents(contents: list[Json], reader: Reader, *, signed: bool) -> None:
    waiting: list[str] = []
    spoken = max((at for at, turn in enumerate(contents) if _says(turn)), default=0)
    for at, content in enumerate(contents):
        parts = content.get("parts") or []
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if len(results) != len(waiting):
            raise InvalidRequestError(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        if calls and signed and at > spoken and not _signature(parts):
            raise InvalidRequestError("Function call is missing a thought_signature in functionCall parts.")
        waiting = [str(call.get("name")) for call in calls]
        for number, name in enumerate(waiting):
            reader.called(f"{name}/{number}")
        if content.get("role") != "model":
            texts = [str(part["text"]) for part in parts if "text" in part]
            reader.user_turn(texts, [_result(each, number) for number, each in enumerate(results)])


def _says(turn: Json) -> bool:
    return turn.get("role") != "model" and any("text" in part for part in turn.get("parts") or [])


def _signature(parts: list[Json]) -> bytes | None:
    """The signature of the first call of a turn, which is where Gemini puts it and wants it."""
    first = next(part for part in parts if "functionCall" in part)
    found = first.get("thoughtSignature")
    return None if found is None else base64.b64decode(found)


def _result(result: Mapping[str, Any], number: int) -> tuple[str, str]:
    response = result.get("response") or {}
    said = response.get("content", response.get("output", response))
    return f"{result.get('name')}/{number}", said if isinstance(said, str) else encode(said).decode()


def document(answer: Answer, stamp: Stamp) -> Json:
    """Return the answer as one response."""
    return _response(answer, stamp, parts=list(_parts(answer)), last=True)


def events(answer: Answer, _: Prompt, stamp: Stamp) -> Iterator[Chunk]:
    """Yield the answer as a stream; every call comes whole."""
    for part in _parts(answer):
        texts = pieces(part["text"]) if "text" in part else [None]
        for piece in texts:
            shown = part if piece is None else {**part, "text": piece}
            yield Chunk(_sse(_response(answer, stamp, parts=[shown], last=False)), content=True)
    yield Chunk(_sse(_response(answer, stamp, parts=[{"text": ""}], last=True)))


def _parts(answer: Answer) -> Iterator[Json]:
    if answer.thinking is not None:
        yield {"text": answer.thinking, "thought": True}
    if answer.text or not answer.tools:
        yield {"text": answer.text}
    for number, call in enumerate(answer.tools):
        yield _call(call, first=number == 0)


def _call(call: ToolCall, *, first: bool) -> Json:
    part: Json = {"functionCall": {"name": call.name, "args": call.input}}
    if first:
        part["thoughtSignature"] = base64.b64encode(f"scripted thought behind {call.id}".encode()).decode()
    return part


def _response(answer: Answer, stamp: Stamp, *, parts: list[Json], last: bool) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = _FINISH.get(answer.stop_reason, "STOP")
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(answer.usage),
        "modelVersion": answer.model,
        "responseId": stamp.id,
    }


def _usage(usage: Usage) -> Json:
    return {
        "promptTokenCount": usage.prompt,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.total,
    }


def failure(failed: Failure, _: Stamp) -> Json:
    """Return the error envelope."""
    status = failed.type or _STATUSES.get(failed.status, "UNKNOWN")
    return {"error": {"code": failed.status, "message": failed.message, "status": status}}


def midstream(failed: Failure, _: int) -> bytes:
    """Return the event that ends a stream which had begun well."""
    error = {"code": 503, "message": failed.message, "status": failed.type or "UNAVAILABLE"}
    return _sse({"error": error})


def headers(_: Stamp) -> dict[str, str]:
    """Return the headers that come with every answer."""
    return {"server-timing": "gfet4t7; dur=1"}


def _sse(data: Json) -> bytes:
    return b"data: " + encode(data) + b"\r\n\r\n"


GEMINI: Final = Format(
    read=read, document=document, events=events, failure=failure, midstream=midstream, headers=headers
)
