"""What a release gives people, in ``dist/`` (``make dist``), and the commands of the page that says how to use it."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from tools.release import place

PAGE: Final = place.ROOT / "docs" / "how-to" / "verifying-a-release.md"
PATIENCE: Final = 1200
"""Seconds for a block of commands: packages are downloaded."""


def commands(name: str) -> str:
    """Return the commands of the page below ``<!-- name -->``. Raises AssertionError if there are none."""
    found = re.search(rf"<!-- {name} -->\n+```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{PAGE.name} has no commands named {name}"
    return found[1]


def typed(script: str, *, folder: Path, home: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run commands as a person with an empty home would, and return what they print."""
    docker = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    whole = {**docker, "HOME": str(home), "PATH": os.environ["PATH"], "VERSION": place.version(), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**whole, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def settings() -> dict[str, str]:
    """What the notes of the release say: a real release, or the trial that ``make install-check-images`` makes."""
    missing = [name for name in ("REGISTRY", "SIGNER") if name not in os.environ]
    assert not missing, f"{missing} not set: make install-check-images"
    return {name: os.environ[name] for name in ("REGISTRY", "SIGNER")}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The files of the release, downloaded."""
    assert (place.DIST / "SHA256SUMS").exists(), "there is no release in dist: make dist"
    return shutil.copytree(place.DIST, tmp_path / "claude-gateway")
