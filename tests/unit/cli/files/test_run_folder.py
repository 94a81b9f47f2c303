"""The run directory of ``serve``: private, and removed at the end."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_gateway.cli.files import run_folder
from claude_gateway.cli.files.run_folder import Serving


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A base for run directories, short as a Unix socket needs it."""
    with tempfile.TemporaryDirectory(prefix="xdg-", dir="/tmp") as base:
        monkeypatch.setenv("XDG_RUNTIME_DIR", base)
        yield Path(base)


def test_the_run_directory_is_private_and_goes_away(memory: Path) -> None:
    with run_folder.private() as folder:
        assert folder.parent == memory
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        serving = Serving(pid=1, gateway="http://127.0.0.1:4000", agent="http://127.0.0.1:5000")
        run_folder.announce(folder, serving)
        assert run_folder.find("http://127.0.0.1:4000") == serving
        assert run_folder.find("http://127.0.0.1:4001") is None
        with run_folder.private() as second:
            assert folder.exists()
            assert second != folder
    assert list(memory.iterdir()) == []


def test_a_base_too_long_for_a_socket_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / ("x" * 100)
    base.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    with run_folder.private() as folder:
        assert folder.parent != base


def test_what_a_killed_serve_left_is_removed_and_not_believed(memory: Path) -> None:
    left = memory / f"claude-gateway-{os.getuid()}-left"
    left.mkdir(mode=0o700)
    (left / "lock").touch()
    (left / "secret").write_text("x")
    run_folder.announce(left, Serving(pid=1, gateway="http://g", agent="http://a"))
    (memory / "others").mkdir()
    assert run_folder.find("http://g") is None
    with run_folder.private():
        assert not left.exists()
    assert [path.name for path in memory.iterdir()] == ["others"]
