"""The list of models, in both shapes."""

import json
from datetime import UTC, datetime

import pytest
from tests.support.builders.bundles import bundle, route, target

from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Target, Wire
from claude_gateway_proxy.gateway.discovery.models import listing, single
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.routing.names import Routing
from claude_gateway_proxy.gateway.snapshot import build

_ALL = Client(name="ns/all")
_FEW = Client(name="ns/few", models=("b", "a-*"))
_ROUTES = [route("d", "b", display_name="Bee"), route("c", "a-1"), route("a-*")]
_ROUTING = build(bundle(_ROUTES, clients=[_ALL, _FEW])).routing


def _page(query: str, client: Client = _ALL) -> tuple[list[str], bool]:
    body = json.loads(listing(_ROUTING, client, shape=Wire.ANTHROPIC, query=query.encode()))
    names = [each["id"] for each in body["data"]]
    assert body["first_id"] == (names[0] if names else None)
    assert body["last_id"] == (names[-1] if names else None)
    return names, body["has_more"]


@pytest.mark.parametrize(
    ("query", "names", "more"),
    [
        ("", ["a-1", "b", "c", "d"], False),
        ("limit=1000", ["a-1", "b", "c", "d"], False),
        ("limit=2", ["a-1", "b"], True),
        ("limit=2&after_id=b", ["c", "d"], False),
        ("limit=1&after_id=b", ["c"], True),
        ("limit=2&before_id=d", ["b", "c"], True),
        ("before_id=b", ["a-1"], False),
        ("after_id=d", [], False),
        ("after_id=bb", ["c", "d"], False),
    ],
)
def test_anthropics_list_has_pages(query: str, names: list[str], more: bool) -> None:
    assert _page(query) == (names, more)


def test_walking_the_pages_gives_every_name_once() -> None:
    seen: list[str] = []
    more = True
    while more:
        names, more = _page(f"limit=1&after_id={seen[-1]}" if seen else "limit=1")
        seen += names
    assert seen == ["a-1", "b", "c", "d"]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "9" * 5000, "\u0661"])
def test_a_limit_out_of_bounds_is_refused(limit: str) -> None:
    with pytest.raises(Failure) as caught:
        _page(f"limit={limit}")
    assert caught.value.status == 400


def test_a_model_is_shown_by_its_routes_name_for_it() -> None:
    body = json.loads(listing(_ROUTING, _ALL, shape=Wire.ANTHROPIC, query=b""))
    assert {each["id"]: each["display_name"] for each in body["data"]} == {
        "a-1": "a-1",
        "b": "Bee",
        "c": "c",
        "d": "Bee",
    }
    assert {each["type"] for each in body["data"]} == {"model"}


def test_openais_list_is_whole_whatever_the_query_says() -> None:
    body = json.loads(listing(_ROUTING, _ALL, shape=Wire.OPENAI, query=b"limit=1"))
    assert body["object"] == "list"
    assert [each["id"] for each in body["data"]] == ["a-1", "b", "c", "d"]
    assert all(set(each) == {"id", "object", "created", "owned_by"} for each in body["data"])


def test_a_client_sees_only_what_it_may_use() -> None:
    assert _page("", _FEW) == (["a-1", "b"], False)
    with pytest.raises(Failure) as caught:
        single(_ROUTING, _FEW, "c", shape=Wire.ANTHROPIC)
    assert caught.value.status == 404


def test_one_model_is_found_even_if_only_a_pattern_serves_it() -> None:
    assert json.loads(single(_ROUTING, _FEW, "a-77", shape=Wire.ANTHROPIC))["id"] == "a-77"
    assert json.loads(single(_ROUTING, _ALL, "b", shape=Wire.OPENAI))["object"] == "model"
    with pytest.raises(Failure, match="no route serves"):
        single(_ROUTING, _ALL, "zz", shape=Wire.OPENAI)


@pytest.mark.parametrize(
    ("name", "created"),
    [
        ("claude-sonnet-4-5-20250929", "2025-09-29T00:00:00Z"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "2025-09-29T00:00:00Z"),
        ("claude-sonnet-4-5@20250929", "2025-09-29T00:00:00Z"),
        ("gpt-4o-2024-08-06", "2024-08-06T00:00:00Z"),
        ("claude-sonnet-4-5", "1970-01-01T00:00:00Z"),
        ("llama-20250431", "1970-01-01T00:00:00Z"),
        ("build-202509291", "1970-01-01T00:00:00Z"),
    ],
)
def test_a_release_date_is_the_one_in_the_name_or_not_known(name: str, created: str) -> None:
    routing = build(bundle([route("*")], clients=[_ALL])).routing
    model = json.loads(single(routing, _ALL, name, shape=Wire.ANTHROPIC))
    assert (model["id"], model["created_at"]) == (name, created)
    seconds = json.loads(single(routing, _ALL, name, shape=Wire.OPENAI))["created"]
    assert datetime.fromtimestamp(seconds, UTC).isoformat() == created.replace("Z", "+00:00")


def test_the_ids_of_clouds_are_found() -> None:
    routing = build(bundle([route("claude-sonnet-4-5", display_name="Sonnet")], clients=[_ALL])).routing
    for name in (
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-sonnet-4-5@20250929",
    ):
        model = json.loads(single(routing, _ALL, name, shape=Wire.ANTHROPIC))
        assert (model["id"], model["display_name"]) == (name, "Sonnet")


def _limited(*targets: Target, models: tuple[str, ...] = ("m",)) -> Routing:
    served = route(
        *models, targets=list(targets), alias=None if models[0].startswith("claude") else f"claude-{models[0]}"
    )
    return build(bundle([served], clients=[_ALL])).routing


def _limits(routing: Routing, name: str) -> tuple[object, ...]:
    ours = json.loads(single(routing, _ALL, name, shape=Wire.ANTHROPIC))
    theirs = json.loads(single(routing, _ALL, name, shape=Wire.OPENAI))
    assert theirs.get("context_length") == theirs.get("max_model_len") == ours["max_input_tokens"]
    assert theirs.get("max_completion_tokens") == ours["max_tokens"]
    assert None not in theirs.values()
    return ours["max_input_tokens"], ours["max_tokens"]


def _with(window: int | None, output: int | None) -> Target:
    return target(base_url="http://a", context_window=window, max_output_tokens=output)


def test_a_model_has_the_limits_of_the_target_with_the_most_room() -> None:
    assert _limits(_limited(_with(1000, 10)), "m") == (1000, 10)
    assert _limits(_limited(_with(1000, 10), _with(500, 70)), "claude-m") == (1000, 70)
    assert _limits(_limited(_with(1000, None), _with(None, 70)), "m") == (None, None), "one may take more"
    assert _limits(_limited(), "m") == (None, None)


def test_of_a_target_that_takes_any_model_the_limits_are_the_models() -> None:
    any_claude = target(base_url="http://a", provider="anthropic", model="*")
    there = _limited(any_claude, models=("claude-*",))
    assert _limits(there, "claude-haiku-4-5") == (200_000, 64_000)
    assert _limits(there, "claude-haiku-4-5[1m]") == (200_000, 64_000)
    assert _limits(there, "claude-unheard-of") == (None, None)
    any_model = target(base_url="http://a", provider="groq", model="*", context_window=5000)
    assert _limits(_limited(any_model, models=("openai/gpt-oss-120b",)), "openai/gpt-oss-120b") == (5000, None)


def test_the_list_has_the_limits_too() -> None:
    (ours,) = json.loads(listing(_limited(_with(7, 5), models=("claude-x",)), _ALL, shape=Wire.ANTHROPIC, query=b""))[
        "data"
    ]
    assert (ours["max_input_tokens"], ours["max_tokens"]) == (7, 5)
    assert _ROUTING.limits(Client(name="ns/nobody"), "b") == (None, None)
