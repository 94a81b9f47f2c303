"""The conformance suite in full against ``claude-gateway serve``: each check is a test of its own, on both lanes.

By default the codec translates where it can, which is most of it; then everything that it can goes by LiteLLM.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.support.processes.underway import KEY, SILENCE, Underway, ours

from claude_gateway.conformance.checks import AREAS, CHECKS

pytestmark = pytest.mark.timeout(900)

Verdicts = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module", params=[None, "LiteLLM"], ids=["codec", "litellm"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Underway]:
    with ours(via=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def verdicts(gateway: Underway, tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """What the one run of the suite found, by id."""
    folder = tmp_path_factory.mktemp("conformance")
    done = gateway.run("--silence", str(SILENCE), "--json", folder / "out.json", "--report", folder / "out.md")
    assert done.returncode in (0, 1), done.stderr
    everything = "".join(path.read_text() for path in folder.iterdir()) + done.stdout + done.stderr
    assert KEY not in everything
    found: Verdicts = json.loads((folder / "out.json").read_text())["results"]
    assert done.returncode == int(any(result["verdict"] == "fail" for result in found.values()))
    assert "## Bedrock mode" in (folder / "out.md").read_text()
    return found


@pytest.mark.parametrize("id_", [check.id for check in CHECKS])
def test_it_passes(verdicts: Verdicts, id_: str) -> None:
    result = verdicts[id_]
    assert result["verdict"] == "pass", result["evidence"]
    assert result["evidence"]


def test_ids_are_unique_and_have_an_area() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    assert [check.id for check in CHECKS if check.area not in AREAS] == []


def test_without_the_upstream_what_needs_it_is_not_applicable(gateway: Underway, tmp_path: Path) -> None:
    blind = Underway(gateway.url, "")
    done = blind.run("--only", "messages", "--without", "other-model", "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "out.json").read_text())["results"]
    judged = {id_: result["verdict"] for id_, result in found.items()}
    assert (judged["messages.answer"], judged["messages.size"]) == ("pass", "not-applicable")
    assert judged["messages.count-tokens.not-there"] == "not-applicable"
