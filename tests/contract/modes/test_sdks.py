"""Anthropic's own SDK for both clouds, and AWS's, with the gateway as their base URL, to every kind of target."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from anthropic import Anthropic, AnthropicBedrock, AnthropicFoundry, AnthropicVertex, AuthenticationError, NotFoundError
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session
from tests.support.builders.clouds import BEDROCK, TARGETS, Target
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted

_TOOL: dict[str, Any] = {
    "name": "weather",
    "description": "the weather of a town",
    "input_schema": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
}
_KINDS = ("bedrock-signed", "bedrock-bearer", "vertex", "foundry")


def client(kind: str, stack: System, *, key: str | None = None) -> Any:
    """One of Anthropic's clients; each knows the gateway by its own base URL."""
    shown = key or stack.key
    match kind:
        case "bedrock-signed":
            return AnthropicBedrock(
                base_url=f"{stack.url}/bedrock",
                aws_region="us-east-1",
                aws_access_key=shown,
                aws_secret_key=shown,
                max_retries=0,
            )
        case "bedrock-bearer":
            return AnthropicBedrock(base_url=stack.url, aws_region="us-east-1", api_key=shown, max_retries=0)
        case "vertex":
            return AnthropicVertex(
                base_url=f"{stack.url}/vertex/v1",
                project_id="any",
                region="us-east5",
                access_token=shown,
                max_retries=0,
            )
    return AnthropicFoundry(base_url=f"{stack.url}/anthropic", api_key=shown, max_retries=0)


def model(kind: str, target: Target) -> str:
    """The model's name as users of this client write it."""
    return {"vertex": target.vertex, "foundry": target.plain}.get(kind, target.bedrock)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("kind", _KINDS)
def test_a_conversation_with_a_tool(stack: System, upstream: Scripted, kind: str, target: Target) -> None:
    asked: list[Any] = [{"role": "user", "content": '[[tool weather {"town": "Bern"}]]'}]
    given: dict[str, Any] = {"model": model(kind, target), "max_tokens": 100, "tools": [_TOOL]}
    with client(kind, stack) as sdk:
        first = sdk.messages.create(messages=asked, **given)
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert (call.name, call.input, first.stop_reason) == ("weather", {"town": "Bern"}, "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    asked += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    with client(kind, stack) as sdk, sdk.messages.stream(messages=asked, **given) as stream:
        assert "sunny" in stream.get_final_text()
        assert stream.get_final_message().usage.output_tokens > 0
    requests = [request for request in upstream.requests if request.path != "/token"]
    assert [target.asked(request) for request in requests] == [True, True]


@pytest.mark.parametrize("kind", _KINDS)
def test_errors_are_what_the_sdk_knows(stack: System, upstream: Scripted, kind: str) -> None:
    message: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    with client(kind, stack, key="cgw_wrong") as sdk, pytest.raises(AuthenticationError, match="key"):
        sdk.messages.create(model="claude-anything", **message)
    upstream.script({"status": 404, "error_type": "not_found_error", "error_message": "no such model here"})
    with client(kind, stack) as sdk, pytest.raises(NotFoundError, match="no such model here"):
        sdk.messages.create(model="claude-anything", **message)


@pytest.mark.parametrize("target", TARGETS[:3], ids=str)
def test_tokens_are_counted_where_the_target_can(stack: System, upstream: Scripted, target: Target) -> None:
    message: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
    with client("vertex", stack) as vertex, Anthropic(base_url=stack.url, api_key=stack.key) as plain:
        here = vertex.messages.count_tokens(model=target.vertex, **message)
        there = plain.messages.count_tokens(model=target.plain, **message)
    assert min(here.input_tokens, there.input_tokens) > 0
    assert {request.status for request in upstream.requests} == {200}


@pytest.fixture
def aws(stack: System) -> Iterator[Any]:
    """AWS's own client of Bedrock's runtime, signing with the client key."""
    made: Any = Session().create_client(
        "bedrock-runtime",
        endpoint_url=stack.url,
        region_name="us-east-1",
        aws_access_key_id=stack.key,
        aws_secret_access_key=stack.key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield made
    made.close()


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_awss_own_sdk(aws: Any, upstream: Scripted, target: Target) -> None:
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "hello"}],
    }
    arn = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{target.bedrock}"
    whole = aws.invoke_model(modelId=target.bedrock, body=json.dumps(body))
    assert json.loads(whole["body"].read())["content"][0]["text"] == "echo: hello"
    streamed = aws.invoke_model_with_response_stream(modelId=arn, body=json.dumps(body))
    with closing(streamed["body"]) as frames:
        events = [json.loads(event["chunk"]["bytes"]) for event in frames]
    assert [event["type"] for event in events][-1] == "message_stop"
    assert all(target.asked(request) for request in upstream.requests if request.path != "/token")
    if target is BEDROCK:
        assert "amazon-bedrock-invocationMetrics" in events[-1]


def test_awss_own_sdk_counts_and_reads_errors(aws: Any, upstream: Scripted) -> None:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    counted = {"invokeModel": {"body": json.dumps(body).encode()}}
    assert aws.count_tokens(modelId=BEDROCK.bedrock, input=counted)["inputTokens"] > 0
    assert base64.b64decode(json.loads(upstream.last.body)["input"]["invokeModel"]["body"]) == json.dumps(body).encode()
    upstream.script({"status": 429, "error_message": "slow down"})
    with pytest.raises(ClientError) as failed:
        aws.invoke_model(modelId=BEDROCK.bedrock, body=json.dumps(body))
    assert failed.value.response["Error"]["Code"] == "ThrottlingException"
    upstream.script({"midstream": "error", "midstream_after": 1, "error_type": "overloaded_error", "text": "a b c"})
    streamed = aws.invoke_model_with_response_stream(modelId=TARGETS[0].bedrock, body=json.dumps(body))
    with closing(streamed["body"]) as events, pytest.raises(ClientError, match="serviceUnavailableException"):
        list(events)
