"""``spend`` as people run it: next to their own ``serve``, on log lines, and with a Prometheus."""

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.processes.command import call
from tests.support.processes.serve import Starter
from tests.support.processes.waiting import until


def _json(*arguments: str | Path) -> dict[str, Any]:
    outcome = call("spend", *arguments, "-o", "json")
    assert outcome.code == 0, outcome.stderr
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def test_what_serve_answered_is_shown_also_after_its_end(start: Starter, tmp_path: Path) -> None:
    state = tmp_path / "state"
    serve = start("--state", str(state))
    for _ in range(2):
        assert serve.ask().status_code == 200
    logged = until(lambda: found if len(found := serve.events("request")) == 2 else [], what="two requests")
    serve.process.stop()
    found = _json("--by", "client,model", "--state", state)
    total = sum(Decimal(line["cost_usd"]) for line in logged)
    assert total > 0
    (group,) = found["groups"]
    assert (group["client"], group["model"], group["requests"]) == ("default/alice", "claude-sonnet-5-5", 2)
    assert Decimal(group["cost_usd"]) == Decimal(found["total"]["cost_usd"]) == total
    assert found["source"] == str(state / "usage")
    shown = call("spend", "--state", state, "--since", "1h").stdout.splitlines()
    assert shown[1].split() == [
        "CLIENT",
        "MODEL",
        "COST",
        "REQUESTS",
        "INPUT",
        "OUTPUT",
        "CACHE",
        "READ",
        "CACHE",
        "WRITTEN",
    ]
    # The same lines, saved from the log.
    log = tmp_path / "serve.log"
    log.write_text(serve.process.output)
    assert _json("--by", "client,model", log)["groups"] == found["groups"]
    assert _json("--state", state, "--until", "1h")["groups"] == []


class _Prometheus(BaseHTTPRequestHandler):
    asked: list[tuple[str, str | None]]
    answers: list[tuple[int, object]]

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.asked.append((query["query"][0], self.headers["authorization"]))
        status, document = self.answers.pop(0)
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def prometheus() -> Iterator[tuple[str, type[_Prometheus]]]:
    handler = type("Handler", (_Prometheus,), {"asked": [], "answers": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_prometheus_knows_the_sums_of_all_pods(prometheus: tuple[str, type[_Prometheus]], tmp_path: Path) -> None:
    url, handler = prometheus
    result = [
        {"metric": {"client": "ai/a"}, "value": [1, "0.25"]},
        {"metric": {"client": "ai/b"}, "value": [1, "12.5"]},
        {"metric": {"client": "ai/c"}, "value": [1, "NaN"]},
    ]
    handler.answers.append((200, {"status": "success", "data": {"resultType": "vector", "result": result}}))
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    found = _json("--prometheus", f"{url}/", "--by", "client", "--match", 'namespace="ai"', "--token-file", token)
    assert [(each["client"], each["cost_usd"]) for each in found["groups"]] == [
        ("ai/b", "12.5"),
        ("ai/a", "0.25"),
        ("ai/c", "0"),
    ]
    ((query, authorization),) = handler.asked
    assert 'claude_gateway_cost_dollars_total{namespace="ai"}[604800s]' in query
    assert authorization == "Bearer t0ken"


@pytest.mark.parametrize(
    ("status", "document", "said"),
    [
        (400, {"status": "error", "error": "parse error"}, "Prometheus answered 400: parse error"),
        (200, b"<html>", "the server that answers with 200 is not a Prometheus"),
        (200, [], "the server that answers with 200 is not a Prometheus"),
        (200, {"status": "success", "data": {"result": [{}]}}, "the server that answers with 200 is not a Prometheus"),
    ],
)
def test_what_prometheus_rejects_is_said(
    prometheus: tuple[str, type[_Prometheus]], status: int, document: object, said: str
) -> None:
    url, handler = prometheus
    handler.answers.append((status, document))
    outcome = call("spend", "--prometheus", url)
    assert (outcome.code, said in outcome.stderr) == (1, True), outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--by", "clients"), 2, "--by: `clients` is unknown; choose from client"),
        (("--since", "soon"), 2, "--since: `soon` is not a time"),
        (("--until", "8d"), 2, "--since must be before --until"),
        (("--match", "a"), 2, "need --prometheus"),
        (("-", "--prometheus", "http://127.0.0.1:9"), 2, "cannot be used together"),
        (("--prometheus", "http://127.0.0.1:9"), 1, "no Prometheus at 127.0.0.1:9: connection refused"),
        (("--prometheus", "http://127.0.0.1:9", "--by", "user"), 1, "Prometheus has no cost by user"),
        (("/",), 1, "/ cannot be read"),
    ],
)
def test_mistakes_are_named_with_a_fix(arguments: tuple[str, ...], code: int, said: str) -> None:
    outcome = call("spend", *arguments)
    assert (outcome.code, said in outcome.stderr) == (code, True), outcome.stderr
