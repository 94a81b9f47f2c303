"""The clients from npm: pinned by hash, from no registry in particular, and the ones that are installed."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.clients import cli

PINS = Path(__file__).parents[2] / "clients"


def locked(folder: str) -> dict[str, Any]:
    packages: dict[str, Any] = json.loads((PINS / folder / "package-lock.json").read_text())["packages"]
    return {name: package for name, package in packages.items() if name}


@pytest.mark.parametrize("folder", [place.parent.name for place in sorted(PINS.glob("*/package.json"))])
def test_each_package_is_pinned_by_hash_and_by_no_host(folder: str) -> None:
    packages = locked(folder)
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


@pytest.mark.parametrize("release", cli.RELEASES)
def test_the_installed_cli_is_the_pinned_one(release: cli.Release) -> None:
    wanted = locked(f"claude-code-{release}")["node_modules/@anthropic-ai/claude-code"]["version"]
    shown = subprocess.run([cli.path(release), "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.split()[0] == wanted
