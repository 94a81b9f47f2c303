"""The version stands in the root ``pyproject.toml``; everything else that names it must agree."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
VERSION: Final[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
FOLDERS: Final = [*sorted(ROOT.glob("images/*")), *sorted(ROOT.glob("libs/*")), ROOT / "operator"]
MEMBERS: Final = [folder / "pyproject.toml" for folder in FOLDERS if (folder / "pyproject.toml").exists()]
IMAGES: Final = [folder / "Dockerfile" for folder in FOLDERS if (folder / "Dockerfile").exists()]
PLACES: Final = {
    "charts/claude-gateway/Chart.yaml": r'^(?:version|appVersion): "?([^"\s]+)"?$',
    "README.md": r"(?:TAG=|claude-gateway/[a-z]+:)(\d[\w.]*)",
    "docs/how-to/kubernetes.md": r"(?:TAG=|claude-gateway/[a-z]+:)(\d[\w.]*)",
}


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_members_have_the_version_of_the_root(member: Path) -> None:
    assert tomllib.loads(member.read_text())["project"]["version"] == VERSION


@pytest.mark.parametrize(("place", "pattern"), PLACES.items(), ids=PLACES)
def test_pages_and_chart_name_the_version(place: str, pattern: str) -> None:
    found = re.findall(pattern, (ROOT / place).read_text(), re.MULTILINE)
    assert len(found) >= 2
    assert set(found) == {VERSION}


@pytest.mark.parametrize("file", IMAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_dockerfile_has_a_version_of_its_own(file: Path) -> None:
    assert not re.search(rf"VERSION={re.escape(VERSION)}", file.read_text())
