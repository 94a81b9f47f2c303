"""The worker as a process: its socket, its reloads, callers that leave, and its own end."""

import json
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until
from tests.support.processes.worker import ENTRY, KEY, Worker, bundle, deployment, events

from claude_gateway.contract.bundle import Bundle, secret_entry
from claude_gateway_scripted.journal import digest
from claude_gateway_scripted.local import Scripted

HELLO = [{"role": "user", "content": "hello"}]
CHAT: dict[str, Any] = {"messages": HELLO}
MESSAGES: dict[str, Any] = {"max_tokens": 50, "messages": HELLO}
COLLECTED = """
import asyncio, gc, os
from claude_gateway_proxy.litellm import environment
environment.reduce(os.environ)
from claude_gateway_proxy.litellm.library import Library
asyncio.run(Library().get())
print(len(gc.get_objects()), gc.get_freeze_count())
"""
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": MESSAGES,
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"prompt": "hello"},
    "/v1/responses": {"input": "hello"},
}


def document(*targets: dict[str, str]) -> bytes:
    route = {"name": "r", "models": ["m"], "targets": [{"provider": "a", "model": "b", **each} for each in targets]}
    return json.dumps({"egress": {"loopback": True}, "routes": [route]}).encode()


def test_the_socket_is_for_one_user_and_replaces_a_stale_one(upstream: Scripted) -> None:
    worker = Worker()
    worker.socket.parent.mkdir(mode=0o700)
    worker.socket.touch()
    with worker:
        assert stat.S_ISSOCK(worker.socket.stat().st_mode)
        assert stat.S_IMODE(worker.socket.stat().st_mode) == 0o600
        assert worker.http.get("/healthz").text == "ok\n"
        assert worker.http.get("/else").status_code == 404
        assert worker.http.get("/v1/messages").status_code == 404
        assert worker.status().revision is None
        assert "litellm_loaded" not in worker.process.output


def test_a_garbage_collection_does_not_walk_what_litellm_imported() -> None:
    run = subprocess.run([sys.executable, "-c", COLLECTED], capture_output=True, text=True, check=True, timeout=120)
    walked, frozen = map(int, run.stdout.split())
    assert frozen > 100_000
    assert walked < frozen / 10


def test_litellm_is_imported_when_a_target_needs_it_only(upstream: Scripted) -> None:
    with Worker() as worker:
        worker.apply(bundle(deployment("claude", "anthropic/m", api_base=upstream.url)))
        assert not worker.process.lines("litellm_loaded")
        preload = deployment("vllm", "hosted_vllm/m", api_base=upstream.openai_url)
        worker.apply(bundle(preload))
        until(lambda: worker.process.lines("litellm_loaded"), what="LiteLLM")
        page = worker.http.get("/metrics").text
        assert 'claude_gateway_config_info{revision="' in page
        assert "claude_gateway_requests_in_flight 0.0" in page


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("path", "body"), BODIES.items())
@pytest.mark.parametrize("provider", ["vllm", "anthropic", "openai"])
def test_a_caller_that_leaves_ends_the_upstreams_work(
    worker: Worker, upstream: Scripted, provider: str, path: str, body: dict[str, Any], stream: bool
) -> None:
    if stream:
        upstream.script({"text": "one two three four five six seven eight", "midstream": "hang", "midstream_after": 2})
        with worker.stream(path, provider, {**body, "stream": True}) as answer:
            chunks = answer.iter_raw()
            next(chunks)
    else:
        upstream.script({"delay": 60})
        with worker.ask_and_leave(path, provider, body):
            until(lambda: upstream.requests, what="the request")
    until(lambda: upstream.last.disconnected is not None, what="the upstream to be left")
    until(lambda: worker.status().in_flight == 0, what="the request to be over")


def test_a_target_that_comes_late_is_waited_for(upstream: Scripted) -> None:
    with Worker() as worker, ThreadPoolExecutor(1) as pool:
        worker.apply(bundle())
        asking = pool.submit(worker.post, "/v1/chat/completions", "new", CHAT)
        until(lambda: worker.status().in_flight == 1, what="the request")
        worker.apply(bundle(deployment("new", "hosted_vllm/m", api_base=upstream.openai_url)))
        assert asking.result(30).status_code == 200
        unknown = worker.post("/v1/messages", "never", MESSAGES)
        assert unknown.status_code == 503
        assert unknown.json()["error"]["type"] == "api_error"


def test_a_target_that_went_serves_who_began_with_it(worker: Worker, upstream: Scripted) -> None:
    worker.apply(bundle(deployment("old", "hosted_vllm/m", api_base=upstream.openai_url)))
    worker.apply(bundle(deployment("new", "hosted_vllm/m", api_base=upstream.openai_url)))
    assert worker.post("/v1/chat/completions", "old", CHAT).status_code == 200


def test_a_stream_outlives_a_reload(worker: Worker, upstream: Scripted) -> None:
    worker.apply(bundle(deployment("slow", "hosted_vllm/m", api_base=upstream.openai_url)))
    upstream.script({"text": "one two three four", "chunk_delay": 0.3})
    with worker.stream("/v1/chat/completions", "slow", {**CHAT, "stream": True}) as answer:
        chunks = answer.iter_text()
        text = next(chunks)
        worker.apply(bundle(deployment("other", "hosted_vllm/m", api_base=upstream.openai_url)))
        text += "".join(chunks)
    assert [data for _, data in events(text)][-1] == "[DONE]"


@pytest.mark.parametrize(
    "gateway",
    [
        b'{"routes": [',
        b'{"routes": 5}',
        b"\xff",
        document({"id": "x", "secret": "no"}),
        document({"id": "x", "provider": "os.environ", "model": "X"}),
        document({"id": "x"}, {"id": "x"}),
    ],
)
def test_a_broken_bundle_changes_nothing_and_is_told(worker: Worker, upstream: Scripted, gateway: bytes) -> None:
    good = worker.apply(bundle(deployment("vllm", "hosted_vllm/m", api_base=upstream.openai_url)))
    broken = worker.offer(Bundle(gateway=gateway, litellm=b""))
    until(lambda: worker.status().refused == broken, what="the refusal")
    report = worker.status()
    assert report.revision == good
    assert report.error is not None
    assert "gateway.json" in report.error or "secret part" in report.error or "environment" in report.error
    assert worker.post("/v1/chat/completions", "vllm", CHAT).status_code == 200


def test_a_rotated_key_is_used_at_once(worker: Worker, upstream: Scripted) -> None:
    entry = secret_entry("target", b"sk-second")
    worker.apply(bundle(deployment("a.1", "hosted_vllm/m", api_base=upstream.openai_url)))
    worker.post("/v1/completions", "a.1", {"prompt": "x"})
    assert upstream.last.credential == digest(KEY)
    second = deployment("a.2", "hosted_vllm/m", api_base=upstream.openai_url, secret=entry)
    worker.apply(bundle(second, secrets={entry: b"sk-second"}))
    for path, body in (
        ("/v1/completions", {"prompt": "x"}),
        ("/v1/chat/completions", CHAT),
        ("/v1/messages", MESSAGES),
    ):
        worker.post(path, "a.2", body)
        assert upstream.last.credential == digest("sk-second")
    assert KEY not in worker.process.output
    assert entry != ENTRY


def test_two_hundred_reloads_leak_nothing(worker: Worker, upstream: Scripted) -> None:
    process = psutil.Process(worker.process.pid)

    def reload(number: int) -> None:
        entry = secret_entry("target", f"sk-{number}".encode())
        many = [
            deployment(f"t{n}.{number}", "hosted_vllm/m", api_base=upstream.openai_url, secret=entry)
            for n in range(100)
        ]
        worker.apply(bundle(*many, secrets={entry: f"sk-{number}".encode()}))
        for path, body in (
            ("/v1/chat/completions", CHAT),
            ("/v1/messages", MESSAGES),
            ("/v1/completions", {"prompt": "x"}),
        ):
            assert worker.post(path, f"t0.{number}", body).status_code == 200
        upstream.forget()

    for number in range(60):
        reload(number)
    before, files = process.memory_info().rss, process.num_fds()
    for number in range(60, 200):
        reload(number)
    grown = process.memory_info().rss - before
    assert grown < 30 * 1024 * 1024, f"{grown / 1024 / 1024:.1f} MiB"
    assert process.num_fds() <= files + 5


def test_sigterm_lets_answers_end_and_removes_the_socket(upstream: Scripted) -> None:
    with Worker() as worker:
        worker.apply(bundle(deployment("vllm", "hosted_vllm/m", api_base=upstream.openai_url)))
        upstream.script({"text": "one two three four five six", "chunk_delay": 0.2})
        with worker.stream("/v1/messages", "vllm", {**MESSAGES, "stream": True}) as answer:
            chunks = answer.iter_text()
            text = next(chunks)
            worker.process.send(signal.SIGTERM)
            text += "".join(chunks)
        assert events(text)[-1][0] == "message_stop"
        assert worker.process.wait() == 0
        assert not worker.socket.exists()
        assert worker.process.lines("stopped")


def test_the_grace_has_an_end(upstream: Scripted) -> None:
    with Worker(environment={"CLAUDE_GATEWAY_SHUTDOWN_SECONDS": "1"}) as worker:
        worker.apply(bundle(deployment("vllm", "hosted_vllm/m", api_base=upstream.openai_url)))
        upstream.script({"text": "one two three", "midstream": "hang", "midstream_after": 2})
        with worker.stream("/v1/messages", "vllm", {**MESSAGES, "stream": True}) as answer:
            next(answer.iter_raw())
            worker.process.send(signal.SIGTERM)
            assert worker.process.wait() == 0


def test_wrong_settings_are_told(tmp_path: Path) -> None:
    environment = {"CLAUDE_GATEWAY_RUN_DIR": str(tmp_path), "CLAUDE_GATEWAY_LOG_LEVEL": "loud"}
    with Process(python("claude_gateway_proxy.litellm"), environment=environment) as process:
        assert process.wait() == 2
        assert "CLAUDE_GATEWAY_LOG_LEVEL" in process.output


def test_a_run_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    environment = {"CLAUDE_GATEWAY_RUN_DIR": str(tmp_path / "absent")}
    with Process(python("claude_gateway_proxy.litellm"), environment=environment) as process:
        assert process.wait() == 1
        assert process.lines("start_failed")


def test_nothing_but_json_is_logged(worker: Worker) -> None:
    for line in worker.process.output.splitlines():
        assert json.loads(line)["event"]
