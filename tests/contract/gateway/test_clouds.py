"""Bedrock and Vertex on both sides, byte by byte: equal wires untouched, others in the frame of their own."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from tests.support.builders.bundles import route, target
from tests.support.builders.clouds import service_account
from tests.support.processes.inprocess import (
    KEY,
    Gateway,
    Reply,
    Upstream,
    chunk,
    drop,
    events,
    gateway,
    head,
    upstream,
    whole,
)

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Attribution, Aws, Google, Target, Wire
from claude_gateway_proxy.gateway.lanes.attribution import BEDROCK as REQUEST_METADATA
from claude_gateway_proxy.gateway.wire.eventstream import encode
from claude_gateway_scripted import Scripted, sigv4

_AWS = b'{"accessKeyId": "AKID", "secretAccessKey": "secret/+", "sessionToken": "session"}'
_AWS_ENTRY = secret_entry("ns.aws", _AWS)
_BEARER = b'{"bearerToken": "aws-bearer"}'
_BEARER_ENTRY = secret_entry("ns.bearer", _BEARER)
_SECRETS = {_AWS_ENTRY: _AWS, _BEARER_ENTRY: _BEARER}
_ID = "us.anthropic.claude-x-20250101-v1:0"
_PATH = "/model/us.anthropic.claude-x-20250101-v1%3A0"
_PROJECT = "/v1/projects/p/locations/us-east5/publishers/anthropic/models"
_TURN = b'"messages" : [ {"role":"user","content":"h\\u00e9 \xc3\xa9"} ],"max_tokens":9, "odd":[1.0 ]'
_BEDROCK = b'{ "anthropic_version":"bedrock-2023-05-31", %s,"anthropic_beta":["a-1"] }\n' % _TURN
_VERTEX = b'{"anthropic_version":"vertex-2023-10-16" ,%s, "stream":true}' % _TURN
_MESSAGES = b'{"model":"claude-x-20250101", %s}' % _TURN
_ANSWER = b'{"id":"msg_1", "content":[],"usage":{"input_tokens":5,"output_tokens":7}}'
_USAGE = {"input_tokens": 11, "output_tokens": 22}
_EVENTS = events("message_start", "content_block_delta", "message_delta", "message_stop")


def _frame(event: bytes, padding: str = "abc") -> bytes:
    data = event.partition(b"data: ")[2].strip()
    payload = json.dumps({"bytes": base64.b64encode(data).decode(), "p": padding}).encode()
    return encode({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, payload)


_FRAMES = [_frame(event, "abcdefg"[: number + 1]) for number, event in enumerate(_EVENTS)]
_EVENTSTREAM = "application/vnd.amazon.eventstream"


def frames(*parts: bytes, end: bool = True) -> Reply:
    """Answer in AWS's frames."""

    async def reply(_: Any, writer: Any) -> None:
        writer.write(head(kind=_EVENTSTREAM, headers="x-amzn-requestid: aws-1\r\n"))
        writer.write(b"".join(map(chunk, parts)) + (chunk(b"") if end else b""))
        if not end:
            writer.close()

    return reply


def sse(*parts: bytes) -> Reply:
    """Answer in server-sent events."""

    async def reply(_: Any, writer: Any) -> None:
        writer.write(head() + b"".join(map(chunk, parts)) + chunk(b""))

    return reply


def bedrock(url: str, **more: Any) -> Target:
    """A target at Bedrock."""
    given = {"aws": Aws(region="us-east-1"), "secret": _BEARER_ENTRY, "model": _ID, **more}
    return target(wire=Wire.BEDROCK, base_url=url, **given)


@asynccontextmanager
async def to_bedrock(*replies: Reply, **more: Any) -> AsyncIterator[tuple[Gateway, Upstream]]:
    """A gateway whose only route leads to Bedrock."""
    async with upstream(*replies) as up, gateway(route("*", targets=[bedrock(up.url, **more)]), secrets=_SECRETS) as gw:
        yield gw, up


@asynccontextmanager
async def to_anthropic(*replies: Reply) -> AsyncIterator[tuple[Gateway, Upstream]]:
    """A gateway whose only route leads to Anthropic's wire."""
    async with upstream(*replies) as up, gateway(route("*", targets=[target(base_url=up.url, model="*")])) as gw:
        yield gw, up


def read(data: bytes) -> list[tuple[dict[Any, Any], Any]]:
    """Frames as botocore reads them: headers, and the event or the message within."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    found: list[Any] = []
    for event in buffer:
        payload = json.loads(event.payload)
        found.append((event.headers, json.loads(base64.b64decode(payload["bytes"])) if "bytes" in payload else payload))
    return found


async def test_bedrock_to_bedrock_is_byte_exact_both_ways() -> None:
    async with to_bedrock(frames(*_FRAMES)) as (gw, up):
        answer = await gw.post(f"/bedrock{_PATH}/invoke-with-response-stream", _BEDROCK, headers={"x-app": "cli"})
        assert await answer.read() == b"".join(_FRAMES)
        (record,) = await gw.records()
    assert answer.headers["content-type"] == _EVENTSTREAM
    assert up.seen[0].body == _BEDROCK
    assert up.seen[0].target == f"{_PATH}/invoke-with-response-stream"
    assert up.seen[0].header("authorization") == "Bearer aws-bearer"
    assert up.seen[0].header("x-app") == "cli"
    assert {key: record[key] for key in _USAGE} == _USAGE
    assert (record["wire"], record["outcome"], record["request_id"]) == ("Bedrock", "ok", "aws-1")


async def test_a_whole_answer_is_byte_exact_too() -> None:
    async with to_bedrock(whole(_ANSWER)) as (gw, up):
        answer = await gw.post(f"{_PATH}/invoke", _BEDROCK)
        assert await answer.read() == _ANSWER
        (record,) = await gw.records()
    assert (up.seen[0].target, up.seen[0].body) == (f"{_PATH}/invoke", _BEDROCK)
    assert (record["input_tokens"], record["output_tokens"]) == (5, 7)


async def test_a_count_of_tokens_is_byte_exact_too() -> None:
    body = b'{"input": {"invokeModel": {"body": "%s"}} }' % base64.b64encode(_BEDROCK)
    async with to_bedrock(whole(b'{"inputTokens" : 42}')) as (gw, up):
        answer = await gw.post(f"{_PATH}/count-tokens", body)
        assert await answer.read() == b'{"inputTokens" : 42}'
    assert (up.seen[0].target, up.seen[0].body) == (f"{_PATH}/count-tokens", body)


async def test_an_exception_frame_of_bedrock_is_passed_and_recorded() -> None:
    broken = encode({":exception-type": "throttlingException", ":message-type": "exception"}, b'{"message": "slow"}')
    async with to_bedrock(frames(_FRAMES[0], broken)) as (gw, _):
        answer = await gw.post(f"{_PATH}/invoke-with-response-stream", _BEDROCK)
        assert await answer.read() == _FRAMES[0] + broken
        (record,) = await gw.records()
    assert record["outcome"] == "upstream_error"


async def test_vertex_to_vertex_is_byte_exact_both_ways() -> None:
    async with upstream(sse(*_EVENTS)) as up, Scripted(google_token="ya29.x") as google:
        key = json.dumps(service_account(f"{google.url}/token")).encode()
        token = secret_entry("ns.google", key)
        there = target(
            wire=Wire.VERTEX,
            base_url=up.url,
            model="*",
            secret=token,
            google=Google(project="team", location="europe-west1"),
        )
        async with gateway(route("*", targets=[there]), secrets={token: key}) as gw:
            path = f"/vertex{_PROJECT}/claude-x@20250101:streamRawPredict"
            answer = await gw.post(path, _VERTEX, headers={"anthropic-beta": "claude-code-20250219,a-1"})
            assert await answer.read() == b"".join(_EVENTS)
            await (await gw.post(path, _VERTEX)).read()
            (record, _) = await gw.records(2)
        assert [request.path for request in google.requests] == ["/token"]
    team = "/v1/projects/team/locations/europe-west1/publishers/anthropic/models"
    assert up.seen[0].target == f"{team}/claude-x@20250101:streamRawPredict"
    assert up.seen[0].body == _VERTEX
    assert up.seen[0].header("authorization") == "Bearer ya29.x"
    assert up.seen[0].header("anthropic-beta") == "claude-code-20250219,a-1"
    assert (record["wire"], record["output_tokens"]) == ("Vertex", 22)


async def test_a_bedrock_client_of_anthropic_gets_frames() -> None:
    async with to_anthropic(sse(*_EVENTS)) as (gw, up):
        headers = {"anthropic-beta": "claude-code-20250219"}
        answer = await gw.post(f"{_PATH}/invoke-with-response-stream", _BEDROCK, headers=headers)
        found = read(await answer.read())
        (record,) = await gw.records()
    assert [event["type"] for _, event in found] == [
        "message_start",
        "content_block_delta",
        "message_delta",
        "message_stop",
    ]
    assert answer.headers["content-type"] == _EVENTSTREAM
    sent = json.loads(up.seen[0].body)
    assert (sent["model"], sent["stream"], sent["odd"]) == ("claude-x-20250101", True, [1.0])
    assert _TURN in up.seen[0].body
    assert (up.seen[0].target, up.seen[0].header("anthropic-beta")) == ("/v1/messages", "claude-code-20250219,a-1")
    assert up.seen[0].header("anthropic-version") == "2023-06-01"
    assert {key: record[key] for key in _USAGE} == _USAGE


async def test_an_anthropic_client_of_bedrock_gets_events() -> None:
    async with to_bedrock(frames(*_FRAMES), model="*") as (gw, up):
        body = _MESSAGES.replace(b"}", b"}", 1)[:-1] + b',"stream":true}'
        headers = {"anthropic-beta": "a-1,claude-code-20250219"}
        answer = await gw.post("/v1/messages?beta=true", body, headers=headers)
        assert await answer.read() == b"".join(_EVENTS)
        (record,) = await gw.records()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert up.seen[0].target == f"{_PATH}/invoke-with-response-stream"
    sent = json.loads(up.seen[0].body)
    assert (sent["anthropic_version"], sent["anthropic_beta"]) == ("bedrock-2023-05-31", ["a-1"])
    assert not {"model", "stream"} & sent.keys()
    assert up.seen[0].header("anthropic-beta") is None
    assert {key: record[key] for key in _USAGE} == _USAGE


async def test_an_anthropic_client_counts_at_bedrock() -> None:
    async with to_bedrock(whole(b'{"inputTokens": 42}')) as (gw, up):
        answer = await gw.post("/v1/messages/count_tokens", _MESSAGES)
        assert json.loads(await answer.read()) == {"input_tokens": 42}
    inner = json.loads(base64.b64decode(json.loads(up.seen[0].body)["input"]["invokeModel"]["body"]))
    assert (inner["max_tokens"], inner["odd"]) == (9, [1.0])


async def test_a_bedrock_client_counts_at_anthropic() -> None:
    body = b'{"input":{"invokeModel":{"body":"%s"}}}' % base64.b64encode(_BEDROCK)
    async with to_anthropic(whole(b'{"input_tokens": 42}')) as (gw, up):
        answer = await gw.post(f"{_PATH}/count-tokens", body)
        assert await answer.read() == b'{"inputTokens":42}'
    assert up.seen[0].target == "/v1/messages/count_tokens"
    assert json.loads(up.seen[0].body)["model"] == "claude-x-20250101"


async def test_requests_are_signed_over_the_bytes_that_are_sent() -> None:
    async with to_bedrock(whole(_ANSWER), secret=_AWS_ENTRY) as (gw, up):
        for path, body in ((f"{_PATH}/invoke", _BEDROCK), ("/v1/messages", _MESSAGES)):
            await (await gw.post(path, body)).read()
    for seen in up.seen:
        assert seen.header("x-amz-security-token") == "session"
        keys = {"AKID": "secret/+"}
        assert sigv4.fits(keys, method="POST", path=seen.target, query="", headers=seen.headers, body=seen.body)
        assert KEY not in str(seen.headers)


async def test_the_pods_own_identity_is_used_where_there_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDPOD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "pods")
    async with to_bedrock(whole(_ANSWER), secret=None) as (gw, up):
        await (await gw.post(f"{_PATH}/invoke", _BEDROCK)).read()
    seen = up.seen[0]
    assert sigv4.fits(
        {"AKIDPOD": "pods"}, method="POST", path=seen.target, query="", headers=seen.headers, body=seen.body
    )


async def test_without_an_identity_the_route_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    async with to_bedrock(whole(_ANSWER), secret=None) as (gw, up):
        answer = await gw.post("/v1/messages", _MESSAGES)
        assert answer.status == 502
        assert "ns/*" in (await answer.json())["error"]["message"]
    assert up.seen == []


@pytest.mark.parametrize("token_uri", ["https://evil.example/token", "http://oauth2.googleapis.com/token", ""])
async def test_a_key_file_sends_the_gateway_to_google_only(token_uri: str) -> None:
    key = json.dumps(service_account(token_uri)).encode()
    entry = secret_entry("ns.google", key)
    async with upstream(whole(_ANSWER)) as up:
        place = Google(project="p", location="global")
        there = target(wire=Wire.VERTEX, base_url=up.url, secret=entry, google=place)
        async with gateway(route("*", targets=[there]), secrets={entry: key}) as gw:
            assert (await gw.post("/v1/messages", _MESSAGES)).status == 502
    assert up.seen == []


async def test_a_busy_bedrock_fails_over_even_within_its_stream() -> None:
    busy = encode({":exception-type": "throttlingException", ":message-type": "exception"}, b'{"message":"slow"}')
    async with upstream(frames(_FRAMES[0], busy)) as first, upstream(frames(*_FRAMES)) as second:
        targets = [bedrock(first.url, priority=0), bedrock(second.url, priority=1)]
        async with gateway(route("*", targets=targets), secrets=_SECRETS) as gw:
            answer = await gw.post(f"{_PATH}/invoke-with-response-stream", _BEDROCK)
            assert await answer.read() == b"".join(_FRAMES)
    assert (len(first.seen), len(second.seen)) == (1, 1)


@pytest.mark.parametrize("cut", [5, 40, -1])
async def test_a_stream_that_breaks_off_is_broken_for_the_client_too(cut: int) -> None:
    async with to_bedrock(frames(_FRAMES[0], _FRAMES[1][:cut])) as (gw, _):
        answer = await gw.post("/v1/messages", {"model": "m", "max_tokens": 1, "messages": [], "stream": True})
        with pytest.raises(Exception, match="payload"):
            await answer.read()
        (record,) = await gw.records()
    assert record["outcome"] == "upstream_error"


async def test_an_error_of_bedrock_is_byte_exact_for_its_clients_and_in_the_envelope_for_others() -> None:
    said = b'{"message": "Too many tokens"}'
    reply = whole(said, status="429 Too", headers="content-type: application/json\r\nx-amzn-errortype: Throttling\r\n")
    async with to_bedrock(reply) as (gw, _):
        same = await gw.post(f"{_PATH}/invoke", _BEDROCK)
        assert (same.status, await same.read(), same.headers["x-amzn-errortype"]) == (429, said, "Throttling")
        other = await gw.post("/v1/messages", _MESSAGES)
        error = (await other.json())["error"]
    assert (other.status, error["type"], error["message"]) == (429, "rate_limit_error", "Too many tokens")


async def test_an_error_of_anthropic_is_in_awss_words_for_a_bedrock_client() -> None:
    said = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    async with to_anthropic(whole(said, status="529 Busy")) as (gw, _):
        answer = await gw.post(f"{_PATH}/invoke", _BEDROCK)
        assert (answer.status, await answer.json()) == (529, {"message": "busy"})
    assert answer.headers["x-amzn-errortype"] == "ServiceUnavailableException"


async def test_the_gateways_own_errors_are_in_awss_words_too() -> None:
    async with to_anthropic(drop) as (gw, _):
        wrong = await gw.post(f"{_PATH}/invoke", _BEDROCK, headers={"authorization": "Bearer wrong"})
        assert (wrong.status, wrong.headers["x-amzn-errortype"]) == (401, "UnrecognizedClientException")
        assert (await wrong.json()).keys() == {"message"}
        gone = await gw.post(f"{_PATH}/invoke", _BEDROCK)
        assert (gone.status, (await gone.json()).keys()) == (502, {"message"})


async def test_no_credential_of_the_client_leaves_the_gateway() -> None:
    headers = {"x-amz-security-token": KEY, "x-amz-date": "20260101T000000Z", "x-api-key": KEY, "api-key": KEY}
    async with to_bedrock(whole(_ANSWER)) as (gw, up):
        for path in (f"{_PATH}/invoke", "/v1/messages"):
            await (await gw.post(path, _BEDROCK if "model" in path else _MESSAGES, headers=headers)).read()
    assert all(KEY not in str(seen.headers) for seen in up.seen)


async def test_bedrock_is_told_of_the_caller_what_the_credential_says_and_not_what_the_caller_says() -> None:
    named, forged = Aws(region="us-east-1", attribution=(Attribution.CLIENT,)), {REQUEST_METADATA: '{"client":"x"}'}
    own = '{"client":"ns/dev"}'
    for place, expected in ((named, [own, own]), (Aws(region="us-east-1"), [forged[REQUEST_METADATA], None])):
        async with to_bedrock(whole(_ANSWER), aws=place) as (gw, up):
            for path in (f"{_PATH}/invoke", "/v1/messages"):
                await (await gw.post(path, _BEDROCK if "model" in path else _MESSAGES, headers=forged)).read()
        assert [seen.header(REQUEST_METADATA) for seen in up.seen] == expected


async def test_inference_profiles_are_listed_to_those_who_may_see_them() -> None:
    routes = [route(_ID, targets=[bedrock("http://127.0.0.1:1")]), route("claude-y", name="ns/y")]
    async with gateway(*routes, secrets=_SECRETS) as gw:
        url = f"{gw.url}/bedrock/inference-profiles"

        async def ask(more: str = "", *, key: str | None = KEY, method: str = "GET") -> tuple[int, Any]:
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            async with gw.client.request(method, f"{url}{more}", headers=headers) as answer:
                return answer.status, await answer.json()

        status, listed = await ask("?type=SYSTEM_DEFINED")
        (profile,) = listed["inferenceProfileSummaries"]
        assert (status, profile["inferenceProfileId"], profile["status"]) == (200, _ID, "ACTIVE")
        assert profile["models"][0]["modelArn"].endswith("/anthropic.claude-x-20250101-v1:0")
        assert await ask(f"/{_ID}") == (200, profile)
        assert await ask(key=None) == (200, {"inferenceProfileSummaries": []})
        assert await ask("?type=APPLICATION") == (200, {"inferenceProfileSummaries": []})
        refused = [
            await ask(f"/{_ID}", key=None),
            await ask("/claude-y"),
            await ask(key="wrong"),
            await ask(method="POST"),
        ]
        assert [status for status, _ in refused] == [404, 404, 401, 405]
