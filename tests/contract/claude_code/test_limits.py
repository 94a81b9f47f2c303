"""A full backend queues, then says when to try again; a client that leaves takes its process with it."""

import http.client
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest
from tests.support.processes.backend import LOGIN, Backend
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

if TYPE_CHECKING:
    import httpx


HANGS: Final = {"text": "one two three", "midstream": "hang"}
"""An answer that goes on until its client leaves."""


@pytest.fixture
def narrow(scripted: Scripted) -> Iterator[Backend]:
    """A backend for one request at a time, and one more that waits."""
    with Backend(scripted.url, concurrency=1, queue=1) as backend:
        yield backend


@contextmanager
def open_stream(backend: Backend, prompt: str) -> Iterator[http.client.HTTPResponse]:
    """Begin a streamed answer, and read its first event; at the end leave."""
    where = urlsplit(backend.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    body = {"model": "sonnet", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": prompt}]}
    headers = {**backend.headers(), "content-type": "application/json"}
    connection.request("POST", "/v1/messages", body=json.dumps(body), headers=headers)
    response = connection.getresponse()
    assert b"message_start" in response.readline()
    try:
        yield response
    finally:
        response.close()
        connection.close()


def test_a_full_backend_queues_and_then_answers_529(narrow: Backend, scripted: Scripted) -> None:
    waiting: list[httpx.Response] = []
    second = threading.Thread(target=lambda: waiting.append(narrow.ask()))
    scripted.script(HANGS)
    with open_stream(narrow, "first"):
        second.start()
        until(lambda: narrow.metric("claude_gateway_claude_code_queue") == 1, what="a queue")
        third = narrow.ask()
        assert third.status_code == 529
        assert int(third.headers["retry-after"]) > 0
        assert third.json()["error"]["type"] == "overloaded_error"
    second.join()
    assert waiting[0].status_code == 200


def test_a_client_that_leaves_ends_its_process(narrow: Backend, scripted: Scripted) -> None:
    scripted.script(HANGS)
    with open_stream(narrow, "first"):
        narrow.ready(1)
        assert len(narrow.environments()) == 2
    until(lambda: narrow.metric("claude_gateway_claude_code_running") == 0, what="the request to end")
    until(lambda: scripted.last.disconnected is not None, what="the upstream to be left")
    until(lambda: len(narrow.environments()) == 1, what="the process to end")
    assert narrow.ask().status_code == 200


def test_answers_are_finished_before_the_process_ends(narrow: Backend, scripted: Scripted) -> None:
    with open_stream(narrow, "[[pace 0.1]] one two three") as response:
        narrow.process.send(signal.SIGTERM)
        assert response.read().decode().rstrip().endswith('{"type":"message_stop"}')
    assert narrow.process.wait() == 0


def test_processes_are_kept_for_so_many_logins(scripted: Scripted) -> None:
    with Backend(scripted.url, logins=1) as backend:
        for login in ("a", "b"):
            assert backend.ask(login=f"{LOGIN}-{login}").status_code == 200
        backend.ready(1)

        def logins() -> set[str]:
            return {environment["CLAUDE_CODE_OAUTH_TOKEN"] for environment in backend.environments()}

        until(lambda: logins() == {f"{LOGIN}-b"}, what="the older login's processes to end")


def test_an_older_release_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("old")
    old = folder / "claude"
    old.write_text("#!/bin/sh\necho '2.1.197 (Claude Code)'\n")
    old.chmod(0o755)
    (folder / "key").write_text("k" * 32)
    environment = {
        "CLAUDE_GATEWAY_CLI": str(old),
        "CLAUDE_GATEWAY_RUN_DIR": str(folder / "run"),
        "CLAUDE_GATEWAY_BACKEND_KEY_FILE": str(folder / "key"),
        "CLAUDE_GATEWAY_LISTEN": "127.0.0.1:0",
        "CLAUDE_GATEWAY_METRICS_LISTEN": "127.0.0.1:0",
    }
    with Process(python("claude_gateway_claude_code"), environment=environment) as process:
        assert process.wait() == 1
        assert "2.1.328 or newer" in process.lines("start_failed")[0]["error"]
