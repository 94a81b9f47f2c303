"""A start that is given up leaves no process, no folder and no address at the shim."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest
from tests.support.processes.backend import LOGIN
from tests.support.processes.waiting import until_async

from claude_gateway_claude_code.command import Command
from claude_gateway_claude_code.session import Session
from claude_gateway_claude_code.settings import find_cli
from claude_gateway_claude_code.shim import Pass, Shim
from claude_gateway_claude_code.upstream import Upstream


class _Noted(Shim):
    """Notes the secrets of the addresses that it opened and closed."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(upstream, refused=lambda: None)
        self.opened: list[str] = []
        self.closed: list[str] = []

    def open(self) -> Pass:
        made = super().open()
        self.opened.append(made.base_url)
        return made

    def forget(self, secret: str) -> None:
        super().forget(secret)
        self.closed.append(f"{self.origin}/{secret}")


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 20, 200])
async def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path, steps: int) -> None:
    named = os.environ.get("CLAUDE_GATEWAY_CLI")
    cli = find_cli(None if named is None else Path(named))
    assert cli is not None
    command = Command(cli, tmp_path, proxy="http://127.0.0.1:9")
    command.prepare()
    there = Upstream("http://127.0.0.1:9", proxy=None, extra_ca=None)
    shim = _Noted(there)
    shim.origin = "http://127.0.0.1:9"
    start = asyncio.create_task(Session.start(command, shim, login=LOGIN))
    for _ in range(steps):
        await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start

    async def ended() -> bool:
        return not [child for child in psutil.Process().children() if child.name() == cli.name]

    await until_async(ended, what="the process to end")
    assert list((tmp_path / "homes").iterdir()) == []
    assert sorted(shim.opened) == sorted(shim.closed)
    await there.close()
