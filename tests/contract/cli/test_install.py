"""The wheel of the root package, installed alone as ``pip install claude-gateway`` does."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
BIN: Final = Path(sys.executable).parent


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``claude-gateway`` of an environment that has the root package and what it requires, nothing else."""
    folder = tmp_path_factory.mktemp("install")
    uv, venv = BIN / "uv", folder / "venv"
    python = venv / "bin" / "python"
    for step in (
        (uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder / "dist"),
        (sys.executable, "-m", "venv", "--without-pip", venv),
    ):
        done = _run(*step)
        assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    done = _run(uv, "pip", "install", "--quiet", "--python", python, "-c", "locks/all.txt", wheel)
    assert done.returncode == 0, done.stderr
    return venv / "bin" / "claude-gateway"


def test_lint_works_with_the_root_package_alone(command: Path) -> None:
    done = _run(command, "lint", "-f", "examples/pass-through")
    assert done.returncode == 0
    assert done.stderr == "0 errors, 0 warnings; 1 route and 0 clients would serve\n"


def test_serve_says_what_to_install(command: Path) -> None:
    done = _run(command, "serve", "-f", "examples/quickstart/anthropic")
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: `serve` needs more packages: pip install 'claude-gateway[serve]'"
