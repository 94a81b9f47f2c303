"""Messages to Gemini, whose API is not OpenAI's: schemas, thoughts and their signatures, images, counts, failures."""

import base64
import json
from typing import Any

import pytest
from tests.support.processes.worker import KEY, Worker, bundle, deployment, events

from claude_gateway_scripted.journal import digest
from claude_gateway_scripted.local import Scripted

MODELS = ("gemini-3-pro-preview", "gemini-2.5-pro")
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LONG = "mcp__a-server-with-a-long-name__a.tool with a name of more than sixty-four characters"
SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "required": ["city"],
    "properties": {
        "city": {"type": "string", "format": "uri", "minLength": 1},
        "unit": {"anyOf": [{"const": "c"}, {"const": "f"}, {"type": "null"}]},
        "days": {"type": ["integer", "null"], "enum": [1, 2, None], "exclusiveMinimum": 0},
        "tree": {"$ref": "#/$defs/Tree"},
        "one": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {}, "additionalProperties": {}}]},
        "anything": {},
    },
    "$defs": {"Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}, "list": {"type": "array"}}}},
}
TOOLS: list[dict[str, Any]] = [
    {"name": "get_weather", "input_schema": SCHEMA},
    {"name": LONG, "input_schema": {"type": "object", "properties": {}}},
]
BODY: dict[str, Any] = {"max_tokens": 500, "messages": HELLO, "tools": TOOLS, "thinking": {"type": "adaptive"}}


@pytest.fixture(autouse=True)
def targets(worker: Worker, upstream: Scripted) -> None:
    """The worker with Gemini's models, at an address as Google's is written."""
    worker.apply(bundle(*(deployment(model, f"gemini/{model}", api_base=f"{upstream.url}/v1beta") for model in MODELS)))


def content(found: list[tuple[str | None, Any]]) -> list[dict[str, Any]]:
    """The blocks that a stream makes up."""
    blocks: list[dict[str, Any]] = []
    for name, data in found:
        if name == "content_block_start":
            blocks.append(data["content_block"])
        elif name == "content_block_delta":
            delta = data["delta"]
            if delta["type"] == "input_json_delta":
                blocks[-1]["input"] = json.loads(delta["partial_json"])
            else:
                part = delta["type"].removesuffix("_delta")
                blocks[-1][part] += delta[part]
    return blocks


def sent(upstream: Scripted, kind: str) -> list[Any]:
    """The parts of one kind in the newest request, in their order."""
    return [part for turn in upstream.last.json["contents"] for part in turn["parts"] if kind in part]


@pytest.mark.parametrize("model", MODELS)
def test_a_conversation_with_tools_thoughts_and_images(worker: Worker, upstream: Scripted, model: str) -> None:
    calls = [["get_weather", {"city": "Paris"}], ["get_weather", {"city": "Rome"}]]
    upstream.script({"text": "let me look", "thinking": "hm", "tools": calls})
    answer = worker.post("/v1/messages", model, {**BODY, "output_config": {"effort": "high"}, "stream": True})
    thought, text, *called = content(events(answer.text))
    assert (thought["type"], thought["thinking"]) == ("thinking", "hm")
    assert text["text"] == "let me look"
    assert [(call["name"], call["input"]) for call in called] == [tuple(call) for call in calls]
    assert events(answer.text)[-2][1]["delta"]["stop_reason"] == "tool_use"
    assert events(answer.text)[-2][1]["usage"]["cache_read_input_tokens"] == 3
    assert upstream.last.path == f"/v1beta/models/{model}:streamGenerateContent"
    assert upstream.last.credential == digest(KEY)
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    results = [
        {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": "sunny"}, image]}
        for call in called
    ]
    history = [{"role": "assistant", "content": [thought, text, *called]}, {"role": "user", "content": results}]
    answer = worker.post("/v1/messages", model, {**BODY, "messages": [*HELLO, *history]})
    assert answer.status_code == 200, answer.text
    first, second = sent(upstream, "function_call")
    assert first["function_call"]["args"] == {"city": "Paris"}
    assert base64.b64decode(first["thoughtSignature"]).startswith(b"scripted thought behind ")
    assert "thoughtSignature" not in second
    assert [part["function_response"]["name"] for part in sent(upstream, "function_response")] == ["get_weather"] * 2
    assert [part["inline_data"]["data"] for part in sent(upstream, "inline_data")] == [PIXEL] * 2


def test_schemas_say_what_gemini_can_read(worker: Worker, upstream: Scripted) -> None:
    worker.post("/v1/messages", MODELS[0], BODY).raise_for_status()
    weather, other = upstream.last.json["tools"][0]["function_declarations"]
    properties = weather["parameters"]["properties"]
    assert weather["parameters"]["required"] == ["city"]
    assert properties["city"] == {"type": "string", "minLength": 1}
    assert [option["enum"] for option in properties["unit"]["anyOf"]] == [["c"], ["f"]]
    assert (properties["days"]["type"], properties["days"]["nullable"]) == ("integer", True)
    assert properties["tree"]["properties"]["left"] == {"type": "object"}
    assert properties["tree"]["properties"]["list"]["items"] == {"type": "string"}
    assert "parameters" not in other


def test_a_long_name_comes_back_as_it_was(worker: Worker, upstream: Scripted) -> None:
    body = {**BODY, "tool_choice": {"type": "tool", "name": LONG}}
    (call,) = worker.post("/v1/messages", MODELS[0], body).json()["content"]
    assert (call["type"], call["name"]) == ("tool_use", LONG)
    (allowed,) = upstream.last.json["toolConfig"]["functionCallingConfig"]["allowed_function_names"]
    assert len(allowed) <= 64


def test_a_call_without_its_signature_is_still_taken(worker: Worker) -> None:
    call = {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Paris"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_01", "content": "sunny"}
    history = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    answer = worker.post("/v1/messages", MODELS[0], {**BODY, "messages": [*HELLO, *history]})
    assert answer.status_code == 200, "a conversation that began with another model must go on"


def test_a_budget_is_kept(worker: Worker, upstream: Scripted) -> None:
    body = {**BODY, "thinking": {"type": "enabled", "budget_tokens": 9000}}
    worker.post("/v1/messages", MODELS[1], body).raise_for_status()
    assert upstream.last.json["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 9000


def test_tokens_are_counted_by_google(worker: Worker, upstream: Scripted) -> None:
    answer = worker.post("/v1/messages/count_tokens", MODELS[0], {"messages": HELLO, "tools": TOOLS, "system": "s"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] > 0
    assert upstream.last.path == f"/v1beta/models/{MODELS[0]}:countTokens"
    assert "get_weather" in upstream.last.body.decode()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_failures(worker: Worker, upstream: Scripted, stream: bool) -> None:
    words = "The input token count (1048999) exceeds the maximum number of tokens allowed (1048575)."
    upstream.script({"status": 429, "error_message": "slow down", "headers": {"retry-after": "9"}})
    upstream.script(
        {"status": 400, "error_message": words}, {"status": 503, "error_message": "The model is overloaded."}
    )
    limited, long, overloaded = (worker.post("/v1/messages", MODELS[0], {**BODY, "stream": stream}) for _ in range(3))
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "9")
    assert limited.json()["error"] == {"type": "rate_limit_error", "message": "slow down"}
    assert (long.status_code, long.json()["error"]["type"]) == (400, "invalid_request_error")
    assert long.json()["error"]["message"] == "prompt is too long: 1048999 tokens > 1048575 maximum"
    assert overloaded.status_code == 503
    assert upstream.pending == 0


HINT = {"cache_control": {"type": "ephemeral"}}
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hello", **HINT}], **HINT}],
    "tools": [
        {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}, **HINT},
        {"type": "function", "function": {"name": "get_goal", "parameters": NO_PARAMETERS, **HINT}},
        {"type": "function", "function": {"name": "get_time"}},
    ],
}
RESPONSES: dict[str, Any] = {
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "hello", **HINT}]}],
    "tools": [
        {"type": "function", "name": "get_weather", "parameters": SCHEMA, **HINT},
        {"type": "function", "name": "get_goal", "parameters": NO_PARAMETERS},
        {"type": "function", "name": "get_time"},
    ],
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/responses", RESPONSES)])
@pytest.mark.parametrize("stream", [False, True])
def test_openai_clients_get_schemas_and_hints_that_gemini_takes(
    worker: Worker, upstream: Scripted, model: str, path: str, body: dict[str, Any], stream: bool
) -> None:
    """Codex has tools without parameters; OpenCode hints at caches for names that look like Claude's."""
    answer = worker.post(path, model, {**body, "stream": stream})
    assert answer.status_code == 200, answer.text
    # One request: a hint would have LiteLLM ask for the stored caches first, and make one.
    (request,) = upstream.requests
    weather, *others = request.json["tools"][0]["function_declarations"]
    assert weather["parameters"]["properties"]["tree"]["properties"]["left"] == {"type": "object"}
    assert [other.keys() & {"parameters"} for other in others] == [set(), set()]
    assert "cache" not in request.body.decode()


def test_a_strict_tool_is_refused_by_name(worker: Worker, upstream: Scripted) -> None:
    answer = worker.post("/v1/messages", MODELS[0], {**BODY, "tools": [TOOLS[1], {**TOOLS[0], "strict": True}]})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("tools.1.strict: is not supported for this model")
    assert not upstream.requests
