"""Records the README's terminal: the real commands and the real Claude Code on the scripted model.

``python -m tests.support.clients.recording`` writes docs/images/quickstart.cast. What the commands print is real; when
it appears is made up, so that the same output makes the same bytes. What differs from run to run is replaced.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.clients import cli
from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until

ROOT: Final = Path(__file__).resolve().parents[3]
CAST: Final = ROOT / "docs" / "images" / "quickstart.cast"
WIDTH: Final = 122
PATIENCE: Final = 120
KEY: Final = "claude-gateway key new alice -o gateway/alice.yaml"
LINT: Final = "claude-gateway lint -f gateway"
SERVE: Final = "claude-gateway serve -f gateway --scripted-model 127.0.0.1:4001 &"
ASK: Final = 'claude-gateway run -f gateway -- claude -p "Hello"'
_TYPING: Final = 0.04
_THINKING: Final = 0.6
_READING: Final = 1.6
_CHANGING: Final = (
    (re.compile(r"revision [0-9a-f]{8}"), "revision 5f3a9c1e"),
    (re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE), "09:00:00 "),
)


def record() -> str:
    """Run the commands and return the cast."""
    with tempfile.TemporaryDirectory() as place:
        return "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for event in _cast(list(_session(Path(place)))))


def _session(folder: Path) -> Iterator[tuple[str, str]]:
    """Run each command as a person would, and return it with what it printed."""
    shutil.copytree(ROOT / "examples" / "quickstart" / "scripted", folder / "gateway")
    listen, scripted = str(free_port()), str(free_port())
    for file in (folder / "gateway").glob("*.yaml"):
        file.write_text(file.read_text().replace("127.0.0.1:4001", f"127.0.0.1:{scripted}"))
    programs = f"{Path(sys.executable).parent}:{cli.path().parent}:{os.environ['PATH']}"
    environment = {"PATH": programs, "HOME": str(folder), "COLUMNS": str(WIDTH), "LANG": "C.UTF-8"}

    def run(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", f"{command} 2>&1"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    yield KEY, run(KEY)
    yield LINT, run(LINT)
    command = SERVE.removesuffix(" &").replace("4001", scripted)
    start = f"cd {folder} && exec {command} --listen 127.0.0.1:{listen} 2>&1"
    with Process(["sh", "-c", start], environment=environment) as serve:
        until(lambda: " ready: " in serve.output, timeout=PATIENCE, what="serve to be ready")
        yield SERVE, _overview(serve.output).replace(scripted, "4001").replace(listen, "4000")
        yield ASK, run(ASK.replace("-f gateway", f"-f gateway --url http://127.0.0.1:{listen}"))


def _overview(output: str) -> str:
    """Return what ``serve`` says of routes and clients, without the address of its metrics and further advice."""
    kept = [line for line in output.splitlines() if not line.strip().startswith("metrics ")]
    end = next(number for number, line in enumerate(kept) if line.strip().startswith("try it"))
    ready = [line for line in kept if " ready: " in line]
    return "\n".join([*kept[:end], *ready])


def _cast(session: list[tuple[str, str]]) -> Iterator[object]:
    time = 0.5
    lines = 0
    events: list[tuple[float, str, str]] = []
    for command, output in session:
        for letter in f"$ {command}\r\n":
            time += _TYPING
            events.append((round(time, 2), "o", letter))
        time += _THINKING
        for pattern, fixed in _CHANGING:
            output = pattern.sub(fixed, output)
        shown = [line[:WIDTH] for line in output.strip().splitlines()]
        events += [(round(time, 2), "o", f"{line}\r\n") for line in shown]
        lines += len(shown) + 1
        time += _READING
    yield {"version": 2, "width": WIDTH, "height": lines}
    yield from events


def main() -> int:
    """Write the recording."""
    CAST.write_text(record(), encoding="utf-8")
    print(f"wrote {CAST.relative_to(ROOT)}; run: make generate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
