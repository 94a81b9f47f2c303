"""Whatever the planner accepts, every process can load."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.examples import examples
from tests.support.builders.objects import (
    aws_keys,
    bedrock,
    client,
    credential,
    key_file,
    plan,
    route,
    secret,
    target,
    vertex,
)
from tests.unit.plan.test_properties import JUNK, WORLDS, damaged, objects, plan_of

from claude_gateway.contract.bundle import pack
from claude_gateway.names import Reason
from claude_gateway.plan.decide import Plan
from claude_gateway_proxy.agent.keeper import verify
from claude_gateway_proxy.gateway import snapshot
from claude_gateway_proxy.litellm import targets

KEY = "sk-0123456789-0123456789"
REFERENCES = ["os.environ/HOME", "OS.environ/HOME", "oidc/google/https://x.example", " oidc/file/token", "os.environ/"]
VALUES = st.one_of(
    st.sampled_from(REFERENCES),
    st.sampled_from(['{"bearerToken": 1}', "\ud800", "\x00", "ü", ""]),
    st.text(max_size=20),
)
TEXTS = st.one_of(
    st.sampled_from(["x", "os.environ/X", "oidc/X", "\ud800", "\x7f", "🙂", "a\nb", "*", "~"]), st.text(max_size=8)
)
GOOGLE_FIELDS = ("project_id", "private_key_id", "client_id", "client_email", "token_uri", "private_key", "type")
TIMES = st.sampled_from(["1ms", "30s", "24h", "0s", "99999h", "9" * 20 + "h"])
NUMBERS = st.one_of(st.floats(), st.integers(-3, 10**400), st.sampled_from([0, 1, 0.5, 1e-300]))


def mostly(usual: Any, odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual value in most examples: one object with many odd values has only Problems, and then nothing loads."""
    return st.one_of(st.just(usual), st.just(usual), st.just(usual), odd)


@st.composite
def hostile(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Objects that refer to each other as they should, with odd text and numbers in some places that users write."""
    aws = st.dictionaries(st.sampled_from(["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]), VALUES, max_size=2)
    google = st.dictionaries(st.sampled_from(GOOGLE_FIELDS), VALUES, max_size=2)
    provider = draw(st.sampled_from(["anthropic", "openai", "gemini", "mistral"]))
    parameters = st.dictionaries(st.sampled_from(["temperature", "topP"]), NUMBERS, max_size=2)
    fields = st.fixed_dictionaries({}, optional={"displayName": TEXTS, "safeguardsModel": TEXTS})
    routes = [
        route(
            f"r-{name}",
            models=[f"m-{name}", *draw(mostly([], st.lists(TEXTS, max_size=2)))],
            targets=[target(f"{prefix}/{draw(mostly('*', TEXTS))}", name, parameters=draw(mostly({}, parameters)))],
            timeouts=draw(mostly({}, st.fixed_dictionaries({"total": TIMES}))),
            **draw(mostly({}, fields)),
        )
        for name, prefix in (("api", provider), ("bedrock", "bedrock"), ("vertex", "vertex_ai"))
    ]
    return [
        secret(values={"api": draw(mostly(KEY, VALUES)), "client": draw(mostly(KEY, VALUES))}),
        aws_keys(**{"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": KEY, **draw(mostly({}, aws))}),
        key_file(**draw(mostly({}, google))),
        credential("api", provider=provider),
        bedrock(**draw(mostly({}, st.fixed_dictionaries({"region": TEXTS})))),
        vertex(**draw(mostly({}, st.fixed_dictionaries({"project": TEXTS, "location": TEXTS})))),
        client(models=["*", *draw(mostly([], st.lists(TEXTS, max_size=2)))]),
        *routes,
    ]


def loaded(decided: Plan) -> None:
    """Load a plan's bundle as the agent, the gateway and the worker do."""
    bundle = verify(pack(decided.bundle))
    assert snapshot.build(bundle).revision == bundle.meta.revision
    table = targets.build(bundle)
    assert sorted(table.targets) == sorted(target.id for route in decided.policy.routes for target in route.targets)


@examples(300)
@given(hostile())
def test_agent_gateway_and_worker_take_what_the_planner_accepts(manifests: list[Any]) -> None:
    loaded(plan_of(manifests))


@examples(200)
@given(st.one_of(WORLDS, st.lists(st.one_of(JUNK, damaged(), objects()), max_size=8)), st.booleans())
def test_they_also_take_what_is_left_of_objects_with_mistakes(manifests: list[Any], strict: bool) -> None:
    loaded(plan_of(manifests, strict=strict))


@pytest.mark.parametrize("value", REFERENCES)
@pytest.mark.parametrize(
    "cloud", [None, "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "google"]
)
def test_a_value_that_reads_as_a_reference_costs_its_own_credential_alone(value: str, cloud: str | None) -> None:
    bad = {
        None: [secret("bad", {"api": value}), credential("bad", provider="mistral", secret="bad")],
        "google": [key_file("bad", private_key_id=value.strip()), vertex("bad", secret="bad")],
    }.get(cloud) or [
        aws_keys("bad", **{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", str(cloud): value}),
        bedrock("bad", secret="bad"),
    ]
    model = {None: "mistral/x", "google": "vertex_ai/*"}.get(cloud, "bedrock/*")
    decided = plan(*bad, route("bad", models=["bad"], targets=[target(model, "bad")]), secret(), credential(), route())
    assert {route.name: len(route.targets) for route in decided.policy.routes} == {
        "default/bad": 0,
        "default/sonnet": 1,
    }
    problem = next(p for p in decided.problems if p.object.kind == "ClaudeCredential")
    assert (problem.object.name, problem.reason) == ("bad", Reason.SECRET_VALUE_INVALID)
    assert "reference" in problem.message
    assert value.strip() not in f"{problem.message} {problem.fix}".replace("`os.environ/`", "")
    assert {p.object.name for p in decided.problems} == {"bad"}
    loaded(decided)
