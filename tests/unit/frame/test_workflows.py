"""The workflows: every job is one make target, every action is pinned, and nobody has more rights than needed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).resolve().parents[3]
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
MAKEFILES: Final = "\n".join(file.read_text() for file in (ROOT / "Makefile", *sorted(ROOT.glob("make/*.mk"))))
TARGETS: Final = set(re.findall(r"^([a-z0-9-]+):", MAKEFILES, re.MULTILINE))
PINNED: Final = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
CHECKOUT: Final = "actions/checkout@"


def parsed(workflow: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(workflow.read_text())
    return found


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for workflow in WORKFLOWS:
        for name, job in parsed(workflow)["jobs"].items():
            yield f"{workflow.stem}-{name}", job


JOBS: Final = dict(jobs())
each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
each_job = pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)


def test_all_workflows_are_here() -> None:
    assert [workflow.stem for workflow in WORKFLOWS] == ["check", "kubernetes", "release", "weekly"]


@each_job
def test_the_body_of_a_job_is_one_make_target(job: dict[str, Any]) -> None:
    (body,) = [step["run"] for step in job["steps"] if "run" in step]
    assert re.fullmatch(r"make [a-z0-9-]+", body)
    assert body.removeprefix("make ") in TARGETS


@each_workflow
def test_every_action_is_pinned_by_commit_with_its_version_beside(workflow: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: *(.*)$", workflow.read_text(), re.MULTILINE)
    assert used
    assert [action for action in used if not PINNED.match(action)] == []


def test_an_action_has_one_pin_everywhere() -> None:
    text = "\n".join(workflow.read_text() for workflow in WORKFLOWS)
    pins = set(re.findall(r"uses: *(\S+@\S+ # \S+)", text))
    assert len({pin.split("@")[0] for pin in pins}) == len(pins)


@each_workflow
def test_a_workflow_has_no_rights_and_each_job_names_its_own(workflow: Path) -> None:
    found = parsed(workflow)
    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert job["permissions"]["contents"] in ("read", "write")


@each_workflow
def test_only_the_release_and_the_weekly_report_may_write(workflow: Path) -> None:
    writers = {name: job for name, job in parsed(workflow)["jobs"].items() if "write" in job["permissions"].values()}
    allowed = {"release": {"dist", "image", "chart", "publish"}, "weekly": {"report"}}
    assert set(writers) == allowed.get(workflow.stem, set())


@each_workflow
def test_outsiders_never_start_a_workflow_with_rights(workflow: Path) -> None:
    triggers = parsed(workflow)[True]  # YAML 1.1 reads `on` as a boolean
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers)


@each_job
def test_checkouts_leave_no_credentials_behind(job: dict[str, Any]) -> None:
    checkouts = [step for step in job["steps"] if step.get("uses", "").startswith(CHECKOUT)]
    assert len(checkouts) == 1
    assert checkouts[0]["with"]["persist-credentials"] is False


@each_job
def test_commands_contain_no_expressions(job: dict[str, Any]) -> None:
    assert not [step for step in job["steps"] if "${{" in step.get("run", "")]


@each_job
def test_jobs_end_and_run_on_a_named_release(job: dict[str, Any]) -> None:
    assert job["timeout-minutes"] <= 150
    assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"])


@each_workflow
def test_newer_runs_replace_older_ones_where_nothing_is_published(workflow: Path) -> None:
    concurrency = parsed(workflow)["concurrency"]
    assert concurrency["group"]
    assert concurrency["cancel-in-progress"] is (workflow.stem in ("check", "kubernetes"))


def test_python_releases_are_those_of_the_policy() -> None:
    tested = JOBS["check-test"]["strategy"]["matrix"]["python"]
    policy = (ROOT / "docs" / "versioning.md").read_text()
    assert f"Python {tested[0]} to {tested[-1]}" in policy


def test_kubernetes_releases_are_those_of_the_chart_and_the_policy() -> None:
    oldest, newest = JOBS["kubernetes-apiserver"]["strategy"]["matrix"]["kubernetes"]
    nodes = [entry["node"] for entry in JOBS["kubernetes-e2e"]["strategy"]["matrix"]["include"]]
    assert all(re.fullmatch(r"kindest/node:v[\d.]+@sha256:[0-9a-f]{64}", node) for node in nodes)
    assert [re.findall(r":v(\d+\.\d+)", node)[0] for node in nodes] == [oldest, newest]
    chart = yaml.safe_load((ROOT / "charts" / "claude-gateway" / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={oldest}.0-0"
    assert f"Kubernetes {oldest} to {newest}" in (ROOT / "docs" / "versioning.md").read_text()
