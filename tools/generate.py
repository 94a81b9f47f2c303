"""Write the generated files, or check that they are current: ``python -m tools.generate [--check]``.

Each is made of the one place where its content is decided: the CRDs and their reference of the models, the other
references of settings, commands and names, and what the chart needs of them and of its commented values.
"""

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools import models
from tools.chart import crds as chart_crds
from tools.chart import dashboard, schema
from tools.pictures import PICTURES
from tools.pictures.theme import THEMES
from tools.reference import (
    capacity,
    cli,
    compatibility,
    conformance,
    crds,
    metrics,
    providers,
    reasons,
    reliability,
    settings,
    soak,
    values,
)

from claude_gateway.api.crd import crd_yaml

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND: Final = "make generate"

FOLDERS: Final = ("crds", chart_crds.FOLDER)
"""Folders in which nothing lies but generated files."""

PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/capacity.md": capacity.render,
    "docs/compatibility.md": compatibility.render,
    dashboard.PATH: dashboard.render,
    "docs/conformance.md": conformance.render,
    "docs/reference/cli.md": cli.render,
    "docs/reference/crds.md": crds.render,
    "docs/reference/metrics.md": metrics.render,
    "docs/reference/providers.md": providers.render,
    "docs/reference/reasons.md": reasons.render,
    "docs/reference/settings.md": settings.render,
    "docs/reliability.md": reliability.render,
}


def generated() -> dict[str, str]:
    """All generated files: path from the root → content."""
    files = {f"crds/{name}": text for name, text in crd_yaml().items()}
    chart = {schema.PATH: schema.render(ROOT), values.PATH: values.render(ROOT)} | chart_crds.render()
    table = {models.PATH: models.render()}
    pictures = {
        f"docs/images/{name}-{theme.name}.svg": draw(theme) for name, draw in PICTURES.items() for theme in THEMES
    }
    return files | {path: render() for path, render in PAGES.items()} | soak.files() | chart | table | pictures


def stale(root: Path) -> dict[str, str]:
    """Files below ``root`` that are not as they would be generated, with the first lines that differ."""
    found = {}
    for path, text in generated().items():
        present = (root / path).read_text(encoding="utf-8") if (root / path).is_file() else ""
        if present != text:
            lines = difflib.unified_diff(present.splitlines(), text.splitlines(), path, "generated", n=0, lineterm="")
            found[path] = "\n".join(list(lines)[:8])
    unknown = {f"{folder}/{file.name}" for folder in FOLDERS for file in (root / folder).glob("*")} - set(generated())
    return found | dict.fromkeys(sorted(unknown), "no model makes this file; remove it")


def check(root: Path) -> int:
    """Name the files that are not current; return the exit status."""
    outdated = stale(root)
    for path, difference in outdated.items():
        print(f"{path} is not current; run: {COMMAND}\n{difference}", file=sys.stderr)
    return 1 if outdated else 0


def write(root: Path) -> int:
    """Write all files; return the exit status."""
    for path, text in generated().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.generate", description="Write the generated files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not current")
    return check(ROOT) if parser.parse_args().check else write(ROOT)


if __name__ == "__main__":
    sys.exit(main())
