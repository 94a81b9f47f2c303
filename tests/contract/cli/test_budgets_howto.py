"""The how-to of budgets, followed word for word with the scripted model."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.serve import Serve

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs" / "how-to" / "budgets-for-teams.md"


def _blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_page_works_as_it_is_written(tmp_path: Path) -> None:
    gateway, first, small, again, *_ = _blocks()
    copy, keys, serve = gateway.splitlines()
    assert serve.startswith("claude-gateway serve ")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    # Not as written: free ports.
    port, scripted = free_port(), free_port()
    for file in (tmp_path / "examples" / "budgets").iterdir():
        file.write_text(file.read_text().replace(":4001", f":{scripted}"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def shell(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done
        return done.stdout

    shell(f"{copy}\n{keys}")
    # Short: Unix sockets are inside.
    memory = Path(tempfile.mkdtemp(prefix="xdg-", dir="/tmp"))
    arguments = serve.replace("4001", str(scripted)).split()[1:]
    more = ["--listen", f"127.0.0.1:{port}", "--log-format", "json"]
    command = [sys.executable, "-m", "claude_gateway.cli", *arguments, *more]
    within = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(tmp_path)]
    process = Process([*within, *command], environment={**environment, "XDG_RUNTIME_DIR": str(memory)})
    try:
        assert Serve(process, tmp_path, memory).url.endswith(f":{port}")
        asking = first.replace(":4000", f":{port}")
        define = asking[: asking.index("ask $ALICE_KEY")]
        assert "unified-overage-utilization: 0.00" in shell(asking)
        spent = json.loads(shell(define + small))
        assert spent["error"]["type"] == "billing_error"
        assert spent["error"]["message"].startswith("your part of the budget 'blue' is spent ($0.00001 per week)")
        assert shell(define + "ask $BOB_KEY | head -1").startswith("HTTP/1.1 200")
        assert shell(define + again).startswith("HTTP/1.1 200")
    finally:
        process.stop()
        shutil.rmtree(memory)
    kept = list((tmp_path / ".local" / "state" / "claude-gateway" / "spend").iterdir())
    assert [row[3] for row in json.loads(kept[0].read_text())["spent"] if row[3]]
