"""Steps, settings, the journal and the endpoints that drive them from another process."""

import base64
import socket
from typing import Any

import anthropic
import httpx
import openai
import pytest
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted, digest
from claude_gateway_scripted.answer import QUICKSTART
from claude_gateway_scripted.script import ScriptError

BODY: dict[str, Any] = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "a b c"}]}
STREAMED = {**BODY, "stream": True}


def post(upstream: Scripted, body: Any = BODY, **more: Any) -> httpx.Response:
    return httpx.post(f"{upstream.url}/v1/messages", json=body, **more)


def test_steps_are_used_in_order_each_by_the_call_it_matches(upstream: Scripted) -> None:
    upstream.script({"text": "for b", "match": '"b"'}, {"text": "twice", "times": 2}, {"text": "last"})
    said = [post(upstream).json()["content"][0]["text"] for _ in range(4)]
    assert said == ["twice", "twice", "last", "echo: a b c"]
    assert upstream.pending == 1
    other = {**BODY, "messages": [{"role": "user", "content": "b"}]}
    assert post(upstream, other).json()["content"][0]["text"] == "for b"


def test_a_step_decides_all_of_an_answer(upstream: Scripted) -> None:
    upstream.script(
        {
            "text": "t",
            "thinking": "hm",
            "tools": [["f", {"a": 1}]],
            "usage": {"input": 100, "cache_write": 7, "output": 9},
            "stop_reason": "refusal",
            "headers": {"x-extra": "1"},
        }
    )
    answer = post(upstream)
    body = answer.json()
    assert [block["type"] for block in body["content"]] == ["thinking", "text", "tool_use"]
    usage = body["usage"]
    assert (usage["input_tokens"], usage["cache_creation_input_tokens"], usage["output_tokens"]) == (100, 7, 9)
    assert (body["stop_reason"], answer.headers["x-extra"]) == ("refusal", "1")


def test_a_step_can_fail_in_the_vendors_words(upstream: Scripted) -> None:
    error = {"status": 529, "error_type": "overloaded_error", "error_message": "Overloaded"}
    upstream.script({**error, "headers": {"retry-after": "7"}})
    answer = post(upstream)
    assert (answer.status_code, answer.headers["retry-after"]) == (529, "7")
    assert answer.json()["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert answer.json()["request_id"] == answer.headers["request-id"]


def test_an_error_can_come_in_the_middle_of_a_stream(upstream: Scripted) -> None:
    upstream.script({"midstream": "error", "midstream_after": 2, "error_type": "overloaded_error"})
    with (
        anthropic.Anthropic(base_url=upstream.url, api_key="k", max_retries=0) as client,
        pytest.raises(anthropic.APIStatusError, match="overloaded_error"),
        client.messages.stream(**BODY) as stream,
    ):
        stream.until_done()
    assert upstream.last.sent == 2
    upstream.script({"midstream": "error"}, {"midstream": "error"})
    with openai.OpenAI(base_url=upstream.openai_url, api_key="k", max_retries=0) as other:
        with pytest.raises(openai.APIError, match="scripted failure"):
            list(other.chat.completions.create(model="m", messages=[{"role": "user", "content": "a"}], stream=True))
        events = list(other.responses.create(model="m", input="a", stream=True))
        assert (events[-1].type, events[-1].sequence_number) == ("error", len(events) - 1)


@pytest.mark.parametrize("body", [BODY, STREAMED])
def test_a_connection_can_drop(upstream: Scripted, body: Any) -> None:
    upstream.script({"midstream": "drop"})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post(upstream, body)


@pytest.mark.parametrize("body", [BODY, STREAMED])
def test_a_client_that_leaves_is_noted(upstream: Scripted, body: Any) -> None:
    upstream.script({"midstream": "hang"})
    with httpx.stream("POST", f"{upstream.url}/v1/messages", json=body) as answer:
        chunks = answer.iter_raw()
        next(chunks)
        assert upstream.open_streams == ("stream" in body)
        assert upstream.last.disconnected is None
    until(lambda: upstream.last.disconnected is not None)
    assert (upstream.open_streams, upstream.last.ended) == (0, None)


def test_a_client_that_leaves_before_the_headers_is_noted(upstream: Scripted) -> None:
    upstream.script({"delay": 60})
    with pytest.raises(httpx.ReadTimeout):
        post(upstream, timeout=0.2)
    until(lambda: upstream.last.disconnected is not None)
    assert upstream.last.status is None


def test_headers_come_before_the_first_byte_when_asked(upstream: Scripted) -> None:
    upstream.script({"first_delay": 60})
    with httpx.stream("POST", f"{upstream.url}/v1/messages", json=STREAMED, timeout=10) as answer:
        assert answer.status_code == 200
        assert upstream.last.sent == 0


def test_only_given_keys_are_accepted(upstream: Scripted) -> None:
    upstream.configure(keys=["good"])
    assert post(upstream, headers={"x-api-key": "bad"}).status_code == 401
    assert post(upstream).json()["error"]["type"] == "authentication_error"
    assert post(upstream, headers={"x-api-key": "good"}).status_code == 200
    assert post(upstream, headers={"authorization": "Bearer good"}).status_code == 200


def test_the_quickstart_says_that_no_ai_was_asked() -> None:
    with Scripted(greeting="quickstart") as upstream:
        assert post(upstream).json()["content"][0]["text"] == f"{QUICKSTART}a b c"
    assert "scripted" in QUICKSTART
    assert "no AI was asked" in QUICKSTART


def test_plain_answers_are_whole_and_leave_no_trace() -> None:
    with Scripted(plain_words=3) as upstream:
        assert post(upstream).json()["content"][0]["text"] == "word1 word2 word3"
        assert post(upstream, STREAMED).text.count("content_block_delta") == 6
        with openai.OpenAI(base_url=upstream.openai_url, api_key="k") as client:
            with client.responses.stream(model="m", input="x") as stream:
                assert stream.get_final_response().output_text == "word1 word2 word3"
            chat = client.chat.completions.create(model="m", messages=[{"role": "user", "content": '"stream":true'}])
            assert chat.choices[0].message.content == "word1 word2 word3"
        assert upstream.requests == ()


def test_another_process_drives_it_over_http(upstream: Scripted) -> None:
    assert httpx.post(f"{upstream.url}/__script", json={"steps": [{"text": "hi"}]}).json()["pending"] == 1
    assert httpx.post(f"{upstream.url}/__config", json={"headers": {"x-all": "yes"}}).status_code == 200
    content = b'{"model": "m", "max_tokens":9,"messages":[{"role":"user","content":"\xc3\xa4"}]}'
    url = f"{upstream.url}/prefix/v1/messages?beta=true"
    answer = httpx.post(url, content=content, headers={"Authorization": "Bearer s3cret"})
    assert (answer.json()["content"][0]["text"], answer.headers["x-all"]) == ("hi", "yes")
    log = httpx.get(f"{upstream.url}/__log")
    assert "s3cret" not in log.text
    (entry,) = log.json()
    assert (entry["path"], entry["query"], entry["status"]) == ("/prefix/v1/messages", "beta=true", 200)
    assert base64.b64decode(entry["body_base64"]) == content
    assert ["Authorization", f"Bearer {digest('s3cret')}"] in entry["headers"]
    assert httpx.delete(f"{upstream.url}/__log").json() == {"pending": 0, "open_streams": 0, "requests": 0}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("__script", {"steps": [{"txt": "typo"}]}),
        ("__script", {"steps": [{"midstream": "explode"}]}),
        ("__script", {"steps": [{"tools": ["f"]}]}),
        ("__script", {}),
        ("__config", {"modelids": []}),
        ("__config", [1]),
    ],
)
def test_a_mistake_in_the_script_is_told(upstream: Scripted, path: str, body: Any) -> None:
    assert httpx.post(f"{upstream.url}/{path}", json=body).status_code == 400


def test_a_mistake_in_the_settings_is_told() -> None:
    with pytest.raises(ScriptError, match="modelids"):
        Scripted(modelids=[])


def test_bodies_of_64_mb_are_taken_and_larger_ones_are_not(upstream: Scripted) -> None:
    limit = 64 * 1024 * 1024
    frame = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"pad":"%s"}'
    content = frame % (b"x" * (limit - len(frame) + 2))
    assert len(content) == limit
    url = f"{upstream.url}/v1/messages"
    assert httpx.post(url, content=content, timeout=60).status_code == 200
    assert upstream.last.body == content
    refused = httpx.post(url, content=content + b" ", timeout=60)
    assert (refused.status_code, refused.json()["error"]["type"]) == (413, "request_too_large")


def test_a_client_that_waits_for_100_continue_gets_it(upstream: Scripted) -> None:
    host, port = upstream.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert raw.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b"{}")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")


async def test_it_serves_an_async_test_too() -> None:
    async with Scripted() as upstream, httpx.AsyncClient() as client:
        assert (await client.post(f"{upstream.url}/v1/messages", json=BODY)).status_code == 200
        assert len(upstream.requests) == 1


def test_raw_texts_are_the_whole_body_and_a_refusal_is_none(upstream: Scripted) -> None:
    texts = [": a comment\n\n", "event: new\r\ndata: {}\r\n\r\n"]
    upstream.script({"raw": texts}, {"raw": ["<html>"], "status": 502, "headers": {"content-type": "text/html"}})
    upstream.script({"refuse": True})
    assert post(upstream, STREAMED).text == "".join(texts)
    page = post(upstream)
    assert (page.status_code, page.headers["content-type"], page.text) == (502, "text/html", "<html>")
    with pytest.raises(httpx.RemoteProtocolError):
        post(upstream)
    with pytest.raises(ScriptError, match="raw"):
        upstream.script({"raw": "text"})
