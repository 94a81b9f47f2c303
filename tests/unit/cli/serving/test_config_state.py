"""What is served while files are edited: the last good of everything that became bad."""

import shutil
from pathlib import Path

import pytest
from tests.support.builders import objects as builders
from tests.support.processes.command import write

from claude_gateway.cli.files import config
from claude_gateway.cli.serving import config_state
from claude_gateway.cli.serving.config_state import LastValid, LoadResult
from claude_gateway.contract.policy import Policy

RULES = config.settings()


def load(folder: Path, last: LastValid | None = None, **variables: str) -> LoadResult:
    return config_state.load((folder,), variables, last or LastValid(), rules=RULES)


def models(policy: Policy) -> dict[str, tuple[str, ...]]:
    return {route.name: route.models for route in policy.routes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "base.yaml", builders.secret(), builders.credential(), builders.client())
    write(tmp_path / "a.yaml", builders.route("a", models=["a"]))
    write(tmp_path / "b.yaml", builders.route("b", models=["b"]))
    return tmp_path


def test_an_object_that_became_bad_goes_on_and_others_change(folder: Path) -> None:
    first = load(folder)
    write(folder / "a.yaml", builders.route("a", models=["a", "a2"], nonsense=1))
    write(folder / "b.yaml", builders.route("b", models=["b2"]))
    second = load(folder, first.last)
    assert [finding.place.path.name for finding in second.decision.errors] == ["a.yaml"]
    assert models(second.plan.policy) == {"default/a": ("a",), "default/b": ("b2",)}
    assert [str(ref) for ref in second.kept] == ["ModelRoute default/a"]
    write(folder / "a.yaml", builders.route("a", models=["a3"]))
    third = load(folder, second.last)
    assert not third.decision.errors
    assert not third.kept
    assert models(third.plan.policy)["default/a"] == ("a3",)


def test_the_last_good_survives_several_bad_edits(folder: Path) -> None:
    loaded = load(folder)
    for nonsense in (1, 2, 3):
        write(folder / "a.yaml", builders.route("a", models=["x"], nonsense=nonsense))
        loaded = load(folder, loaded.last)
        assert models(loaded.plan.policy)["default/a"] == ("a",)


def test_a_new_object_that_is_bad_changes_nothing(folder: Path) -> None:
    first = load(folder)
    write(folder / "c.yaml", builders.route("c", models=["c"], targets=[builders.target("openai/x", "nobody")]))
    second = load(folder, first.last)
    assert second.decision.errors
    assert [route for route in second.plan.policy.routes if route.name != "default/c"] == [*first.plan.policy.routes]


def test_a_file_that_is_no_yaml_goes_on_as_it_was(folder: Path) -> None:
    first = load(folder)
    (folder / "a.yaml").write_text("spec: [\n")
    second = load(folder, first.last)
    assert [path.name for path in second.kept_files] == ["a.yaml"]
    assert second.plan.policy == first.plan.policy
    (folder / "a.yaml").unlink()
    third = load(folder, second.last)
    assert "default/a" not in models(third.plan.policy)


@pytest.mark.parametrize("one_file", [False, True])
def test_a_source_that_is_gone_goes_on_as_it_was(folder: Path, one_file: bool) -> None:
    source = folder / "a.yaml" if one_file else folder
    first = config_state.load((source,), {}, LastValid(), rules=RULES)
    shutil.rmtree(folder)
    second = config_state.load((source,), {}, first.last, rules=RULES)
    assert second.decision.findings
    assert second.kept_files
    assert second.plan.policy == first.plan.policy
    assert config_state.load((source,), {}, second.last, rules=RULES).plan.policy == first.plan.policy


@pytest.mark.parametrize(("old", "new"), [("kind: ModelRoute", "kind: ModelRout"), ("name: a", "nam: a")])
def test_a_file_with_an_object_that_lost_its_name_goes_on_as_it_was(folder: Path, old: str, new: str) -> None:
    first = load(folder)
    file = folder / "a.yaml"
    file.write_text(file.read_text().replace(old, new))
    second = load(folder, first.last)
    assert second.decision.errors
    assert second.plan.policy == first.plan.policy
    assert [path.name for path in second.kept_files] == ["a.yaml"]
    assert load(folder, second.last).plan.policy == first.plan.policy


def test_what_is_deleted_is_gone_even_if_it_is_missed(folder: Path) -> None:
    first = load(folder)
    write(folder / "base.yaml", builders.secret(), builders.credential())
    second = load(folder, first.last)
    assert first.plan.policy.clients
    assert not second.plan.policy.clients
    (folder / "base.yaml").unlink()
    third = load(folder, second.last)
    assert all(not route.targets for route in third.plan.policy.routes)


def test_a_variable_that_is_gone_leaves_the_key_that_was(folder: Path) -> None:
    values = {"api": "$TEST_API", "client": builders.CLIENT_KEY}
    write(folder / "base.yaml", builders.secret(values=values), builders.credential(), builders.client())
    first = load(folder, TEST_API=builders.API_KEY)
    second = load(folder, first.last)
    assert [finding.reason for finding in second.decision.errors] == ["VariableNotSet"]
    assert second.plan.bundle == first.plan.bundle


def test_a_second_object_of_one_name_does_not_replace_the_first(folder: Path) -> None:
    first = load(folder)
    write(folder / "0.yaml", builders.route("a", models=["intruder"]))
    second = load(folder, first.last)
    assert second.decision.errors
    assert models(second.plan.policy) == models(first.plan.policy)


def test_no_result_shows_a_secret(folder: Path) -> None:
    loaded = load(folder)
    assert builders.API_KEY not in repr(loaded)
    assert builders.CLIENT_KEY not in repr(loaded)
