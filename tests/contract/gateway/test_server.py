"""The gateway process over real sockets: endpoints, refusals and what it tells about itself."""

import json
import socket
import stat
from collections.abc import Iterator

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lone_gateway import LoneGateway, read_answer
from tests.support.processes.waiting import until

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Wire
from claude_gateway.names import GATEWAY_SOCKET
from claude_gateway_scripted.local import Scripted

KEY, FEW = "cgw_key-of-dev", "cgw_key-of-few"
AUTH = {"authorization": f"Bearer {KEY}"}
CONTENT = "words that no log may hold"
POSTS = ["messages", "messages/count_tokens", "chat/completions", "completions", "responses", "embeddings"]
ANTHROPIC = {"/v1/messages", "/v1/v1/messages", "/v1/messages/count_tokens", "/v1/v1/messages/count_tokens"}
PATHS = [f"{prefix}/{path}" for prefix in ("/v1", "/v1/v1") for path in POSTS]


def policy(url: str) -> Bundle:
    """Routes to a living upstream, to a dead one and to none."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
    return bundle(
        [
            route("claude-a", "claude-b-*", targets=[target(base_url=url)], display_name="A"),
            route("gpt-a", targets=[target(base_url=f"{url}/v1", wire=Wire.OPENAI)]),
            route("dead", targets=[target(base_url=dead)]),
            route("empty"),
        ],
        clients=[Client(name="ns/dev"), Client(name="ns/few", models=("claude-*",))],
        keys={KEY: "ns/dev", FEW: "ns/few"},
    )


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def gateway(upstream: Scripted) -> Iterator[LoneGateway]:
    with LoneGateway(policy(upstream.url), max_body_bytes=200_000) as running:
        yield running


def message(model: str, **more: object) -> dict[str, object]:
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": CONTENT}], **more}


@pytest.mark.parametrize("path", ["/", "/api/hello", "/healthz", "/health", "/readyz"])
def test_who_asks_whether_it_lives_needs_no_key(gateway: LoneGateway, path: str) -> None:
    for method in ("GET", "HEAD"):
        with gateway.worker():
            answer = gateway.call(method, path)
        assert answer.status == 200
        assert answer.headers["request-id"] == answer.headers["x-request-id"]
        assert (answer.body == b"") == (method == "HEAD")
    refused = gateway.call("POST", path)
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_asked_for_before_the_body_is_read(gateway: LoneGateway, path: str) -> None:
    with gateway.dial() as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n".encode())
        answer = read_answer(connection)
    assert answer.status == 401
    assert answer.headers["x-should-retry"] == "false"
    error = answer.json
    assert (error.get("type") == "error") == (path in ANTHROPIC)
    kind = error["error"]["type"]
    assert kind == ("authentication_error" if path in ANTHROPIC else "invalid_request_error")


@pytest.mark.parametrize("path", PATHS)
def test_every_endpoint_finds_its_model_by_name(gateway: LoneGateway, path: str) -> None:
    answer = gateway.call("POST", path, body={"model": "claude-c"}, headers=AUTH)
    assert answer.status == 404
    assert "claude-a" in answer.json["error"]["message"]
    assert gateway.call("GET", path, headers=AUTH).headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v2/messages", "/v1/modelsx", "/metrics"])
def test_what_is_not_served_is_said_in_the_callers_shape(gateway: LoneGateway, path: str) -> None:
    openai = gateway.call("POST", path, body={})
    assert (openai.status, openai.json["error"]["code"]) == (404, "unknown_url")
    anthropic = gateway.call("GET", path, headers={"anthropic-version": "2023-06-01"})
    assert (anthropic.status, anthropic.json["error"]["type"]) == (404, "not_found_error")
    assert anthropic.json["request_id"] == anthropic.headers["request-id"]


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        (b"", 400, "invalid_request_error", "JSON"),
        (b"{not json", 400, "invalid_request_error", "JSON"),
        (b"[1]", 400, "invalid_request_error", "object"),
        (b"[" * 100_000, 400, "invalid_request_error", "JSON"),
        (b'{"max_tokens":1}', 400, "invalid_request_error", "model"),
        (b'{"model":"claude-a","model":"gpt-a"}', 400, "invalid_request_error", "twice"),
        (b'{"model":"dead","messages":[]}', 502, "api_error", "ns/dead"),
        (b'{"model":"empty"}', 503, "api_error", "ns/empty"),
        (b'{"model":"x"}', 404, "not_found_error", "'x'"),
        (b" " * 200_001, 413, "request_too_large", "200000"),
    ],
)
def test_each_mistake_has_its_status_and_words(
    gateway: LoneGateway, body: bytes, status: int, kind: str, words: str
) -> None:
    answer = gateway.call("POST", "/v1/messages", body=body, headers=AUTH)
    assert (answer.status, answer.json["error"]["type"]) == (status, kind)
    assert words in answer.json["error"]["message"]


def test_a_client_may_name_only_its_models(gateway: LoneGateway) -> None:
    answer = gateway.call("POST", "/v1/messages", body=message("gpt-a"), headers={"x-api-key": FEW})
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert gateway.call("POST", "/v1/messages", body=message("claude-b-1"), headers={"x-api-key": FEW}).status == 200


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "gpt-a"}]},
        {"models": ["claude-a", "gpt-a"]},
        {"fallbacks": [{"claude-a": ["gpt-a"]}]},
        {"extra_body": {"model": "gpt-a"}},
    ],
    ids=["advisor", "models", "fallbacks", "extra_body"],
)
def test_a_client_may_name_only_its_models_in_every_field(gateway: LoneGateway, more: dict[str, object]) -> None:
    body = message("claude-a", **more)
    answer = gateway.call("POST", "/v1/messages", body=body, headers={"x-api-key": FEW})
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert next(iter(more)) in answer.json["error"]["message"]
    own = json.loads(json.dumps(body).replace("gpt-a", "claude-z"))
    assert gateway.call("POST", "/v1/messages", body=own, headers={"x-api-key": FEW}).status == 200
    assert gateway.call("POST", "/v1/messages", body=body, headers=AUTH).status == 200


def test_a_body_without_a_length_is_counted(gateway: LoneGateway) -> None:
    connection = gateway.connect()
    chunks = (b" " * 50_000 for _ in range(10))
    connection.request("POST", "/v1/messages", body=chunks, headers=AUTH, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    connection = gateway.connect()
    body = json.dumps(message("claude-a")).encode()
    pieces = (body[start : start + 7] for start in range(0, len(body), 7))
    connection.request("POST", "/v1/messages", body=pieces, headers=AUTH, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_a_declared_length_above_the_limit_is_refused_before_any_byte_of_it(gateway: LoneGateway) -> None:
    with gateway.dial() as connection:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: 99999999999\r\n"
        connection.sendall(f"{head}expect: 100-continue\r\n\r\n".encode())
        answer = read_answer(connection)
        assert connection.recv(1) == b""
    assert (answer.status, answer.headers["connection"]) == (413, "close")


@pytest.mark.parametrize("encoding", ["compress", "gzip, gzip"])
def test_a_body_in_an_unknown_encoding_is_refused_with_a_hint(gateway: LoneGateway, encoding: str) -> None:
    answer = gateway.call("POST", "/v1/messages", body=b"x", headers={**AUTH, "content-encoding": encoding})
    assert answer.status == 415
    assert "plain JSON" in answer.json["error"]["message"]


def test_a_head_without_end_is_cut_off(gateway: LoneGateway) -> None:
    with gateway.dial() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        try:
            for _ in range(100):
                connection.sendall(b"y" * 10_000)
            answer = connection.recv(65536)
        except ConnectionError:
            answer = b"HTTP/1.1 431"  # reset before it could be read: cut off all the same
    assert answer.startswith(b"HTTP/1.1 431")
    assert gateway.call("GET", "/healthz").status == 200


def test_a_client_that_leaves_in_the_middle_of_its_body_is_let_go(gateway: LoneGateway) -> None:
    with gateway.dial() as connection:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b"{")
        until(lambda: gateway.status().in_flight == 1, what="the request")
    (line,) = gateway.requests(count=1, status=499)
    assert (line["outcome"], line["client"]) == ("cancelled", "ns/dev")
    assert gateway.status().in_flight == 0


def test_one_connection_serves_many_requests(gateway: LoneGateway) -> None:
    connection = gateway.connect()
    for model in ("claude-a", "x", "gpt-a"):
        path = "/v1/chat/completions" if model == "gpt-a" else "/v1/messages"
        connection.request("POST", path, body=json.dumps(message(model)), headers=AUTH)
        response = connection.getresponse()
        response.read()
        assert response.status == (404 if model == "x" else 200)
        assert response.getheader("connection") != "close"
    connection.close()


def test_an_offer_to_upgrade_is_ignored_and_the_body_is_not_lost(gateway: LoneGateway, upstream: Scripted) -> None:
    body = json.dumps(message("claude-a")).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n"
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    with gateway.dial() as connection:
        for _ in range(2):
            connection.sendall(f"{head}{offer}".encode() + body)
            assert read_answer(connection).status == 200
    assert not [name for name, _ in upstream.last.headers if "pgrade" in name.lower()]


def test_requests_sent_ahead_are_answered_in_order(gateway: LoneGateway) -> None:
    body = json.dumps(message("claude-a")).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    with gateway.dial() as connection:
        connection.sendall((head.encode() + body) * 3 + b"GET /nope HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"200", b"404"]


def test_each_request_is_one_log_line_without_content_or_key(gateway: LoneGateway, upstream: Scripted) -> None:
    headers = {**AUTH, "x-claude-code-session-id": "s-1"}
    for stream in (False, True):
        body = message("claude-a", stream=stream)
        assert gateway.call("POST", "/v1/messages?beta=true", body=body, headers=headers).status == 200
    assert upstream.last.path == "/v1/messages"
    plain, streamed = gateway.requests(count=2, session="s-1")
    for line, stream in ((plain, False), (streamed, True)):
        assert line["stream"] is stream
        assert (line["client"], line["route"], line["session"]) == ("ns/dev", "ns/claude-a", "s-1")
        assert (line["status"], line["outcome"], line["lane"], line["attempts"]) == (200, "ok", "relay", 1)
        assert line["input_tokens"] > 0
        assert line["output_tokens"] > 0
        assert line["bytes_in"] == len(json.dumps(message("claude-a", stream=stream)))
        assert line["bytes_out"] > 0
        assert 0 < line["ttft_ms"] <= line["duration_ms"]
    for text in (KEY, FEW, CONTENT):
        assert text not in gateway.process.output


def test_the_agent_may_ask_for_state_and_metrics_and_nobody_else(gateway: LoneGateway) -> None:
    assert stat.S_IMODE((gateway.folder / GATEWAY_SOCKET).stat().st_mode) == 0o600
    assert gateway.status().revision == policy_revision(gateway)
    gateway.call("POST", "/v1/messages", body=message("claude-a"), headers=AUTH)
    text = gateway.internal("/metrics").decode()
    labels = 'client="ns/dev",format="Messages",route="ns/claude-a",status="200"'
    assert f"claude_gateway_requests_total{{{labels}}}" in text
    assert 'claude_gateway_tokens_total{client="ns/dev",route="ns/claude-a",type="input"}' in text
    otel = 'gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="ns/claude-a"'
    assert f"gen_ai_server_request_duration_seconds_count{{{otel}}}" in text
    assert f"gen_ai_server_time_to_first_token_seconds_count{{{otel}}}" in text
    assert (
        'claude_gateway_upstream_errors_total{kind="connect",provider="anthropic",reason="refused",route="ns/dead"}'
        in text
    )
    assert "claude_gateway_requests_in_flight 0.0" in text
    assert "process_resident_memory_bytes" in text


def policy_revision(gateway: LoneGateway) -> str:
    loaded = gateway.process.lines("config_loaded")
    assert loaded[-1]["routes"] == 4
    return str(loaded[-1]["revision"])
