"""Which route serves a name, and who may use it."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.bundles import bundle, route, target

from claude_gateway.contract.client import Client
from claude_gateway_proxy.gateway.routing.names import Routing
from claude_gateway_proxy.gateway.snapshot import build

_ALL = Client(name="ns/all")


def _routing(*models: str, clients: tuple[Client, ...] = (_ALL,)) -> Routing:
    return build(bundle([route(model) for model in models], clients=clients)).routing


def _winner(model: str, *models: str) -> str | None:
    found = _routing(*models).route(model, namespace="ns")
    return None if found is None else found.name.removeprefix("ns/")


@pytest.mark.parametrize(
    ("model", "models", "winner"),
    [
        ("claude-sonnet-5-5", ("*", "claude-*", "claude-sonnet-5-5"), "claude-sonnet-5-5"),
        ("claude-sonnet-5-5", ("*", "claude-*", "claude-sonnet-*"), "claude-sonnet-*"),
        ("claude-haiku-4", ("claude-*", "*haiku*"), "claude-*"),
        ("claude-haiku-4", ("clau*", "*haiku*"), "*haiku*"),
        ("us.anthropic.claude-x", ("us.anthropic.claude-*", "*claude*"), "us.anthropic.claude-*"),
        ("abcd", ("ab*", "*cd"), "*cd"),
        ("abcd", ("a*b*", "ab*"), "ab*"),
        ("gpt", ("claude-*",), None),
        ("claude-", ("claude-*",), "claude-*"),
        ("aba", ("ab*ba",), None),
        ("", ("*",), "*"),
        ("gpt/a b\n", ("gpt*",), "gpt*"),
        ("Claude-x", ("claude-*",), None),
        ("*", ("a*",), None),
    ],
)
def test_the_most_literal_name_wins(model: str, models: tuple[str, ...], winner: str | None) -> None:
    assert _winner(model, *models) == winner
    assert _winner(model, *reversed(models)) == winner


@given(st.lists(st.text("ab*", min_size=1, max_size=5), unique=True, max_size=8), st.text("ab", max_size=6))
def test_the_index_finds_what_a_plain_search_finds(models: list[str], name: str) -> None:
    def rank(model: str) -> tuple[bool, int, int, str]:
        return ("*" in model, -len(model.replace("*", "")), model.count("*"), model)

    fitting = sorted((model for model in models if fnmatchcase(name, model)), key=rank)
    expected = fitting[0] if fitting else None
    routing = _routing(*models)
    for _ in range(2):  # the second time from the memo
        found = routing.route(name, namespace="ns")
        assert (None if found is None else found.name.removeprefix("ns/")) == expected


def test_a_name_longer_than_any_model_is_matched_by_no_pattern() -> None:
    assert _winner("x" * 513, "*") is None


def test_a_memo_of_client_sent_names_stays_bounded() -> None:
    routing = _routing("m-*")
    for number in range(6000):
        assert routing.route(f"m-{number}", namespace="ns") is not None
    assert len(routing._memo) <= 4096


def test_made_up_names_keep_nobody_elses_out_of_the_memo() -> None:
    routing = _routing("m-*")
    for number in range(4096):
        routing.route(f"m-{number}", namespace="ns")
    routing.route("m-of-somebody-else", namespace="ns")
    assert (("ns", ""), "m-of-somebody-else") in routing._memo


def test_a_client_may_use_what_its_patterns_say() -> None:
    ann = Client(name="ns/ann", models=("claude-*", "gpt-5"))
    nobody = Client(name="ns/nobody", models=())
    routing = _routing("claude-a", "gpt-5", "gpt-6", "llama*", clients=(ann, nobody, _ALL))
    assert [model for model in ("claude-a", "claude-zz", "gpt-5", "gpt-6") if routing.allowed(ann, model)] == [
        "claude-a",
        "claude-zz",
        "gpt-5",
    ]
    assert list(routing.names(ann)) == ["claude-a", "gpt-5"]
    assert list(routing.names(_ALL)) == ["claude-a", "gpt-5", "gpt-6"]
    assert list(routing.names(nobody)) == []
    assert not routing.allowed(Client(name="ns/stranger"), "gpt-5")


def test_of_the_names_that_a_pattern_matches_those_are_listed_that_somebody_wrote() -> None:
    """As a target's model or in a client's own list; each can be requested."""
    written = Client(name="ns/written", models=("claude-haiku-4-5", "gpt-9", "claude-opus-*"))
    sonnet, opus, gpt = (
        target(base_url="https://upstream.example.com", model=model)
        for model in ("claude-sonnet-5-5", "claude-opus-5-5", "gpt-5")
    )
    rules = [{"name": "thinking", "match": {}, "targets": [opus]}]
    anything = target(base_url="https://upstream.example.com", model="*")
    routes = [route("claude-*", name="ns/claude", targets=[sonnet, gpt, anything], rules=rules)]
    routing = build(bundle(routes, clients=(_ALL, written))).routing
    assert list(routing.names(_ALL)) == ["claude-opus-5-5", "claude-sonnet-5-5"]
    assert list(routing.names(written)) == ["claude-haiku-4-5", "claude-opus-5-5"]
    for client in (_ALL, written):
        assert all(routing.find(client, name) for name in routing.names(client))
    assert routing.size == 2


def test_a_target_is_not_listed_under_a_name_that_another_route_serves() -> None:
    opus = target(base_url="https://upstream.example.com", model="claude-opus-5-5")
    routing = build(bundle([route("claude-*", targets=[opus]), route("claude-opus-*")], clients=(_ALL,))).routing
    assert list(routing.names(_ALL)) == []


def test_near_names_are_found_among_thousands_and_only_those_that_the_client_may_use() -> None:
    ann = Client(name="ns/ann", models=("claude-sonnet-*",))
    models = [f"team-{number}-gpt" for number in range(3000)]
    routing = _routing(*models, "claude-sonnet-5-5", "claude-opus-5-5", clients=(ann, _ALL))
    assert routing.nearest(ann, "claude-sonet-5-5") == ["claude-sonnet-5-5"]
    assert routing.nearest(_ALL, "claude-sonet-5-5")[0] == "claude-sonnet-5-5"
    assert "team-77-gpt" in routing.nearest(_ALL, "team-77-gtp")
    assert routing.nearest(_ALL, "qqq") == []
    assert routing.nearest(_ALL, "x" * 100_000) == []


def _aliased(
    *, models: tuple[str, ...], alias: str, others: tuple[str, ...] = (), clients: tuple[Client, ...]
) -> Routing:
    routes = [route(*models, name="aliased", alias=alias), *(route(model, name=model) for model in others)]
    return build(bundle(routes, clients=clients)).routing


def test_an_alias_is_one_more_name_of_its_route() -> None:
    routing = _aliased(models=("gpt-*", "gpt-5"), alias="claude-gpt-5", clients=(_ALL,))
    found = routing.route("claude-gpt-5", namespace="ns")
    assert found is not None
    assert found.name == "aliased"
    assert list(routing.names(_ALL)) == ["claude-gpt-5", "gpt-5"]
    assert routing.display_name(_ALL, "claude-gpt-5") == "gpt-5"


@pytest.mark.parametrize("order", [1, -1])
def test_a_name_that_a_route_claims_is_nobodys_alias(order: int) -> None:
    routes = [route("gpt-5", name="aliased", alias="claude-gpt-5"), route("claude-gpt-5", name="owner")][::order]
    found = build(bundle(routes)).routing.route("claude-gpt-5", namespace="ns")
    assert found is not None
    assert found.name == "owner"


def test_an_alias_wins_over_patterns() -> None:
    routing = _aliased(models=("gpt-5",), alias="claude-gpt-5", others=("claude-*",), clients=(_ALL,))
    found = routing.route("claude-gpt-5", namespace="ns")
    assert found is not None
    assert found.name == "aliased"


def test_who_may_not_say_a_name_may_not_say_its_alias() -> None:
    claude = Client(name="ns/claude", models=("claude-*",))
    gpt = Client(name="ns/gpt", models=("gpt-5",))
    routing = _aliased(models=("gpt-5",), alias="claude-gpt-5", clients=(claude, gpt))
    assert routing.find(claude, "claude-gpt-5") is None
    assert routing.display_name(claude, "claude-gpt-5") is None
    assert list(routing.names(claude)) == []
    assert routing.find(gpt, "gpt-5") is not None
    assert routing.nearest(claude, "claude-gpt-55") == []
    assert routing.nearest(gpt, "gpt-55") == ["gpt-5"]
    assert list(routing.names(gpt)) == ["claude-gpt-5", "gpt-5"]


def test_lists_of_names_are_kept_within_a_bound() -> None:
    clients = tuple(Client(name=f"ns/c{number}", models=(f"m-{number}",)) for number in range(40))
    routing = _routing(*(f"m-{number}" for number in range(40)), clients=clients)
    for _ in range(2):
        assert [list(routing.names(client)) for client in clients] == [[f"m-{number}"] for number in range(40)]
    assert len(routing._allowed) <= 16
    assert routing.size == 40
