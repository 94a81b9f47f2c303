"""A Claude model has a name at Anthropic, at Bedrock and at Vertex; all of them find the same route."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.client import Client
from claude_gateway.contract.model_ids import plain_name, variants
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.routing.names import Routing
from claude_gateway_proxy.gateway.routing.route_ref import RouteRef
from claude_gateway_proxy.gateway.wire.model_ids import written_for

_PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
_DATED = ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5")


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", _DATED),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", _DATED),
        ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", _DATED),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", _DATED),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0:200k", _DATED),
        (f"{_PROFILE}us.anthropic.claude-sonnet-4-5-20250929-v1:0", _DATED),
        ("arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0", _DATED),
        ("claude-sonnet-4-5@20250929", _DATED),
        ("claude-sonnet-4-5@default", ("claude-sonnet-4-5",)),
        ("claude-3-5-sonnet@latest", ("claude-3-5-sonnet-latest",)),
        ("claude-3-5-sonnet-v2@20241022", ("claude-3-5-sonnet-v2-20241022", "claude-3-5-sonnet-v2")),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet")),
        ("us.anthropic.claude-opus-5-5", ("claude-opus-5-5",)),
        ("anthropic.claude-opus-5-5", ("claude-opus-5-5",)),
        ("us.anthropic.claude-opus-4-6-v1", ("claude-opus-4-6",)),
        ("claude-sonnet-4-5-20250929", ()),
        ("claude-3-5-sonnet-latest", ()),
        ("gpt-5", ()),
        ("openai.gpt-oss-120b-1:0", ()),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", ()),
    ],
)
def test_an_id_has_these_names(model: str, names: tuple[str, ...]) -> None:
    assert tuple(variants(model)) == (model, *names)


@pytest.mark.parametrize(
    ("wire", "model", "region", "written"),
    [
        (Wire.ANTHROPIC, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "", "claude-sonnet-4-5-20250929"),
        (Wire.ANTHROPIC, "claude-sonnet-4-5@20250929", "", "claude-sonnet-4-5-20250929"),
        (Wire.ANTHROPIC, "claude-sonnet-4-5", "", "claude-sonnet-4-5"),
        (Wire.BEDROCK, "claude-sonnet-4-5-20250929", "eu-west-1", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        (Wire.BEDROCK, "claude-sonnet-4-5@20250929", "us-east-1", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        (Wire.BEDROCK, "claude-opus-5-5", "ap-south-1", "apac.anthropic.claude-opus-5-5"),
        (Wire.BEDROCK, "claude-opus-5-5", "us-gov-west-1", "us-gov.anthropic.claude-opus-5-5"),
        (Wire.BEDROCK, "claude-opus-5-5", "ca-central-1", "global.anthropic.claude-opus-5-5"),
        (Wire.BEDROCK, "us.anthropic.claude-opus-5-5", "eu-west-1", "us.anthropic.claude-opus-5-5"),
        (Wire.BEDROCK, f"{_PROFILE}abc", "eu-west-1", f"{_PROFILE}abc"),
        (Wire.BEDROCK, "amazon.nova-pro-v1:0", "us-east-1", "amazon.nova-pro-v1:0"),
        (Wire.VERTEX, "claude-sonnet-4-5-20250929", "", "claude-sonnet-4-5@20250929"),
        (Wire.VERTEX, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "", "claude-sonnet-4-5@20250929"),
        (Wire.VERTEX, "claude-sonnet-4-5@default", "", "claude-sonnet-4-5@default"),
        (Wire.VERTEX, "claude-opus-5-5", "", "claude-opus-5-5"),
    ],
)
def test_a_target_for_every_model_gets_its_own_id(wire: Wire, model: str, region: str, written: str) -> None:
    assert written_for(wire, model, region) == written


@given(st.text(max_size=60), st.sampled_from(sorted(Wire)))
def test_any_text_is_some_id(model: str, wire: Wire) -> None:
    assert variants(model)[0] == model
    assert isinstance(written_for(wire, model, "us-east-1"), str)
    assert plain_name(plain_name(model)) == plain_name(model) or model.startswith("arn:")


def _routing(*models: str, clients: tuple[Client, ...] = ()) -> Routing:
    routes = [Route(name=f"ns/{model}", models=(model,), targets=()) for model in models]
    refs = [RouteRef.of(route, route.model_dump_json(by_alias=True).encode(), release="ns") for route in routes]
    return Routing(refs, clients)


@pytest.mark.parametrize(
    ("model", "models", "winner"),
    [
        ("us.anthropic.claude-a-20250101-v1:0", ("claude-a", "claude-a-20250101"), "claude-a-20250101"),
        ("us.anthropic.claude-a-20250101-v1:0", ("claude-a", "*"), "claude-a"),
        ("us.anthropic.claude-a-20250101-v1:0", ("claude-a", "us.anthropic.*"), "claude-a"),
        ("us.anthropic.claude-a-v1:0", ("claude-a", "us.anthropic.claude-a-v1:0"), "us.anthropic.claude-a-v1:0"),
        ("us.anthropic.claude-a-v1:0", ("claude-*", "*"), "claude-*"),
        ("us.anthropic.claude-a-v1:0", ("us.anthropic.*", "claude-*"), "us.anthropic.*"),
        ("claude-a@20250101", ("claude-a-*", "claude-*"), "claude-a-*"),
        ("us.anthropic.claude-a-v1:0", ("claude-b",), None),
        ("claude-a-20250101", ("claude-a", "*"), "*"),
    ],
)
def test_routes_are_found_by_any_of_its_names(model: str, models: tuple[str, ...], winner: str | None) -> None:
    for order in (models, tuple(reversed(models))):
        found = _routing(*order).route(model, namespace="ns")
        assert (None if found is None else found.name.removeprefix("ns/")) == winner


def test_a_client_may_use_a_model_by_any_of_its_names() -> None:
    ann = Client(name="ns/ann", models=("claude-a",))
    routing = _routing("*", clients=(ann,))
    assert routing.allowed(ann, "us.anthropic.claude-a-20250101-v1:0")
    assert routing.allowed(ann, "claude-a@20250101")
    assert not routing.allowed(ann, "us.anthropic.claude-b-v1:0")
    assert routing.nearest(ann, "us.anthropic.claude-a1-v1:0") == []
    assert _routing("claude-a", clients=(ann,)).nearest(ann, "us.anthropic.claude-a1-v1:0") == ["claude-a"]
