"""The processes of ``serve``: started, watched, started again and ended."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.processes.waiting import until

from claude_gateway.cli.serving.child import Child
from claude_gateway.cli.serving.supervisor import BACKOFF_SECONDS, ChildFailedError, Supervisor, listening


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


class Recorder:
    """What a supervisor reported."""

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


async def pids(recorder: Recorder, *, count: int) -> list[int]:
    await asyncio.to_thread(until, lambda: len(recorder.events("pid")) == count)
    return [line["pid"] for line in recorder.events("pid")]


async def test_a_child_that_is_killed_comes_back_at_its_address(module: str) -> None:
    recorder = Recorder()
    supervisor = Supervisor([child(module)], recorder)
    address = (await supervisor.start())["child"]
    (first,) = await pids(recorder, count=1)
    os.kill(first, signal.SIGKILL)
    _, second = await pids(recorder, count=2)
    assert recorder.deaths == [("child", "was killed by SIGKILL", BACKOFF_SECONDS[0])]
    assert recorder.restarts == [("child", second)]
    assert [line["address"] for line in recorder.events("listening")] == [address, address]
    assert {name for name, _ in recorder.output} == {"child"}
    await supervisor.stop()
    assert not psutil.pid_exists(second)


async def test_a_child_that_does_not_stop_is_made_to(module: str) -> None:
    recorder = Recorder()
    supervisor = Supervisor([child(module, "stubborn", grace=0.2)], recorder)
    await supervisor.start()
    (pid,) = await pids(recorder, count=1)
    await supervisor.stop()
    assert not psutil.pid_exists(pid)


async def test_a_child_is_out_of_the_terminals_reach(module: str) -> None:
    recorder = Recorder()
    supervisor = Supervisor([child(module)], recorder)
    await supervisor.start()
    (pid,) = await pids(recorder, count=1)
    assert recorder.events("pid")[0]["group"] == pid
    await supervisor.stop()


async def test_a_child_that_never_comes_up_ends_the_start(module: str) -> None:
    supervisor = Supervisor([child(module, module="a_failure")], Recorder())
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
