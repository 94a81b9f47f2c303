"""The model accepts exactly what the CRD accepts: schema, list types and rules, on generated specs."""

import copy
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.builders.examples import examples

from claude_gateway.api.crd import crd_documents
from claude_gateway.api.kinds import KINDS
from claude_gateway.api.rule import ERROR_TYPE
from claude_gateway.names import Kind

MATCHES = re.compile(r"self\.matches\(r'([^']*)'\)")
SCHEMAS = {
    document["spec"]["names"]["kind"]: document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
        "spec"
    ]
    for document in crd_documents()
}
MODELS = {kind.kind: kind.spec for kind in KINDS}

MODEL_NAMES = st.sampled_from(["a", "smart", "claude-*", "*haiku*", "claude-sonnet-5-5[1m]"])
SECRET = st.fixed_dictionaries({"name": st.sampled_from(["a", "a.b-c"])}, optional={"key": st.just("API_KEY")})
URLS = st.sampled_from(["http://h", "https://h:1/v1", "http://[::1]:8000/v1/"])
ODD = st.sampled_from(
    [
        *(None, True, 0, -1, 1, 1.5, 1e9, 10**8, "1", [], {}, [None], ["a", "a"], ["a"] * 40, {"name": "x"}),
        *("", "text", "A b", "-x", "x" * 300, "é", "x\n", "a/b", "A/b", "anthropic/*", "a/*x", "anthropic/x"),
        *("http://h", "http://u@h", "http://h?q", "ftp://h", "http://h:99999", "http://[::1::]"),
        *("0s", "1ms", "1.5s", "24h", "25h", "1d", "low", "huge", "azure", "*"),
    ]
)
TARGETS = st.builds(
    lambda common, access: {**common, **access},
    st.fixed_dictionaries(
        {"model": st.sampled_from(["openai/x", "anthropic/claude", "anthropic/*", "a/b/c:d"])},
        optional={
            "contextWindow": st.integers(1, 100_000_000),
            "maxOutputTokens": st.integers(1, 10_000_000),
            "supports": st.dictionaries(st.sampled_from(["images", "documents", "tools", "thinking"]), st.booleans()),
            "weight": st.integers(1, 1000),
            "priority": st.integers(0, 15),
            "parameters": st.fixed_dictionaries(
                {},
                optional={
                    "temperature": st.floats(0, 1),
                    "topP": st.floats(0, 1),
                    "reasoningEffort": st.sampled_from(["low", "medium", "high"]),
                },
            ),
        },
    ),
    st.fixed_dictionaries({"credential": st.just("team")}) | st.fixed_dictionaries({"baseURL": URLS}),
).flatmap(
    lambda target: (
        st.just(target)
        | st.just({**target, "formats": ["Responses", "Chat"]})
        | st.just({"model": "anthropic/*", "forwardClientToken": True})
    )
)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    Kind.MODEL_ROUTE: st.fixed_dictionaries(
        {
            "models": st.lists(MODEL_NAMES, min_size=1, max_size=5, unique=True),
            "targets": st.lists(TARGETS, min_size=1, max_size=3),
        },
        optional={
            "safeguardsModel": st.just("claude-haiku-5-5"),
            "affinity": st.sampled_from(["Session", "Agent", "Client", "None"]),
            "suspend": st.booleans(),
            "tokenCounts": st.sampled_from(["Exact", "Estimate"]),
            "displayName": st.text(st.characters(codec="utf-8"), min_size=1, max_size=128),
            "timeouts": st.fixed_dictionaries(
                {},
                optional={
                    "firstToken": st.sampled_from(["1ms", "90s", "1m30s"]),
                    "idle": st.sampled_from(["2s", "24h"]),
                    "total": st.sampled_from(["90s", "30m", "23h60m"]),
                },
            ),
        },
    ),
    Kind.CLAUDE_CREDENTIAL: st.fixed_dictionaries(
        {
            "apiKey": st.fixed_dictionaries(
                {"provider": st.sampled_from(["openai", "vertex_ai"]), "secretRef": SECRET}, optional={"baseURL": URLS}
            )
        }
    )
    | st.fixed_dictionaries(
        {
            "bedrock": st.fixed_dictionaries(
                {"region": st.sampled_from(["us-east-1", "cn-north-1"])},
                optional={"secretRef": st.just({"name": "aws"}), "baseURL": URLS},
            )
        }
    )
    | st.fixed_dictionaries(
        {
            "vertex": st.fixed_dictionaries(
                {"project": st.just("my-project"), "location": st.sampled_from(["global", "us-east5"])},
                optional={"secretRef": SECRET, "baseURL": URLS},
            )
        }
    ),
    Kind.GATEWAY_CLIENT: st.fixed_dictionaries(
        {"keys": st.lists(st.fixed_dictionaries({"secretRef": SECRET}), min_size=1, max_size=3)},
        optional={"models": st.lists(MODEL_NAMES, min_size=1, max_size=5, unique=True), "suspend": st.booleans()},
    ),
}


def places(value: Any) -> list[tuple[Any, Any]]:
    """All (container, key) pairs in a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, part in pairs for place in ((value, key), *places(part))]


@st.composite
def specs(draw: st.DrawFn) -> tuple[str, Any]:
    """A kind and a spec: a good one in which up to two places hold something else, or nothing, or more."""
    kind = draw(st.sampled_from(sorted(GOOD)))
    spec = copy.deepcopy(draw(GOOD[kind]))
    for _ in range(draw(st.integers(0, 2))):
        found = places(spec)
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        if isinstance(container, dict) and draw(st.integers(0, 3)) == 0:
            del container[key]
        else:
            container[key] = copy.deepcopy(draw(ODD))
    return kind, spec


def without_nulls(value: Any) -> Any:
    """A value as an API server stores it: null fields of objects are dropped."""
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def sets_hold(schema: dict[str, Any], value: Any) -> bool:
    """Whether every list that the schema calls a set has no item twice; JSON Schema does not know the keyword."""
    if schema["type"] == "array":
        distinct = schema.get("x-kubernetes-list-type") != "set" or len(set(value)) == len(value)
        return distinct and all(sets_hold(schema["items"], item) for item in value)
    fields = schema.get("properties", {})
    return not fields or all(sets_hold(fields[name], part) for name, part in value.items() if name in fields)


def fits_schema(kind: str, spec: Any) -> bool:
    """Whether the CRD's schema takes the spec, without its CEL rules that are more than a regular expression."""
    # Draft 4 has boolean exclusive bounds, as CRDs do, and does not take 1.0 for an integer.
    schema = with_whole_patterns(SCHEMAS[kind])
    return jsonschema.Draft4Validator(schema).is_valid(spec) and sets_hold(schema, spec)


def with_whole_patterns(schema: Any) -> Any:
    """A schema for Python's ``re``, whose ``$`` also matches before a last line break, unlike that of RE2 and ECMA.

    Rules that are nothing but a regular expression become patterns.
    """
    if isinstance(schema, dict):
        changed = {key: with_whole_patterns(value) for key, value in schema.items()}
        rules = [rule["rule"] for rule in schema.get("x-kubernetes-validations", ())]
        found = [match[1] for rule in rules if (match := MATCHES.fullmatch(rule))]
        for pattern in [*found, *([schema["pattern"]] if isinstance(schema.get("pattern"), str) else [])]:
            changed["pattern"] = pattern.removesuffix("$") + r"\Z"
        return changed
    return [with_whole_patterns(part) for part in schema] if isinstance(schema, list) else schema


def errors(kind: str, spec: Any) -> list[Any]:
    """What the model says about the spec."""
    try:
        MODELS[Kind(kind)].model_validate(spec)
    except ValidationError as error:
        return list(error.errors())
    return []


@given(specs())
@examples(800)
def test_the_model_accepts_exactly_what_the_crd_accepts(drawn: tuple[str, Any]) -> None:
    kind, spec = drawn
    found = errors(kind, spec)
    if fits_schema(kind, without_nulls(spec)):
        # What the schema lets pass can break a rule only, which says the same in CEL and in Python, or have fields
        # that an API server prunes and `lint` tells.
        assert {error["type"] for error in found} <= {ERROR_TYPE, "extra_forbidden"}
    else:
        assert found


@given(st.sampled_from(sorted(GOOD)).flatmap(lambda kind: st.tuples(st.just(kind), GOOD[kind])))
@examples(300)
def test_what_the_model_writes_it_reads_back_and_the_crd_takes_it(drawn: tuple[str, Any]) -> None:
    kind, spec = drawn
    model = MODELS[Kind(kind)].model_validate(spec)
    written = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert written == spec
    assert MODELS[Kind(kind)].model_validate(written) == model
    assert fits_schema(kind, spec)
