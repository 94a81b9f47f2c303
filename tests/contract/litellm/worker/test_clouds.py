"""The real LiteLLM speaks to models in clouds: to the right place, with the target's identity or with the pod's own.

A server on loopback stands where Bedrock, Vertex AI, Google's token service and EKS Pod Identity would be.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.builders.objects import aws_keys, bedrock, key_file, route, target, vertex
from tests.support.processes import gateway
from tests.support.processes.worker import Worker, events

NOVA = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hello from Bedrock"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
    "metrics": {"latencyMs": 1},
}
GEMINI = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "hello from Vertex"}]}, "finishReason": "STOP", "index": 0}
    ],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7},
    "modelVersion": "gemini-2.5-pro",
}
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "hello from Claude"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 4},
}
OWN = {
    "AccessKeyId": "AKIAOWN",
    "SecretAccessKey": "own-secret-0123456789",
    "Token": "own-session-token",
    "Expiration": "2099-01-01T00:00:00Z",
}
NOVA_PATH = "/model/amazon.nova-pro-v1%3A0/converse"
GEMINI_PATH = "/v1/projects/my-project/locations/us-east5/publishers/google/models/gemini-2.5-pro"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came to the stand-in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Cloud:
    """The stand-in; ``url`` is its address."""

    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def model_requests(self) -> list[Seen]:
        return [each for each in self.seen if each.path not in ("/token", "/v1/credentials")]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    found = Cloud()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.seen.append(Seen(self.command, self.path, headers, body))
            self._answer(self.path)

        do_GET = do_POST  # noqa: N815 - the base class's way

        def _answer(self, path: str) -> None:
            answer: Any = {"access_token": "token-of-the-service-account", "expires_in": 3600, "token_type": "Bearer"}
            if path == "/v1/credentials":
                answer = OWN
            elif path.endswith("/default/?recursive=true"):
                answer = {"email": "own@pod", "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
            elif "/default/token" in path:
                answer = {"access_token": "token-of-the-pod", "expires_in": 3600, "token_type": "Bearer"}
            elif "converse" in path:
                answer = NOVA
            elif path.endswith(":rawPredict"):
                answer = CLAUDE
            elif path.endswith(":generateContent"):
                answer = GEMINI
            elif ":streamGenerateContent" in path:
                self._send(f"data: {json.dumps(GEMINI)}\n\n".encode(), "text/event-stream")
                return
            self._send(json.dumps(answer).encode(), "application/json")

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("metadata-flavor", "Google")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture(scope="module")
def private_key() -> str:
    """A key that google-auth can sign with."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.private_bytes(*kinds).decode()


def ask(worker: Worker, manifests: list[Any], path: str, body: dict[str, Any], *, model: str = "m") -> Any:
    """Let the control plane decide on manifests, and ask the only target of their route."""
    bundle = gateway.bundle(manifests)
    worker.apply(bundle)
    (only,) = json.loads(bundle.gateway)["routes"][0]["targets"]
    response = worker.post(path, only["id"], body, model=model)
    assert response.status_code == 200, response.text
    return response.json()


HELLO = {"max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]}
NOVA_ROUTE = route(targets=[target("bedrock/amazon.nova-pro-v1:0", "bedrock")])
GEMINI_ROUTE = route(targets=[target("vertex_ai/gemini-2.5-pro", "vertex")])


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_keys_sign_for_their_region(cloud: Cloud, path: str) -> None:
    with Worker(environment={"AWS_SESSION_TOKEN": "of-somebody-else", "AWS_REGION": "eu-west-1"}) as worker:
        answer = ask(worker, [aws_keys(), bedrock(baseURL=cloud.url), NOVA_ROUTE], path, HELLO)
    assert "hello from Bedrock" in json.dumps(answer)
    (seen,) = cloud.seen
    assert seen.path == NOVA_PATH
    assert seen.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    assert "/us-east-1/bedrock/aws4_request" in seen.headers["authorization"]
    assert "x-amz-security-token" not in seen.headers
    assert b"aws-secret" not in seen.body


def test_a_bearer_token_is_sent_as_one(cloud: Cloud) -> None:
    keys = aws_keys(AWS_BEARER_TOKEN_BEDROCK="bedrock-api-key-0123456789")
    with Worker() as worker:
        ask(worker, [keys, bedrock(baseURL=cloud.url), NOVA_ROUTE], "/v1/messages", HELLO)
    (seen,) = cloud.seen
    assert seen.headers["authorization"] == "Bearer bedrock-api-key-0123456789"


def test_without_a_secret_the_pods_own_aws_identity_signs(cloud: Cloud) -> None:
    identity = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.url}/v1/credentials"}
    with Worker(environment={**identity, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "pod"}) as worker:
        for _ in range(2):
            ask(worker, [bedrock(secret=None, baseURL=cloud.url), NOVA_ROUTE], "/v1/messages", HELLO)
    assert [seen.path for seen in cloud.seen] == ["/v1/credentials", NOVA_PATH, NOVA_PATH]
    first, *others = cloud.seen
    assert first.headers["authorization"] == "pod"
    for seen in others:
        assert "Credential=AKIAOWN/" in seen.headers["authorization"]
        assert seen.headers["x-amz-security-token"] == "own-session-token"


def test_a_service_account_gets_a_token_for_its_project(cloud: Cloud, private_key: str) -> None:
    file = key_file(private_key=private_key, token_uri=f"{cloud.url}/token")
    with Worker(environment={"GOOGLE_CLOUD_PROJECT": "of-somebody-else"}) as worker:
        for path in ("/v1/messages", "/v1/chat/completions"):
            answer = ask(worker, [file, vertex(baseURL=cloud.url), GEMINI_ROUTE], path, HELLO)
            assert "hello from Vertex" in json.dumps(answer)
    assert [seen.path for seen in cloud.seen] == ["/token", *[f"{GEMINI_PATH}:generateContent"] * 2]
    assert all(
        seen.headers["authorization"] == "Bearer token-of-the-service-account" for seen in cloud.model_requests()
    )


def test_a_stream_goes_to_the_streaming_path(cloud: Cloud, private_key: str) -> None:
    file = key_file(private_key=private_key, token_uri=f"{cloud.url}/token")
    bundle = gateway.bundle([file, vertex(baseURL=cloud.url), GEMINI_ROUTE])
    with Worker() as worker:
        worker.apply(bundle)
        (only,) = json.loads(bundle.gateway)["routes"][0]["targets"]
        with worker.stream("/v1/messages", only["id"], {**HELLO, "stream": True}) as response:
            received = events(response.read().decode())
    assert "hello from Vertex" in json.dumps(received)
    assert [seen.path.partition("?")[0] for seen in cloud.model_requests()] == [f"{GEMINI_PATH}:streamGenerateContent"]


def test_clients_of_another_format_reach_claude_in_both_clouds(cloud: Cloud, private_key: str) -> None:
    file = key_file(private_key=private_key, token_uri=f"{cloud.url}/token")
    at_bedrock = [aws_keys(), bedrock(baseURL=cloud.url), route(targets=[target("bedrock/*", "bedrock")])]
    at_vertex = [file, vertex(baseURL=cloud.url), route(targets=[target("vertex_ai/*", "vertex")])]
    chat, ids = "/v1/chat/completions", ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5@20250929")
    with Worker() as worker:
        ask(worker, at_bedrock, chat, HELLO, model=ids[0])
        ask(worker, at_vertex, chat, HELLO, model=ids[1])
    bedrocks, vertexs = cloud.model_requests()
    assert bedrocks.path == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    assert "/us-east-1/bedrock/aws4_request" in bedrocks.headers["authorization"]
    place = "/v1/projects/my-project/locations/us-east5/publishers/anthropic/models"
    assert vertexs.path == f"{place}/claude-sonnet-4-5@20250929:rawPredict"
    assert vertexs.headers["authorization"] == "Bearer token-of-the-service-account"


def test_without_a_secret_the_pods_own_google_identity_is_asked_for(cloud: Cloud) -> None:
    host = cloud.url.removeprefix("http://")
    with Worker(environment={"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host}) as worker:
        bundle = gateway.bundle([vertex(secret=None, baseURL=cloud.url), GEMINI_ROUTE])
        worker.apply(bundle)
        (only,) = json.loads(bundle.gateway)["routes"][0]["targets"]
        response = worker.post("/v1/messages", only["id"], HELLO)
    assert "hello from Vertex" in response.text
    (seen,) = (seen for seen in cloud.seen if "generateContent" in seen.path)
    assert seen.path == f"{GEMINI_PATH}:generateContent"
    assert seen.headers["authorization"] == "Bearer token-of-the-pod"


def test_no_identity_is_an_error_of_the_gateway(cloud: Cloud) -> None:
    with Worker(environment={"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}) as worker:
        bundle = gateway.bundle([bedrock(secret=None, baseURL=cloud.url), NOVA_ROUTE])
        worker.apply(bundle)
        (only,) = json.loads(bundle.gateway)["routes"][0]["targets"]
        response = worker.post("/v1/messages", only["id"], HELLO)
    assert response.status_code >= 500
    assert cloud.seen == []
