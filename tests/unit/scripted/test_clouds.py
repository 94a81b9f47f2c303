"""The stand-ins for Bedrock and Vertex refuse what the clouds refuse, and their frames are what AWS's SDK reads."""

import base64
import json
from typing import Any

import httpx
import pytest
from anthropic import AnthropicBedrock, BadRequestError, PermissionDeniedError
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer

from claude_gateway_scripted import Scripted

_BODY: dict[str, Any] = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "hello"}],
}
_MODEL = "/model/us.anthropic.claude-x-v1%3A0"
_VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models"


def test_frames_are_what_botocore_reads() -> None:
    with Scripted() as upstream:
        answer = httpx.post(f"{upstream.url}{_MODEL}/invoke-with-response-stream", json=_BODY)
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    buffer = EventStreamBuffer()
    buffer.add_data(answer.content)
    events = [json.loads(base64.b64decode(json.loads(event.payload)["bytes"])) for event in buffer]
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "x"}, "model"),
        ({"stream": True}, "stream"),
        ({"anthropic_version": "vertex-2023-10-16"}, "anthropic_version"),
        ({"anthropic_beta": ["oauth-2025-04-20"]}, "invalid beta flag"),
        ({"max_tokens": None}, "max_tokens"),
    ],
)
def test_bedrock_refuses_what_is_not_its_frame(change: dict[str, Any], said: str) -> None:
    with Scripted() as upstream:
        answer = httpx.post(f"{upstream.url}{_MODEL}/invoke", json=_BODY | change)
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert said in answer.json()["message"]


def test_counts_are_given_in_each_clouds_words() -> None:
    inner = base64.b64encode(json.dumps(_BODY).encode()).decode()
    vertex = _BODY | {"anthropic_version": "vertex-2023-10-16", "model": "claude-x"}
    with Scripted() as upstream:
        aws = httpx.post(f"{upstream.url}{_MODEL}/count-tokens", json={"input": {"invokeModel": {"body": inner}}})
        wrong = httpx.post(f"{upstream.url}{_MODEL}/count-tokens", json=_BODY)
        google = httpx.post(f"{upstream.url}{_VERTEX}/count-tokens:rawPredict", json=vertex)
    assert aws.json()["inputTokens"] > 0
    assert wrong.status_code == 400
    assert google.json()["input_tokens"] > 0


def test_vertex_refuses_a_model_in_the_body() -> None:
    body = _BODY | {"anthropic_version": "vertex-2023-10-16"}
    with Scripted() as upstream:
        taken = httpx.post(f"{upstream.url}{_VERTEX}/claude-x@20250101:rawPredict", json=body)
        refused = httpx.post(f"{upstream.url}{_VERTEX}/claude-x@20250101:rawPredict", json=body | {"model": "claude-x"})
    assert (taken.status_code, refused.status_code) == (200, 400)


def test_the_vendors_sdk_signs_and_reads() -> None:
    with Scripted(aws_keys={"AKID": "secret"}) as upstream:
        given: dict[str, Any] = {"base_url": upstream.url, "aws_region": "us-east-1", "max_retries": 0}
        message: dict[str, Any] = {"model": "anthropic.claude-x-v1:0", "max_tokens": 9, "messages": _BODY["messages"]}
        client = AnthropicBedrock(aws_access_key="AKID", aws_secret_key="secret", **given)
        assert client.messages.create(**message).content[0].to_dict()["text"] == "echo: hello"
        with client.messages.stream(**message) as stream:
            assert stream.get_final_text() == "echo: hello"
        with pytest.raises(PermissionDeniedError):
            AnthropicBedrock(aws_access_key="AKID", aws_secret_key="other", **given).messages.create(**message)
        with pytest.raises(BadRequestError):
            client.messages.create(**{**message, "messages": []})


@pytest.mark.parametrize("change", ["path", "body", "header"])
def test_a_changed_request_is_not_the_signed_one(change: str) -> None:
    with Scripted(aws_keys={"AKID": "secret"}) as upstream:
        url, body = f"{upstream.url}{_MODEL}/invoke", json.dumps(_BODY).encode()
        request = AWSRequest("POST", url=url, data=body, headers={"content-type": "application/json"})
        SigV4Auth(Credentials("AKID", "secret"), "bedrock", "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
        assert httpx.post(url, content=body, headers=headers).status_code == 200
        if change == "path":
            url = url.replace("claude-x", "claude-y")
        elif change == "body":
            body += b" "
        else:
            headers["content-type"] = "text/plain"
        assert httpx.post(url, content=body, headers=headers).status_code == 403
