"""``claude-gateway serve`` on a folder of its own, with a scripted upstream behind it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.builders import objects as builders
from tests.support.processes.child import Process, python
from tests.support.processes.command import write
from tests.support.processes.serve import Serve, Starter

from claude_gateway_scripted.local import Scripted


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted(keys=(builders.API_KEY,)) as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path: Path, upstream: Scripted) -> Path:
    """A route to the upstream, with a key and one client."""
    home = tmp_path / "gateway"
    write(home / "route.yaml", builders.route(models=["claude-sonnet-5-5"]))
    write(home / "base.yaml", builders.secret(), builders.credential(baseURL=upstream.url), builders.client())
    return home


@pytest.fixture
def start(folder: Path) -> Iterator[Starter]:
    """Start ``serve`` on the folder; ended, with all that it started, when the test ends."""
    # Short: Unix sockets are inside.
    memory = Path(tempfile.mkdtemp(prefix="xdg-", dir="/tmp"))
    running: list[Process] = []

    def begin(*arguments: str, text: bool = False, sources: tuple[Path, ...] = (), **environment: str) -> Serve:
        files = [part for source in (sources or (folder,)) for part in ("-f", str(source))]
        style = [] if text else ["--log-format", "json"]
        own = {"XDG_RUNTIME_DIR": str(memory), "XDG_STATE_HOME": str(folder.parent / "state")}
        command = python("claude_gateway.cli", "serve", *files, "--listen", "127.0.0.1:0", *style, *arguments)
        process = Process(command, environment={**own, **environment})
        running.append(process)
        return Serve(process, folder, memory)

    yield begin
    for process in running:
        process.stop()
    shutil.rmtree(memory)
