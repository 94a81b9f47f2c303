"""The parts of ``serve`` by themselves: ports, environment, log lines, the run directory, children."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.processes.waiting import until

from claude_gateway.cli import addresses, children, console, rundir
from claude_gateway.cli.addresses import Address
from claude_gateway.cli.children import Child
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.rundir import Serving
from claude_gateway.cli.supervisor import BACKOFF_SECONDS, ChildFailedError, Supervisor, listening


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:4000", "127.0.0.1", 4000),
        ("[::1]:0", "::1", 0),
        (":80", "", 80),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = addresses.parse(text)
    assert (address.host, address.port, str(address)) == (host, port, text)


@pytest.mark.parametrize("text", ["4000", "::1:4000", "h:", "h:x", "h:65536", "h:-1", "h:²"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        addresses.parse(text)


def test_a_wildcard_is_reached_by_loopback() -> None:
    assert str(addresses.parse("0.0.0.0:1").local) == "127.0.0.1:1"
    assert str(addresses.parse("[::]:1").local) == "[::1]:1"
    assert not addresses.parse("0.0.0.0:1").is_loopback
    assert addresses.parse("127.8.8.8:1").is_loopback


def test_a_taken_port_names_its_holder_and_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(Trouble) as caught:
            addresses.require_free(address, option="--listen")
    assert (
        f"is already in use by {Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})"
        in caught.value.message
    )
    assert "--listen" in caught.value.fix
    addresses.require_free(address, option="--listen")


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(Trouble, match=r"cannot listen on 192\.0\.2\.1"):
        addresses.require_free(Address("192.0.2.1", 4000), option="--listen")


def test_a_child_sees_no_key_of_ours() -> None:
    ambient = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://p",
        "LC_ALL": "C",
        "CLAUDE_GATEWAY_MAX_BODY_BYTES": "5",
        "CLAUDE_GATEWAY_KEY": "cgw_x",
        "ANTHROPIC_API_KEY": "x",
        "OPENAI_API_KEY": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "LITELLM_MASTER_KEY": "x",
    }
    assert sorted(children.environment(ambient)) == ["CLAUDE_GATEWAY_MAX_BODY_BYTES", "HTTPS_PROXY", "LC_ALL", "PATH"]
    assert "/bin" not in repr(Child(name="x", module="m", environment=ambient))


def test_only_who_calls_models_sees_who_we_are_in_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.setenv(name, "mine")
    address = Address("127.0.0.1", 0)
    made = children.children(
        run_dir=Path("/r"), source_dir=Path("/s"), listen=address, metrics=address, certificate=None, level="info"
    )
    seen = {child.name: sorted(name for name, value in child.environment.items() if value == "mine") for child in made}
    own = ["AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS"]
    assert seen == {children.GATEWAY: own, children.LITELLM: own, children.AGENT: []}


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A base for run directories, short as a Unix socket needs it."""
    with tempfile.TemporaryDirectory(prefix="xdg-", dir="/tmp") as base:
        monkeypatch.setenv("XDG_RUNTIME_DIR", base)
        yield Path(base)


def test_the_run_directory_is_private_and_goes_away(memory: Path) -> None:
    with rundir.private() as folder:
        assert folder.parent == memory
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        serving = Serving(pid=1, gateway="http://127.0.0.1:4000", agent="http://127.0.0.1:5000")
        rundir.announce(folder, serving)
        assert rundir.find("http://127.0.0.1:4000") == serving
        assert rundir.find("http://127.0.0.1:4001") is None
        with rundir.private() as second:
            assert folder.exists()
            assert second != folder
    assert list(memory.iterdir()) == []


def test_a_base_too_long_for_a_socket_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / ("x" * 100)
    base.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    with rundir.private() as folder:
        assert folder.parent != base


def test_what_a_killed_serve_left_is_removed_and_not_believed(memory: Path) -> None:
    left = memory / f"claude-gateway-{os.getuid()}-left"
    left.mkdir(mode=0o700)
    (left / "lock").touch()
    (left / "secret").write_text("x")
    rundir.announce(left, Serving(pid=1, gateway="http://g", agent="http://a"))
    (memory / "others").mkdir()
    assert rundir.find("http://g") is None
    with rundir.private():
        assert not left.exists()
    assert [path.name for path in memory.iterdir()] == ["others"]


REQUEST = {
    "time": "2026-11-21T09:00:00.123Z",
    "level": "info",
    "event": "request",
    "client": "default/alice",
    "route": "default/claude",
    "lane": "relay",
    "format": "Messages",
    "model": "claude-x\x1b[2J\n",
    "status": 200,
    "outcome": "ok",
    "attempts": 2,
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_read_tokens": 100,
    "cache_creation_tokens": 0,
    "ttft_ms": 310.4,
    "duration_ms": 1234.5,
    "upstream_errors": ["default/claude/0.ab: connect"],
}


def test_a_request_is_one_line_that_cannot_steer_the_terminal() -> None:
    line = console.request(REQUEST)
    assert line.isprintable()
    for part in ("200", "claude-x\\x1b[2J\\n → default/claude (relay)", "default/alice", "1.2 s", "first byte 310 ms"):
        assert part in line
    assert "110 → 5 tokens" in line
    assert "2 attempts" in line
    assert "connect" in line


def test_text_shows_requests_and_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    shown = console.Console(json_lines=False)
    shown.line("gateway", json.dumps(REQUEST))
    shown.line("agent", json.dumps({"event": "bundle swapped", "level": "info"}))
    shown.line("litellm", json.dumps({"event": "broken", "level": "error", "why": "x", "at": ["a.py:1 f", "b.py:2 g"]}))
    shown.line("litellm", "no json")
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert "swapped" not in captured.out + captured.err
    assert "litellm: error: broken why=x\n  a.py:1 f\n  b.py:2 g\n" in captured.err
    assert "litellm: no json" in captured.err


def test_json_keeps_every_line_and_says_whose(capsys: pytest.CaptureFixture[str]) -> None:
    shown = console.Console(json_lines=True)
    shown.line("gateway", json.dumps(REQUEST))
    shown.line("agent", json.dumps({"event": "bundle swapped", "level": "info"}))
    shown.line("litellm", "no json")
    shown.warn("careful", event="careful", child="x")
    shown.block("for people")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["process"] for line in lines] == ["gateway", "agent", "litellm", "serve"]
    assert lines[0]["model"] == REQUEST["model"]
    assert lines[2]["text"] == "no json"
    assert (lines[3]["level"], lines[3]["child"]) == ("warning", "x")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ('{"event": "listening", "address": "127.0.0.1:1"}', "127.0.0.1:1"),
        ('{"event":"listening","address":"/run/x.sock","time":"t"}', "/run/x.sock"),
        ('{"event": "request", "model": "listening"}', None),
        ('"listening"', None),
        ('not "listening"', None),
    ],
)
def test_a_child_says_where_it_listens(text: str, address: str | None) -> None:
    assert listening(text) == address


class Heard:
    """What a supervisor told."""

    def __init__(self) -> None:
        self.output: list[tuple[str, str]] = []
        self.deaths: list[tuple[str, str, float]] = []
        self.restarts: list[tuple[str, int]] = []

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(text) for _, text in self.output]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def line(self, child: str, text: str) -> None:
        self.output.append((child, text))

    def died(self, child: str, how: str, wait: float) -> None:
        self.deaths.append((child, how, wait))

    def restarted(self, child: str, pid: int) -> None:
        self.restarts.append((child, pid))


CHILD = """
import json, os, signal, socket, sys, time
server = socket.create_server(("127.0.0.1", int(os.environ["WHERE"].rpartition(":")[2])))
print(json.dumps({"event": "listening", "address": "127.0.0.1:%d" % server.getsockname()[1]}), flush=True)
print(json.dumps({"event": "pid", "pid": os.getpid(), "group": os.getpgid(0)}), flush=True)
if sys.argv[1:] == ["stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    (tmp_path / "a_child.py").write_text(CHILD)
    (tmp_path / "a_failure.py").write_text("raise SystemExit(3)")
    return str(tmp_path)


def child(path: str, *arguments: str, module: str = "a_child", grace: float = 5.0) -> Child:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "WHERE": "127.0.0.1:0"}
    return Child(
        name="child", module=module, arguments=arguments, environment=environment, listens="WHERE", grace=grace
    )


async def pids(heard: Heard, *, count: int) -> list[int]:
    await asyncio.to_thread(until, lambda: len(heard.events("pid")) == count)
    return [line["pid"] for line in heard.events("pid")]


async def test_a_child_that_is_killed_comes_back_at_its_address(module: str) -> None:
    heard = Heard()
    supervisor = Supervisor([child(module)], heard)
    address = (await supervisor.start())["child"]
    (first,) = await pids(heard, count=1)
    os.kill(first, signal.SIGKILL)
    _, second = await pids(heard, count=2)
    assert heard.deaths == [("child", "was killed by SIGKILL", BACKOFF_SECONDS[0])]
    assert heard.restarts == [("child", second)]
    assert [line["address"] for line in heard.events("listening")] == [address, address]
    assert {name for name, _ in heard.output} == {"child"}
    await supervisor.stop()
    assert not psutil.pid_exists(second)


async def test_a_child_that_does_not_stop_is_made_to(module: str) -> None:
    heard = Heard()
    supervisor = Supervisor([child(module, "stubborn", grace=0.2)], heard)
    await supervisor.start()
    (pid,) = await pids(heard, count=1)
    await supervisor.stop()
    assert not psutil.pid_exists(pid)


async def test_a_child_is_out_of_the_terminals_reach(module: str) -> None:
    heard = Heard()
    supervisor = Supervisor([child(module)], heard)
    await supervisor.start()
    (pid,) = await pids(heard, count=1)
    assert heard.events("pid")[0]["group"] == pid
    await supervisor.stop()


async def test_a_child_that_never_comes_up_ends_the_start(module: str) -> None:
    supervisor = Supervisor([child(module, module="a_failure")], Heard())
    with pytest.raises(ChildFailedError, match="child ended with exit code 3 before it was ready"):
        await supervisor.start()
    await supervisor.stop()


def test_a_child_ends_with_its_starter_however_that_ends(module: str) -> None:
    command = child(module).command
    starter = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({command!r}, stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": module, "WHERE": "127.0.0.1:0"}
    with subprocess.Popen(
        [sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        first = [parent.stdout.readline() for _ in range(3)]
        pid = next(int(line) for line in first if line.strip().isdigit())
        parent.kill()
        parent.stdout.close()
    until(lambda: not _runs(pid), what="the child to end")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
