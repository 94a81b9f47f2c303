"""Routes of several namespaces: whose claim on a name counts, and what a client can find out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.bundles import bundle, route
from tests.support.builders.objects import plan, target
from tests.support.builders.objects import route as manifest

from claude_gateway.contract.client import Client
from claude_gateway.contract.patterns import matches
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.discovery.models import listing, single
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.routing.choice import find_route
from claude_gateway_proxy.gateway.routing.names import Routing
from claude_gateway_proxy.gateway.snapshot import build

A, B, RELEASE = Client(name="a/dev"), Client(name="b/dev"), Client(name="release/dev")
ALL = ("*",)


def shared(*models: str, name: str, **more: Any) -> Route:
    return route(*models, name=name, clients_from=ALL, **more)


def routing(*oldest_first: Route, clients: tuple[Client, ...] = (A, B, RELEASE)) -> Routing:
    return build(bundle(oldest_first, clients=clients, namespace="release")).routing


def answered(found: Routing, client: Client, model: str) -> str | None:
    serving = found.find(client, model)
    return None if serving is None else serving.name


@pytest.mark.parametrize(
    ("old", "young", "model", "winner"),
    [
        ("claude-*", "*laude-opus*", "claude-opus-4-5", "a/old"),
        ("claude-*", "*laude-opus*", "x-laude-opus", "b/young"),
        ("claude-*", "us.anthropic.claude-*", "us.anthropic.claude-x-20250101-v1:0", "a/old"),
        ("us.anthropic.claude-*", "claude-x", "us.anthropic.claude-x-20250101-v1:0", "a/old"),
        ("us.anthropic.claude-*", "claude-x", "claude-x", "b/young"),
        ("us.anthropic.*", "claude-*", "us.anthropic.claude-x-v1:0", "a/old"),
        ("claude-*", "*@20250101", "claude-x@20250101", "a/old"),
        ("claude-*", "*", "claude-x", "a/old"),
        ("claude-*", "*", "gpt-5", "b/young"),
        ("*", "claude-opus-*", "claude-opus-4-5", "a/old"),
    ],
)
def test_the_oldest_claim_on_a_name_decides(old: str, young: str, model: str, winner: str) -> None:
    found = routing(shared(old, name="a/old"), shared(young, name="b/young"))
    for _ in range(2):  # the second time from the memo
        assert answered(found, A, model) == answered(found, B, model) == winner
    admitting = routing(shared(old, name="a/old", routes_from=("b",)), shared(young, name="b/young"))
    together = routing(shared(old, name="a/old"), shared(young, name="a/young"))
    literal = (answered(together, A, model) or "").replace("a/young", "b/young")
    assert answered(admitting, A, model) == literal


def test_a_client_uses_the_routes_of_its_namespace_and_what_others_share() -> None:
    found = routing(
        route("own", name="a/own"),
        route("listed", name="b/listed", clients_from=("x", "a")),
        shared("all", name="b/all"),
        route("closed", name="b/closed"),
    )
    assert [name for name in ("own", "listed", "all", "closed") if answered(found, A, name)] == ["own", "listed", "all"]
    assert [name for name in ("own", "listed", "all", "closed") if answered(found, B, name)] == [
        "listed",
        "all",
        "closed",
    ]
    assert list(found.names(A)) == ["all", "listed", "own"]
    assert list(found.names(RELEASE)) == ["all", "closed", "listed", "own"]
    assert answered(found, Client(name="a/stranger"), "own") is None
    assert list(found.names(Client(name="a/stranger"))) == []
    assert found.nearest(Client(name="a/stranger"), "own") == []
    assert found.display_name(Client(name="a/stranger"), "own") is None


def answers(found: Routing, client: Client, model: str) -> list[str]:
    """Everything that a client can ask about a model."""
    texts = []
    for ask in (
        lambda: find_route(found, model=model, client=client).name,
        lambda: single(found, client, model, shape=Wire.ANTHROPIC),
        lambda: single(found, client, model, shape=Wire.OPENAI),
    ):
        try:
            texts.append(str(ask()))
        except Failure as failure:
            texts.append(f"{failure.status} {failure.code} {failure}")
    return [*texts, *(str(listing(found, client, shape=shape, query=b"")) for shape in Wire)]


HIDDEN = (
    route("claude-opus-4-5", name="b/exact"),
    route("claude-*", name="b/pattern"),
    route("gpt-5", name="b/aliased", alias="claude-gpt-5"),
)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("common", [(), (shared("*", name="release/all"),), (shared("claude-opus*", name="c/opus"),)])
@pytest.mark.parametrize("model", ["claude-opus-4-5", "us.anthropic.claude-opus-4-5-v1:0", "gpt-5", "claude-gpt-5"])
@pytest.mark.parametrize("first", [True, False])
def test_a_client_cannot_tell_whether_another_namespace_has_a_model(
    hidden: Route, common: tuple[Route, ...], model: str, *, first: bool
) -> None:
    client = Client(name="a/some", models=("claude-*", "own-*"))
    routes = (hidden, *common) if first else (*common, hidden)
    own = route("own-opus-4-5", name="a/own")
    for asking in (client, A):
        without = answers(routing(own, *common, clients=(asking,)), asking, model)
        assert answers(routing(own, *routes, clients=(asking,)), asking, model) == without


def test_a_model_off_the_list_is_like_one_that_does_not_exist() -> None:
    some = Client(name="a/some", models=("claude-*",))
    there = routing(route("gpt-5", "claude-x", name="a/r"), clients=(some,))
    gone = routing(route("claude-x", name="a/r"), clients=(some,))
    assert answers(there, some, "gpt-5") == answers(gone, some, "gpt-5")


def test_a_judge_is_looked_up_for_the_namespace_of_the_route() -> None:
    found = routing(route("judge", name="b/judge"), route("shared", name="b/shared", clients_from=("a",)))
    assert found.route("judge", namespace="a") is None
    assert found.route("shared", namespace="a") is not None
    assert found.route("judge", namespace="b") is not None
    assert found.route("judge", namespace="release") is not None


NAMES = st.text("ab", min_size=1, max_size=4)
PATTERNS = st.text("ab*", min_size=1, max_size=4)
SOURCES = st.sampled_from([{"from": "Same"}, {"from": "All"}, {"from": "Namespaces", "namespaces": ["x", "y"]}])


@st.composite
def routes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Routes of three namespaces that every client may use."""
    return [
        manifest(
            f"r{index}",
            models=draw(st.lists(PATTERNS, min_size=1, max_size=3, unique=True)),
            targets=[target("anthropic/x", baseURL="http://x.example")],
            namespace=draw(st.sampled_from(["x", "y", "z"])),
            created=f"202{draw(st.integers(0, 5))}-01-01T00:00:00Z",
            allowedClients={"from": "All"},
            allowedRoutes=draw(SOURCES),
        )
        for index in range(draw(st.integers(1, 6)))
    ]


@given(routes(), NAMES)
def test_no_route_gets_a_request_for_what_an_older_one_of_another_namespace_has(
    written: list[dict[str, Any]], name: str
) -> None:
    decided = plan(*written)
    served = build(decided.bundle).routing.route(name, namespace="anybody")
    claiming = [each for each in decided.policy.routes if any(matches(model, name) for model in each.models)]
    assert (served is None) == (not claiming)
    if served is None:
        return
    oldest, namespace = claiming[0], served.name.partition("/")[0]
    admits = {*oldest.routes_from, oldest.name.partition("/")[0]}
    assert served in claiming or served.alias == name
    assert namespace in admits or "*" in admits


ALICE, LAPTOP = Client(name="a/alice"), Client(name="a/laptop")


def test_a_route_that_lists_its_only_clients_exists_for_nobody_else() -> None:
    """Not for other clients of its namespace, not for the release's, and not for a route that looks for a judge."""
    mine = route("sonnet", "my-*", name="a/mine", only_clients=("a/alice",), clients_from=ALL)
    clients = (A, B, RELEASE, ALICE, LAPTOP)
    found = routing(mine, shared("*", name="b/rest", routes_from=ALL), clients=clients)
    for _ in range(2):  # the second time from the memo
        assert [answered(found, client, "sonnet") for client in clients] == ["b/rest"] * 3 + ["a/mine", "b/rest"]
        assert [answered(found, client, "my-claude") for client in clients] == ["b/rest"] * 3 + ["a/mine", "b/rest"]
    assert [list(found.names(client)) for client in (A, ALICE)] == [[], ["sonnet"]]
    assert [found.nearest(client, "sonet") for client in (A, ALICE)] == [[], ["sonnet"]]
    judge = found.route("sonnet", namespace="a")
    assert judge is not None
    assert judge.name == "b/rest"


def test_with_one_namespace_only_the_listed_clients_see_the_route() -> None:
    found = routing(route("sonnet", name="a/mine", only_clients=("a/alice", "a/gone")), clients=(A, ALICE))
    assert [answered(found, client, "sonnet") for client in (A, ALICE)] == [None, "a/mine"]
    assert found.route("sonnet", namespace="a") is None
