"""The parts of a release and their places: the root, the version, the time of the commit, the published parts."""

import hashlib
import os
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "charts" / "claude-gateway"
DIST: Final = ROOT / "dist"
BASE_IMAGE: Final = ROOT / "images" / "base.txt"
MEMBERS: Final = (
    ".",
    "libs/runtime",
    "images/proxy",
    "images/scripted-upstream",
    "images/claude-code",
    "images/claude-auth",
)
"""Folders of the packages that ``claude-gateway serve`` needs: what someone without a cluster installs."""

DOCKERFILES: Final = {"proxy": "images/proxy/Dockerfile", "operator": "operator/Dockerfile"}
"""The images that are published. The others contain the Claude Code CLI, which only Anthropic may distribute."""


def version() -> str:
    """Return the version of this tree."""
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return found


def check_tag() -> None:
    """Refuse to publish, from a workflow's tag, the version of another release. Raises ValueError."""
    tag, right = os.environ.get("GITHUB_REF_NAME"), f"v{version()}"
    if os.environ.get("GITHUB_REF_TYPE") == "tag" and tag != right:
        raise ValueError(f"the tag is {tag}, but pyproject.toml has version {version()}: name the tag {right}")


def commit() -> str:
    """Return the commit of this tree."""
    return _git("rev-parse", "HEAD")


def commit_time() -> int:
    """Return the time of the commit, in Unix seconds: the newest time that anything in a release has."""
    return int(_git("show", "-s", "--format=%ct", "HEAD"))


def timestamp(seconds: int) -> str:
    """Return Unix seconds in RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def registry() -> str:
    """Return where images and chart are pushed: ``REGISTRY`` in lower case, as registries require."""
    return os.environ["REGISTRY"].lower()


def base_image() -> str:
    """Return the base image of published images, pinned by digest."""
    lines = BASE_IMAGE.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line and not line.startswith("#"))


def checksums(folder: Path) -> str:
    """Return the lines of a ``sha256sum`` file about all files in ``folder``."""
    files = sorted(file for file in folder.iterdir() if file.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
