"""The environment of the processes that ``serve`` starts."""

from pathlib import Path

import pytest

from claude_gateway.cli.addresses import Address
from claude_gateway.cli.serving import child, children
from claude_gateway.cli.serving.child import Child
from claude_gateway.cli.serving.ownlogins import Logins
from claude_gateway.cli.serving.serve_options import ServeOptions
from claude_gateway.plan.world import Settings


def made() -> dict[str, Child]:
    address = Address("127.0.0.1", 0)
    chosen = ServeOptions(
        sources=(Path("gateway"),),
        env_file=None,
        listen=address,
        metrics=address,
        certificate=None,
        scripted=None,
        cors_origins=(),
        valkey=None,
        rules=Settings(namespace="default"),
        level="info",
        logins=Logins(Path("/state"), backend=address, page=address),
    )
    return {each.name: each for each in children.children(chosen, run_dir=Path("/r"), source_dir=Path("/s"))}


def test_a_child_sees_no_key_of_ours() -> None:
    ambient = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://p",
        "LC_ALL": "C",
        "MALLOC_ARENA_MAX": "2",
        "CLAUDE_GATEWAY_MAX_BODY_BYTES": "5",
        "CLAUDE_GATEWAY_KEY": "cgw_x",
        "ANTHROPIC_API_KEY": "x",
        "OPENAI_API_KEY": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "LITELLM_MASTER_KEY": "x",
    }
    kept = ["CLAUDE_GATEWAY_MAX_BODY_BYTES", "HTTPS_PROXY", "LC_ALL", "MALLOC_ARENA_MAX", "PATH"]
    assert sorted(child.environment(ambient)) == kept
    assert "/bin" not in repr(Child(name="x", module="m", environment=ambient))


def test_only_who_calls_models_sees_who_we_are_in_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.setenv(name, "mine")
    seen = {
        name: sorted(variable for variable, value in each.environment.items() if value == "mine")
        for name, each in made().items()
    }
    own = ["AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS"]
    assert seen == {children.GATEWAY: own, children.LITELLM: own, children.AGENT: []}


def test_children_have_one_heap_unless_the_user_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    def heaps() -> set[str]:
        return {each.environment["MALLOC_ARENA_MAX"] for each in made().values()}

    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    assert heaps() == {"1"}
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert heaps() == {"4"}


def test_usage_events_outlive_a_run_and_each_sink_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def folder() -> str | None:
        return made()[children.GATEWAY].environment.get("CLAUDE_GATEWAY_USAGE_SPOOL_DIR")

    assert folder() is None
    found = set()
    for sink in ("file:///a", "https://b.example"):
        monkeypatch.setenv("CLAUDE_GATEWAY_USAGE_SINK", sink)
        found.add(folder())
    assert {str(Path(str(each)).parent) for each in found} == {"/state/usage"}
    assert len(found) == 2
    monkeypatch.setenv("CLAUDE_GATEWAY_USAGE_SPOOL_DIR", "/mine")
    assert folder() == "/mine"
