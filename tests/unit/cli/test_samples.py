"""Which name leads to a route, and a name to try it with."""

import pytest

from claude_gateway.cli import samples
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Target


def route(name: str, *models: str, target: str = "*") -> Route:
    made = Target(id=f"{name}/0", provider="anthropic", model=target)
    return Route(name=f"ns/{name}", models=models, targets=(made,))


ROUTES = (
    route("all", "claude-*"),
    route("haiku", "claude-*haiku*"),
    route("exact", "claude-haiku-5-5"),
    route("other", "team-*", target="claude-opus-5-5"),
    route("closed", "house-*"),
)


@pytest.mark.parametrize(
    ("name", "winner"),
    [
        ("claude-sonnet-5-5", "all"),
        ("claude-haiku-4-5", "haiku"),
        ("claude-haiku-5-5", "exact"),
        ("team-x", "other"),
        ("gpt-5", None),
    ],
)
def test_the_most_literal_name_wins(name: str, winner: str | None) -> None:
    assert samples.Served(ROUTES).winner(name) == (winner and f"ns/{winner}")


@pytest.mark.parametrize(
    ("position", "name"), [(0, "claude-sonnet-5-5"), (1, None), (2, "claude-haiku-5-5"), (3, "team-test"), (4, None)]
)
def test_a_route_is_tried_with_a_name_that_leads_to_it(position: int, name: str | None) -> None:
    assert samples.name_for(ROUTES[position], samples.Served(ROUTES)) == name


def test_a_name_is_one_that_the_client_may_use() -> None:
    routes = (route("r", "a", "b"),)
    assert samples.name_for(routes[0], samples.Served(routes), client=Client(name="c", models=("b",))) == "b"
    assert samples.name_for(routes[0], samples.Served(routes), client=Client(name="c", models=("x*",))) is None


def test_a_sample_is_a_route_that_the_clients_namespace_may_use() -> None:
    mine, shared, closed = (Route(name=f"{ns}/r", models=(ns,), targets=()) for ns in ("me", "all", "other"))
    policy = Policy(namespace="release", routes=(mine, shared.model_copy(update={"clients_from": ("*",)}), closed))
    seen = samples.routes_for(policy, Client(name="me/c"))
    assert [route.name for route in seen] == ["me/r", "all/r"]
    assert samples.routes_for(policy, Client(name="release/c")) == list(policy.routes)
    assert samples.routes_for(policy, None) == policy.routes


def test_a_sample_is_no_route_that_lists_only_other_clients() -> None:
    listed = Route(name="me/r", models=("m",), targets=(), only_clients=("me/c",))
    policy = Policy(namespace="release", routes=(listed,))
    assert samples.routes_for(policy, Client(name="me/c")) == [listed]
    assert samples.routes_for(policy, Client(name="me/d")) == samples.routes_for(policy, Client(name="release/c")) == []


def test_an_older_route_of_another_namespace_goes_first() -> None:
    old, young = (
        Route(name="a/r", models=("claude-*",), targets=()),
        Route(name="b/r", models=("*aude-opus*",), targets=()),
    )
    assert samples.Served((old, young)).winner("claude-opus") == "a/r"
    assert samples.Served((young, old)).winner("claude-opus") == "b/r"
    assert samples.Served((old.model_copy(update={"routes_from": ("b",)}), young)).winner("claude-opus") == "b/r"
