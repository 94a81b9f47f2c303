"""Slices: the same for the same part, computed of what was written or of what was read back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.support.builders.objects import (
    CLIENT_KEY,
    NOW,
    aws_keys,
    bedrock,
    client,
    credential,
    manifest,
    plan,
    route,
    secret,
    sound,
    target,
    vertex,
    world,
)
from tests.unit.plan.test_properties import WORLDS

from claude_gateway.contract.bundle import Bundle, pack, unpack
from claude_gateway.names import Kind
from claude_gateway.plan.decide import decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.slices import name, slices_of
from claude_gateway.plan.world import ClusterKeys, Settings


def bundle(*manifests: Any) -> Bundle:
    decided = plan(*manifests)
    return decided.bundle


def test_each_object_has_a_name_of_its_own() -> None:
    assert sorted(slices_of(bundle(*sound())) or ()) == [
        "client:default/alice",
        "key:default.keys.api",
        "route:default/sonnet",
    ]


def test_an_edit_changes_its_own_slice_and_no_other() -> None:
    before = slices_of(bundle(*sound(), route("other", models=["o"], targets=[target(baseURL="http://vllm:1/v1")])))
    edited = route("other", models=["o"], targets=[target(baseURL="http://vllm:2/v1")])
    after = slices_of(bundle(*sound(), edited))
    assert before is not None
    assert after is not None
    assert {name for name in before if before[name] != after[name]} == {"route:default/other"}
    more = slices_of(bundle(*sound(), route("more", models=["m"])))
    assert more is not None
    assert [name for name in before if before[name] != more.get(name, before[name])] == []


def test_a_key_that_goes_elsewhere_or_is_another_one_changes_its_slice() -> None:
    before = slices_of(bundle(*sound()))
    moved = slices_of(bundle(secret(), credential(baseURL="https://elsewhere.example"), client(), route()))
    rotated = {"api": "sk-test-rotated-upstream-key-0123456789", "client": CLIENT_KEY}
    renewed = slices_of(bundle(secret(values=rotated), credential(), client(), route()))
    for after in (moved, renewed):
        assert before is not None
        assert after is not None
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {"key:default.keys.api", "route:default/sonnet"}


def test_two_keys_of_one_client_count_in_any_order() -> None:
    values = {"api": "sk-test-upstream-key-0123456789", "a": "cgw_0123456789-first", "b": "cgw_0123456789-second"}
    of = [
        slices_of(bundle(secret(values=values), credential(), client(keys=keys), route()))
        for keys in (["a", "b"], ["b", "a"], ["a"])
    ]
    assert of[0] == of[1]
    assert of[0] != of[2]


@given(WORLDS)
def test_what_was_read_back_has_the_slices_of_what_was_decided(manifests: list[Any]) -> None:
    decided = decide(replace(read(manifests, Settings()), pods=()), NOW)
    assert slices_of(unpack(pack(decided.bundle))) == decided.slices


@pytest.mark.parametrize(
    ("gateway", "secrets"),
    [
        (b"{", {}),
        (b'{"routes": 5}', {}),
        (b'{"clientKeys": "clients.1"}', {}),
        (b'{"clientKeys": "clients.1"}', {"clients.1": b"nonsense"}),
        (b'{"clientKeys": "clients.1"}', {"clients.1": b"[]"}),
        (b'{"clientKeys": "clients.1"}', {"clients.1": b'{"a": 1}'}),
    ],
)
def test_what_another_version_wrote_has_no_slices(gateway: bytes, secrets: dict[str, bytes]) -> None:
    assert slices_of(Bundle(gateway=gateway, litellm=b"", secrets=secrets)) is None


def test_the_identity_of_the_pods_has_a_slice_for_each_place() -> None:
    credentials = (bedrock(), bedrock("pods", secret=None), vertex(secret=None), aws_keys())
    targets = [target("bedrock/*", "bedrock"), target("bedrock/*", "pods"), target("vertex_ai/*", "vertex")]
    decided = decide(replace(world(*credentials, route(targets=targets)), pods=()), NOW)
    assert sorted(decided.slices) == [
        "key:default.aws",
        "place:my-project/us-east5",
        "place:us-east-1",
        "route:default/sonnet",
    ]
    assert {name(item) for item in world(*credentials).credentials} == decided.slices.keys() - {"route:default/sonnet"}


def test_nobody_who_has_no_keys_has_a_slice() -> None:
    assert slices_of(bundle()) == {}
    assert world().pods is None


def test_the_keys_of_the_cluster_count_for_who_has_service_accounts() -> None:
    accounts = manifest(Kind.GATEWAY_CLIENT, "ci", {"serviceAccounts": [{"name": "runner"}]})

    def of(keys: str) -> Mapping[str, str]:
        world = read([secret(), client(), accounts], Settings(release="cg", audience="a"))
        found = slices_of(decide(replace(world, cluster=ClusterKeys("https://k8s", keys)), NOW).bundle)
        assert found is not None
        return found

    before, after = of("old"), of("new")
    assert {name for name in before if before[name] != after[name]} == {"client:default/ci"}
