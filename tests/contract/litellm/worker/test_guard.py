"""Where the worker connects to: nowhere by itself, to refused addresses never, whatever a name resolves to."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from tests.support.processes.worker import Worker, bundle, deployment

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.litellm.downloads import REFUSAL
from claude_gateway_scripted.local import Scripted

HELLO = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": {"max_tokens": 50, "messages": HELLO},
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/completions": {"prompt": "hello"},
    "/v1/responses": {"input": "hello"},
    "/v1/embeddings": {"input": "hello"},
    "/v1/messages/count_tokens": {"messages": HELLO},
}
PROVIDERS = ("hosted_vllm", "anthropic", "openai", "gemini", "azure", "cohere_chat", "ollama_chat", "deepseek")

OFFLINE = """
import os, sys, json
from claude_gateway_proxy.litellm import environment, library
environment.reduce(os.environ)
seen = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        seen.append([event, repr(arguments[1:])])
        raise ConnectionRefusedError(event)
sys.addaudithook(hook)
module = library.import_litellm()
print(json.dumps({"seen": seen, "callbacks": module.callbacks, "fastapi": "fastapi" in sys.modules}))
"""


def test_the_import_asks_nobody() -> None:
    run = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, check=True, timeout=60)
    assert json.loads(run.stdout) == {"seen": [], "callbacks": [], "fastapi": False}


@pytest.fixture(scope="module")
def secret_service() -> Iterator[Scripted]:
    """A server on loopback that no client may reach."""
    with Scripted() as scripted:
        yield scripted


def _port(scripted: Scripted) -> int:
    return int(scripted.url.rpartition(":")[2])


@pytest.mark.parametrize(
    ("provider", "host"),
    [
        *((provider, "localhost") for provider in PROVIDERS),
        *(("hosted_vllm", host) for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433")),
    ],
)
def test_loopback_is_refused_by_whatever_name(
    worker: Worker, secret_service: Scripted, provider: str, host: str
) -> None:
    base = f"http://{host}:{_port(secret_service)}/v1"
    worker.apply(bundle(deployment("inside", f"{provider}/m", api_base=base), egress=Egress()))
    for path, body in BODIES.items():
        answer = worker.post(path, "inside", body)
        assert answer.status_code in (400, 500, 501, 502), (path, answer.text)
        assert "/" not in answer.json()["error"]["message"].replace("https://docs.litellm.ai/docs/providers", "")
        if path == "/v1/chat/completions" and host in ("127.0.0.1", "localhost") and provider != "ollama_chat":
            assert answer.status_code == 502
            assert "not allowed" in answer.json()["error"]["message"]
    assert not secret_service.requests


@pytest.mark.parametrize("address", ["169.254.169.254", "100.100.100.200", "[fd00:ec2::254]"])
def test_metadata_services_are_refused(worker: Worker, address: str) -> None:
    worker.apply(bundle(deployment("inside", "hosted_vllm/m", api_base=f"http://{address}/v1")))
    answer = worker.post("/v1/chat/completions", "inside", BODIES["/v1/chat/completions"])
    assert answer.status_code == 502
    assert "not allowed" in answer.json()["error"]["message"]


def test_an_allowed_host_is_reached_and_its_neighbour_is_not(worker: Worker, upstream: Scripted) -> None:
    allowed = Egress(hosts=("localhost",))
    near = deployment("named", "hosted_vllm/m", api_base=f"http://localhost:{_port(upstream)}/v1")
    far = deployment("numbered", "hosted_vllm/m", api_base=upstream.openai_url)
    worker.apply(bundle(near, far, egress=allowed))
    assert worker.post("/v1/chat/completions", "numbered", {"messages": HELLO}).status_code == 502
    assert worker.post("/v1/chat/completions", "named", {"messages": HELLO}).status_code == 200
    assert len(upstream.requests) == 1


def test_what_is_allowed_is_allowed_to_the_targets_port_only(
    worker: Worker, upstream: Scripted, secret_service: Scripted
) -> None:
    # Ollama's adapter asks an address of its own making; the target is elsewhere.
    worker.apply(bundle(deployment("ollama", "ollama_chat/m", api_base=upstream.url)))
    image = {"type": "image_url", "image_url": {"url": f"{secret_service.url}/image.png"}}
    worker.post("/v1/chat/completions", "ollama", {"messages": [{"role": "user", "content": [image]}]})
    assert not secret_service.requests


class Moving(ThreadingHTTPServer):
    """A server whose every path has moved: to ``elsewhere`` if it is given, else to another path of its own."""

    def __init__(self, elsewhere: str | None) -> None:
        super().__init__(("127.0.0.1", 0), MovingHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.to = f"{elsewhere or self.url}/moved"
        self.paths: list[str] = []


class MovingHandler(BaseHTTPRequestHandler):
    """Answers one request with a redirect that keeps method and body."""

    def do_POST(self) -> None:
        assert isinstance(self.server, Moving)
        self.server.paths.append(self.path)
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(307 if not self.path.startswith("/moved") else 404)
        self.send_header("location", self.server.to + self.path)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.mark.parametrize("far", [False, True], ids=["same host", "another host"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_redirect_is_followed(worker: Worker, secret_service: Scripted, provider: str, far: bool) -> None:
    with Moving(secret_service.url if far else None) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        worker.apply(bundle(deployment("moved", f"{provider}/m", api_base=f"{server.url}/v1")))
        for path, body in BODIES.items():
            for stream in (False, True):
                answer = worker.post(path, "moved", {**body, "stream": stream} if "embed" not in path else body)
                assert answer.status_code in (400, 500, 501, 502), (path, stream, answer.text)
        server.shutdown()
    assert server.paths
    assert not [path for path in server.paths if path.startswith("/moved")]
    assert not secret_service.requests


def test_a_configured_proxy_may_be_on_loopback() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with Worker(environment={"HTTP_PROXY": proxy, "NO_PROXY": ""}) as worker:
        worker.apply(bundle(deployment("far", "hosted_vllm/m", api_base="http://192.0.2.1/v1"), egress=Egress()))
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(worker.post, "/v1/chat/completions", "far", BODIES["/v1/chat/completions"])
            connection, _ = listener.accept()
            with connection:
                line = connection.recv(65536).split(b"\r\n")[0]
                connection.sendall(b"HTTP/1.1 503 no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            assert asking.result(30).status_code == 503
    listener.close()
    assert line.startswith(b"POST http://192.0.2.1/v1/chat/completions ")


NAMED = """
import asyncio, json, os, sys
from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm import environment, library
from claude_gateway_proxy.litellm.exceptions import of_exception
from claude_gateway_proxy.litellm.targets import Target
environment.reduce(os.environ)
seen = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname") and "127.0.0.1" not in repr(arguments):
        seen.append(repr(arguments[:2] if "get" in event else arguments[1:]))
        raise ConnectionRefusedError(event)
sys.addaudithook(hook)
litellm = library.import_litellm()
aws = dict(aws_region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="s", aws_session_token="")
aws["aws_bedrock_runtime_endpoint"] = "http://127.0.0.1:9"
key = dict(api_key="k", api_base="http://127.0.0.1:9")
found = []
async def ask(model, part, **target):
    message = {"role": "user", "content": [{"type": "text", "text": "hello"}, part]}
    calls = [litellm.acompletion(model=model, messages=[message], max_retries=0, **target)]
    for call in calls:
        try:
            await call
        except Exception as error:
            known = Target(id="t", model=model, api_base=None, api_key=None, timeout=None, dial=None)
            failure = of_exception(error, target=known, format=Format.CHAT)
            found.append([model, part["type"], failure.status, failure.message])
async def main():
    for model, target in (
        ("bedrock/amazon.nova-pro-v1:0", aws), ("bedrock/meta.llama3-2-90b-instruct-v1:0", aws),
        ("bedrock/anthropic.claude-3-haiku-20240307-v1:0", aws), ("bedrock/openai.gpt-oss-20b-1:0", aws),
        ("gemini/gemini-2.5-pro", key), ("anthropic/claude-sonnet-4-5", key), ("ollama_chat/m", key),
        ("mistral/m", key), ("cohere_chat/m", key), ("openai/gpt-5", key), ("azure/gpt-5", key),
        ("fireworks_ai/m", key), ("databricks/m", key), ("deepseek/m", key), ("snowflake/m", key),
        ("azure_ai/m", key), ("moonshot/m", key), ("perplexity/m", key),
    ):
        for scheme in ("http", "https"):
            url = scheme + "://named-by-the-client.example/x"
            for part in (
                {"type": "image_url", "image_url": {"url": url}}, {"type": "image_url", "image_url": url + ".png"},
                {"type": "file", "file": {"file_id": url, "format": "application/pdf"}},
                {"type": "file", "file": {"file_data": url + ".pdf", "filename": "x.pdf"}},
                {"type": "video_url", "video_url": {"url": url + ".mp4"}},
                {"type": "audio_url", "audio_url": {"url": url}},
                {"type": "document_url", "document_url": {"url": url}},
            ):
                await ask(model, part, **target)
asyncio.run(main())
print(json.dumps({"seen": seen, "found": found}))
sys.stdout.flush()
os._exit(0)
"""


def test_nothing_that_a_client_names_is_looked_up_or_fetched() -> None:
    run = subprocess.run([sys.executable, "-c", NAMED], capture_output=True, timeout=300)
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    answer = json.loads(run.stdout.splitlines()[-1])
    assert not [each for each in answer["seen"] if "named-by-the-client" in each]
    refused = {(model, kind) for model, kind, status, words in answer["found"] if status == 400 and words == REFUSAL}
    assert {
        ("bedrock/amazon.nova-pro-v1:0", "image_url"),
        ("gemini/gemini-2.5-pro", "image_url"),
        ("anthropic/claude-sonnet-4-5", "image_url"),
    } <= refused
    assert ("openai/gpt-5", "image_url") not in refused, "this provider fetches images itself"
