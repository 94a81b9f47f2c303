"""What holds for any input at all."""

import json
import random
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.examples import examples
from tests.support.builders.objects import NOW, bedrock, budget, client, credential, route, secret, target, vertex

from claude_gateway.contract.bundle import pack, unpack
from claude_gateway.contract.policy import Egress, Policy
from claude_gateway.contract.route import Route
from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL, Kind, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.litellm_config import LiteLLMConfig
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.world import Settings, World

MARK = "Zq7"
"""Every secret value in here holds it, and nothing else does."""

NAMES = st.sampled_from(["a", "b", "c"])
NAMESPACES = st.sampled_from(["default", "team"])
MODELS = st.sampled_from(["claude-a", "claude-b", "claude-*", "claude-**", "*", "gpt-5", "os.environ/X"])
TIMES = st.sampled_from([None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00+01:00", "2026-03-01"])
VALUES = st.sampled_from(
    [
        f"{MARK}-api-key-0123456789",
        f" {MARK}-padded-0123456789\n",
        f"sk-ant-{MARK}-0123456789",
        f"{MARK}",
        f"{MARK}\x00",
        f"{MARK} ü",
    ]
)
ADDRESSES = st.sampled_from(["http://vllm:8000/v1", "https://x.example", "http://localhost/v1", "http://0x7f.1/", "x"])
PROVIDERS = st.sampled_from(["anthropic", "openai", "hosted_vllm", "gemini", "bedrock", "vertex_ai", "nope"])
MODEL_IDS = st.sampled_from(["*", "x", "x/../y", "claude-sonnet-5-5", "us.anthropic.claude-opus-5-5", "gpt-5-codex"])
FORMATS = st.sampled_from([[], ["Messages"], ["Responses"], ["Chat", "Responses"]])


@st.composite
def targets(draw: st.DrawFn) -> dict[str, Any]:
    model = f"{draw(PROVIDERS)}/{draw(MODEL_IDS)}"
    if draw(st.integers(0, 5)) == 0:
        return {"model": model, "forwardClientToken": True, "formats": draw(FORMATS)}
    if draw(st.booleans()):
        return target(model, baseURL=draw(ADDRESSES), weight=draw(st.integers(0, 3)))
    return target(model, credential=draw(NAMES))


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """An object as somebody might write it: mostly valid, with few names, so that objects refer to each other."""
    name, namespace = draw(NAMES), draw(NAMESPACES)
    kind = draw(st.sampled_from(list(Kind)))
    if kind is Kind.SECRET:
        labels = draw(st.sampled_from([{LABEL_CREDENTIAL: "true"}, {LABEL_CREDENTIAL: "true"}, {}]))
        values = {name: draw(VALUES) for name in ("api", "client", "AWS_BEARER_TOKEN_BEDROCK")}
        return secret(name, values, namespace=namespace, labels=labels)
    if kind is Kind.CLAUDE_CREDENTIAL:
        fields = draw(st.one_of(st.just({}), st.fixed_dictionaries({"baseURL": ADDRESSES})))
        cloud = draw(st.sampled_from([None, None, bedrock, vertex]))
        if cloud is not None:
            manifest: dict[str, Any] = cloud(name, secret=draw(st.none() | NAMES), namespace=namespace, **fields)
            return manifest
        return credential(name, provider=draw(PROVIDERS), secret=draw(NAMES), namespace=namespace, **fields)
    if kind is Kind.GATEWAY_CLIENT:
        keys = draw(st.lists(st.sampled_from(["api", "client", "gone"]), min_size=1, max_size=3))
        return client(name, secret=draw(NAMES), keys=keys, namespace=namespace, created=draw(TIMES))
    if kind is Kind.BUDGET:
        fields = draw(st.sampled_from([{}, {"parent": draw(NAMES)}, {"action": "Route", "routeTo": draw(MODELS)}]))
        return budget(name, amount=draw(st.sampled_from(["5", "0.01", "x"])), namespace=namespace, **fields)
    extras: list[dict[str, Any]] = [{}, {}, {}, {"displayName": "X"}, {"nonsense": 1}, {"timeouts": {"idle": "1s"}}]
    extras += [{"allowedRoutes": {"from": "All"}}, {"allowedClients": {"from": "Namespaces", "namespaces": ["team"]}}]
    return route(
        name,
        models=draw(st.lists(MODELS, min_size=1, max_size=3)),
        targets=draw(st.lists(targets(), min_size=1, max_size=3)),
        namespace=namespace,
        created=draw(TIMES),
        **draw(st.sampled_from(extras)),
    )


def identity(manifest: dict[str, Any]) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


WORLDS = st.lists(objects(), max_size=14, unique_by=identity)

WORDS = st.sampled_from(
    [
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "name",
        "namespace",
        "labels",
        "data",
        "stringData",
        "models",
        "targets",
        "model",
        "credential",
        "baseURL",
        "keys",
        "secretRef",
        "apiKey",
        "provider",
        "key",
        "timeouts",
        "idle",
        "status",
        "conditions",
        "type",
        "creationTimestamp",
        "generation",
        "parameters",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.text(st.characters(), max_size=3),
    st.sampled_from([API_VERSION, "v1", *Kind, "default", "\ud800", "claude-*", "anthropic/x", "9" * 400, "-1s"]),
    st.datetimes(),
    st.binary(max_size=3),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(WORDS, st.text(max_size=4), st.integers()), inner, max_size=4),
    ),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A valid object with junk in one of its places."""
    manifest = json.loads(json.dumps(draw(objects())))
    node: Any = manifest
    while True:
        places: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        place = draw(st.sampled_from(places))
        if not isinstance(node[place], dict | list) or not node[place] or draw(st.integers(0, 3)) == 0:
            node[place] = draw(JUNK)
            return manifest
        node = node[place]


def plan_of(manifests: list[Any], *, strict: bool = True) -> Plan:
    return decide(read(manifests, Settings(strict=strict, egress=Egress(hosts=("x.example",)))), NOW)


def texts(value: Any) -> Iterator[str]:
    """All strings in a loaded document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(key)
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


@given(WORLDS, st.randoms(use_true_random=False))
def test_the_order_of_the_manifests_does_not_matter(manifests: list[Any], chance: random.Random) -> None:
    shuffled = chance.sample(manifests, len(manifests))
    assert plan_of(manifests) == plan_of(shuffled)


@given(WORLDS, st.booleans())
def test_deciding_twice_gives_the_same_and_changes_no_input(manifests: list[Any], strict: bool) -> None:
    before = json.dumps(manifests)
    first = plan_of(manifests, strict=strict)
    assert first == plan_of(manifests, strict=strict)
    assert json.dumps(manifests) == before


@examples(300)
@given(st.lists(st.one_of(JUNK, damaged(), objects()), max_size=6), st.booleans())
def test_nothing_at_all_makes_it_raise(manifests: list[Any], strict: bool) -> None:
    decided = plan_of(manifests, strict=strict)
    assert unpack(pack(decided.bundle)) == decided.bundle
    assert Policy.model_validate_json(decided.bundle.gateway) == decided.policy
    str(decided.problems).encode()
    repr(decided).encode()


@examples(300)
@given(st.lists(st.one_of(JUNK, damaged(), objects()), max_size=8), st.booleans())
def test_every_problem_names_object_field_and_fix(manifests: list[Any], strict: bool) -> None:
    for problem in plan_of(manifests, strict=strict).problems:
        assert (problem.object.kind and problem.object.name) or problem.document is not None
        assert problem.field
        assert problem.message
        assert problem.fix.endswith((".", "?"))


@examples(200)
@given(st.lists(st.one_of(damaged(), objects()), max_size=10), st.booleans())
def test_no_secret_value_is_anywhere_but_in_the_secret_part(manifests: list[Any], strict: bool) -> None:
    readable: World = read(manifests, Settings(strict=strict))
    decided = decide(readable, NOW)
    packed = pack(decided.bundle)
    shown = [repr(readable), repr(decided), repr(packed), str(decided.policy), *map(str, decided.problems)]
    public = [entry.decode() for entry in packed.config.values()]
    assert not any(MARK in text for text in (*shown, *public, *packed.secrets))


def broken(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest under a name of its own, and made unreadable."""
    metadata = {**manifest["metadata"], "name": f"bad-{manifest['metadata']['name']}"}
    return {**manifest, "metadata": metadata, "spec": {**manifest.get("spec", {}), "nonsense": 1}}


@given(WORLDS, st.lists(st.one_of(objects().map(broken), JUNK), max_size=4))
def test_a_bad_object_never_changes_what_others_get(manifests: list[Any], bad: list[Any]) -> None:
    before = plan_of(manifests)
    after = plan_of([*manifests, *bad])
    readable = {f"{i.ref.namespace}/{i.ref.name}" for i in read(manifests, Settings()).routes if i.spec is not None}
    served = [[r for r in decided.policy.routes if r.name in readable] for decided in (before, after)]
    assert served[0] == served[1]
    assert all(r.targets == () for r in after.policy.routes if r.name not in readable)
    assert after.policy.clients == before.policy.clients
    assert after.policy.client_keys == before.policy.client_keys
    assert after.bundle.secrets == before.bundle.secrets
    reported = {status.object: status for status in after.statuses}
    assert all(reported[status.object] == status for status in before.statuses)


@given(WORLDS)
def test_a_name_belongs_to_the_oldest_route_that_claims_it(manifests: list[Any]) -> None:
    decided = plan_of(manifests)
    holders = [name for entry in decided.policy.routes for name in entry.models]
    assert len(holders) == len(set(holders))
    items = {f"{i.ref.namespace}/{i.ref.name}": i for i in read(manifests, Settings()).routes}
    several = len({item.ref.namespace for item in items.values()}) > 1
    for entry in decided.policy.routes:
        mine = items[entry.name]
        for other in items.values():
            if other.ref != mine.ref and any(_meets(entry, claim) for claim in other.claims):
                if several and _lost(decided, other.ref):
                    continue  # to an older route of another namespace, whose names may cover this one
                assert mine.spec is not None or other.spec is None
                assert mine.age < other.age or other.spec is None


def _lost(decided: Plan, route: ObjectRef) -> bool:
    """Return whether another route keeps this one from a name: an older one, or one of another namespace."""
    return any(problem.object == route and problem.reason == Reason.MODEL_TAKEN for problem in decided.problems)


def _meets(entry: Route, claim: str) -> bool:
    return claim.replace("**", "*") in entry.models


@given(WORLDS)
def test_the_yaml_is_the_config_and_refers_to_our_keys_only(manifests: list[Any]) -> None:
    decided = plan_of(manifests)
    document = yaml.safe_load(decided.bundle.litellm)
    config = LiteLLMConfig.model_validate(document)
    ids = [target.id for entry in decided.policy.routes for target in entry.targets]
    assert [deployment.model_info.id for deployment in config.model_list] == ids
    entries = {
        f"os.environ/CLAUDE_GATEWAY_KEY_{name.upper().replace('.', '_').replace('-', '_')}": name
        for name in decided.bundle.secrets
    }
    for deployment in config.model_list:
        api_key, entry = deployment.litellm_params.api_key, deployment.model_info.gw_secret
        assert entries.get(api_key or "") == entry
    references = [text for text in texts(document) if "os.environ" in text or text.startswith("oidc/")]
    assert set(references) <= set(entries)


@given(WORLDS)
def test_every_secret_that_is_needed_is_there_and_no_other(manifests: list[Any]) -> None:
    decided = plan_of(manifests)
    needed = {target.secret for entry in decided.policy.routes for target in entry.targets} | {
        decided.policy.client_keys
    }
    assert set(decided.bundle.secrets) == needed - {None}
