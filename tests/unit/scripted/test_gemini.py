"""The Gemini face: it answers as Google does, and refuses what Google refuses."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from claude_gateway_scripted.local import Scripted

MODEL = "/v1beta/models/gemini-3-pro-preview"
TURN: dict[str, Any] = {"role": "user", "parts": [{"text": "hello"}]}
CALL: dict[str, Any] = {"functionCall": {"name": "look", "args": {}}}
SIGNED: dict[str, Any] = {**CALL, "thoughtSignature": "c2lnbmVk"}
RESULT: dict[str, Any] = {
    "role": "user",
    "parts": [{"functionResponse": {"name": "look", "response": {"content": "x"}}}],
}


@pytest.fixture
def ask() -> Iterator[Any]:
    """A function that posts a body to a method of the model."""
    with Scripted() as upstream, httpx.Client(base_url=upstream.url) as client:
        yield lambda method, body: client.post(f"{MODEL}:{method}", json=body, headers={"x-goog-api-key": "k"})


def test_an_answer_whole_and_streamed(ask: Any) -> None:
    whole = ask("generateContent", {"contents": [TURN]}).json()
    assert whole["candidates"][0]["content"]["parts"] == [{"text": "echo: hello"}]
    assert whole["candidates"][0]["finishReason"] == "STOP"
    usage = whole["usageMetadata"]
    counts = (usage["promptTokenCount"], usage["candidatesTokenCount"], usage["thoughtsTokenCount"])
    assert usage["totalTokenCount"] == sum(counts)
    text = ask("streamGenerateContent", {"contents": [TURN]}).text
    events = [json.loads(line.removeprefix("data: ")) for line in text.split("\r\n\r\n") if line]
    parts = [part["text"] for event in events for part in event["candidates"][0]["content"]["parts"]]
    assert "".join(parts) == "echo: hello"
    assert [event["candidates"][0].get("finishReason") for event in events][-1] == "STOP"


def test_a_call_is_signed_and_must_come_back_so(ask: Any) -> None:
    tools = [{"functionDeclarations": [{"name": "look"}]}]
    said = {"role": "user", "parts": [{"text": "[[tool look {}]] [[tool look {}]]"}]}
    parts = ask("generateContent", {"contents": [said], "tools": tools}).json()["candidates"][0]["content"]["parts"]
    assert ["thoughtSignature" in part for part in parts] == [True, False]
    for part, status in ((SIGNED, 200), (CALL, 400)):
        contents = [TURN, {"role": "model", "parts": [part]}, RESULT]
        assert ask("generateContent", {"contents": contents}).status_code == status


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"const": 1}}},
        {"type": "object", "properties": {"a": {"type": "integer", "enum": [1]}}},
        {"type": "object", "properties": {"a": {"type": "string", "format": "uri"}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {"a": {}}, "required": ["b"]},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
    ],
)
def test_schemas_that_google_refuses(ask: Any, schema: dict[str, Any]) -> None:
    tools = [{"functionDeclarations": [{"name": "look", "parameters": schema}]}]
    answer = ask("generateContent", {"contents": [TURN], "tools": tools})
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_a_property_may_be_called_type(ask: Any) -> None:
    schema = {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}}
    tools = [{"functionDeclarations": [{"name": "look", "parameters": schema}]}]
    assert ask("generateContent", {"contents": [TURN], "tools": tools}).status_code == 200


def test_results_must_be_as_many_as_calls(ask: Any) -> None:
    for contents in ([TURN, RESULT], [TURN, {"role": "model", "parts": [SIGNED, CALL]}, RESULT]):
        assert ask("generateContent", {"contents": contents}).status_code == 400


def test_tokens_are_counted(ask: Any) -> None:
    assert ask("countTokens", {"contents": [TURN]}).json()["totalTokens"] > 0
    assert ask("countTokens", {"contents": []}).status_code == 400
