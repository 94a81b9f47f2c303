"""The documentation: its links lead somewhere, and the paths and make targets that it names exist."""

import re
from pathlib import Path

import pytest

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import Reason

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for page in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("charts/**/*.md"),
        *ROOT.glob("images/*/*.md"),
    )
    if ".venv" not in page.parts
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PROXY = ROOT / "images" / "proxy" / "src" / "claude_gateway_proxy"
GUIDES = [ROOT / "AGENTS.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "development").glob("*.md"))]
PATH = re.compile(r"`([a-z_.-]+/[a-z_./-]+)`")
SERVICE = re.compile(r"claude-gateway((?:-claude-auth|-claude-code)?)\.[a-z-]+\.svc(?:\.cluster\.local)?(?::(\d+))?")
PORTS = {"": {"4000", "4443"}, "-claude-auth": {"4200"}, "-claude-code": {"4100"}}
TARGET = re.compile(r"^make ([a-z0-9-]+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if not link.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_guides_name_paths_that_exist(page: Path) -> None:
    """Paths are relative to the root or to the proxy's package, as the development guide says."""
    generated_at_run_time = (".artifacts/", ".venv/")
    for path in PATH.findall(page.read_text()):
        if not path.startswith(generated_at_run_time):
            assert (ROOT / path).exists() or (PROXY / path).exists(), f"{page.name} names {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    makefile = "\n".join(file.read_text() for file in (ROOT / "Makefile", *ROOT.glob("make/*.mk")))
    for target in TARGET.findall(page.read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name} names make {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_addresses_in_the_cluster_have_the_port_of_the_service(page: Path) -> None:
    for part, port in SERVICE.findall(page.read_text()):
        assert port in PORTS[part], f"{page.name} names the Service{part} with port {port or 80}"


def test_gitops_checks_name_every_kind_and_only_reasons_that_exist() -> None:
    page = (ROOT / "docs" / "how-to" / "gitops.md").read_text()
    (flux,) = re.findall(r"healthCheckExprs:.*?```", page, re.DOTALL)
    assert set(re.findall(r"kind: (\w+)", flux)) == {str(kind.kind) for kind in KINDS}
    named = {*re.findall(r"'(\w+)'", flux), *re.findall(r"(\w+) = true", page)} - {"Ready", "True", "False"}
    assert named <= set(Reason)
