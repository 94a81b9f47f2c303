"""Edits under constant load: live on every pod, without a failed request and without a restart."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.e2e.measure import Edit, stale, summary
from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, route
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import CommandError, Manifest, condition
from tests.support.processes.gateway import secret
from tests.support.processes.waiting import until

from claude_gateway.names import LABEL_CREDENTIAL
from claude_gateway_scripted import digest

MODEL = "claude-edited"
EDITS = 8
MANY = 500


@pytest.fixture
def same_pods(gateway: Gateway) -> Iterator[None]:
    """Nothing in the test may restart or replace a pod."""
    before = gateway.release.pods()
    yield
    assert [(pod.uid, pod.restarts) for pod in gateway.release.pods()] == [(pod.uid, pod.restarts) for pod in before]


@contextmanager
def applied(gateway: Gateway, *routes: Manifest) -> Iterator[None]:
    """Apply routes, and delete them afterwards, also if the test fails: later tests ask for every model."""
    names = [each["metadata"]["name"] for each in routes]
    try:
        gateway.kube.apply(*routes, namespace=gateway.release.namespace)
        yield
    finally:
        gateway.kube.kubectl("delete", "modelroute", *names, "--ignore-not-found", "-n", gateway.release.namespace)


@pytest.fixture
def edited(gateway: Gateway) -> Iterator[str]:
    """A route that is there to be edited."""
    with applied(gateway, route("edited", models=[MODEL], model="anthropic/edit-0", credential="anthropic")):
        gateway.wait_live("modelroute/edited")
        yield "edited"


def edit(gateway: Gateway, number: int) -> Edit:
    """Edit the route as a user does, and wait until its status says that the edit is live."""
    served = f"edit-{number}"
    patch = {"spec": {"targets": [{"model": f"anthropic/{served}", "credential": "anthropic"}]}}
    asked = time.time()
    place = ("-n", gateway.release.namespace, "--type=merge")
    gateway.kube.kubectl("patch", "modelroute", "edited", *place, "-p", json.dumps(patch))
    gateway.wait_live("modelroute/edited")
    return Edit(served, asked, time.time())


def edit_under_load(gateway: Gateway, what: str) -> None:
    """Edit again and again while clients ask the Service and each pod."""
    groups = [Group(pod.name, f"http://{pod.ip}:4000", MODEL, workers=1, pause=0.02) for pod in gateway.release.pods()]
    edits: list[Edit] = []
    with gateway.load(*groups, *gateway.steady()) as load:
        for number in range(1, EDITS + 1):
            edits.append(edit(gateway, number))
            load.wait_for_more(10)
    assert load.problems() == []
    direct = [answer for answer in load.answers if answer.group in {group.name for group in groups}]
    assert stale(edits, direct) == []
    print(summary(what, edits, direct))


@pytest.mark.usefixtures("edited", "same_pods")
def test_an_edit_is_live_everywhere_once_it_says_so(gateway: Gateway) -> None:
    edit_under_load(gateway, "edit to live")


@pytest.mark.usefixtures("same_pods")
def test_a_rotated_key_is_live_without_a_restart(gateway: Gateway, upstream: kubepods.Upstream) -> None:
    fresh = f"sk-ant-e2e-{secrets.token_hex(24)}"
    gateway.secrets.append(fresh)
    model = gateway.targets[0].model
    groups = [
        Group(pod.name, f"http://{pod.ip}:4000", model, workers=1, pause=0.1, prompt=f"by {pod.name}")
        for pod in gateway.release.pods()
    ]
    with gateway.load(*groups) as load:
        asked = time.time()
        gateway.kube.apply(secret("anthropic", fresh), namespace=gateway.release.namespace)
        live = [_first(upstream, group.prompt, fresh) for group in groups]
        load.wait_for_more(40)
    assert load.problems() == []
    late = [found for found in upstream.requests if found.time > max(live)]
    assert len(late) >= 20
    assert {found.credential for found in late} == {digest(fresh)}
    print("\nkey rotated on each pod after", ", ".join(f"{at - asked:.2f}" for at in live), "s (with kubectl's start)")
    gateway.rotate(fresh)


def _first(upstream: kubepods.Upstream, prompt: str, key: str) -> float:
    """Wait until a request with this prompt came with this key, and say when the first one did."""

    def times() -> list[float]:
        matching = [found for found in upstream.requests if f"{prompt} ".encode() in found.body]
        return [found.time for found in matching if found.credential == digest(key)]

    return min(until(times, timeout=60, what=f"{prompt} with the new key"))


@pytest.mark.usefixtures("same_pods")
def test_a_bad_object_hurts_no_other(gateway: Gateway) -> None:
    place, kube = gateway.release.namespace, gateway.kube
    before = _transitions(gateway)
    old = {event["metadata"]["uid"] for event in kube.items("events", namespace=place)}
    bad = {
        "no-provider": route("no-provider", models=["bad-1"], model="nosuch/model", baseURL=kubepods.UPSTREAM_URL),
        "no-credential": route("no-credential", models=["bad-2"], model="openai/gpt", credential="absent"),
        "taken": route("taken", models=[gateway.targets[0].model], model="anthropic/x", credential="anthropic"),
    }
    good = route("good", models=["good"], model="anthropic/good", baseURL=kubepods.UPSTREAM_URL)
    with applied(gateway, *bad.values(), good), gateway.load(*gateway.steady()) as load:
        gateway.wait_live("modelroute/good")
        expected = [
            ("no-provider", "Accepted", "ProviderUnknown"),
            ("no-credential", "ResolvedRefs", "CredentialNotFound"),
            ("taken", "Accepted", "ModelTaken"),
        ]
        for name, kind, reason in expected:
            kube.until_condition("modelroute", kind, namespace=place, name=name, status="False", reason=reason)
            kube.until_condition("modelroute", "Ready", namespace=place, name=name, status="False")
        load.wait_for_more(40)
        assert _transitions(gateway) == before
    assert load.problems() == []
    events = [event for event in kube.items("events", namespace=place) if event["metadata"]["uid"] not in old]
    warned = {event["involvedObject"]["name"]: event["message"] for event in events if event["type"] == "Warning"}
    assert set(bad) <= warned.keys()
    assert not {"anthropic", "openai", "vllm", gateway.pod} & warned.keys(), warned


def test_what_can_never_be_right_is_refused_at_once(gateway: Gateway) -> None:
    wrong = route("refused", models=["refused"], model="openai/gpt", credential="vllm", baseURL="http://elsewhere:1")
    with pytest.raises(CommandError) as caught:
        gateway.kube.apply(wrong, namespace=gateway.release.namespace)
    assert "credential" in str(caught.value)
    assert not gateway.kube.exists("modelroute", namespace=gateway.release.namespace, name="refused")


def test_a_missing_label_is_told_and_can_be_mended(gateway: Gateway) -> None:
    place, kube = gateway.release.namespace, gateway.kube
    value = f"sk-e2e-{secrets.token_hex(24)}"
    gateway.secrets.append(value)
    closed: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "closed"}}
    spec = {"apiKey": {"provider": "openai", "secretRef": {"name": "closed"}, "baseURL": kubepods.UPSTREAM_URL}}
    credential = {
        "apiVersion": "claudegateway.io/v1alpha1",
        "kind": "ClaudeCredential",
        "metadata": {"name": "closed"},
        "spec": spec,
    }
    kube.apply({**closed, "stringData": {"key": value}}, credential, namespace=place)
    where = {"namespace": place, "name": "closed"}
    found = kube.until_condition("claudecredential", "ResolvedRefs", status="False", **where)
    assert LABEL_CREDENTIAL in found["message"]
    kube.kubectl("label", "secret", "closed", f"{LABEL_CREDENTIAL}=true", "-n", place)
    gateway.wait_live("claudecredential/closed")
    kube.kubectl("delete", "claudecredential/closed", "secret/closed", "-n", place)


@pytest.mark.usefixtures("edited", "same_pods")
def test_five_hundred_routes_change_nothing_of_that(gateway: Gateway) -> None:
    kube, place = gateway.kube, gateway.release.namespace
    many = [
        route(
            f"many-{number}",
            models=[f"many-{number}"],
            model=f"anthropic/m-{number}",
            labels={"many": "yes"},
            credential="anthropic",
        )
        for number in range(MANY)
    ]
    started = time.time()
    kube.create(*many, namespace=place)
    created = time.time()

    def unready() -> int:
        items = kube.items("modelroutes", namespace=place, selector="many=yes")
        return sum(condition(item, "Programmed").get("status") != "True" for item in items)

    until(lambda: unready() == 0, timeout=180, what=f"{MANY} routes to be live")
    print(f"\n{MANY} routes created in {created - started:.1f} s, all of them live {time.time() - created:.1f} s later")
    edit_under_load(gateway, f"edit to live with {MANY} routes")
    last = Group("last", gateway.release.url, f"many-{MANY - 1}", rounds=1, workers=1)
    with gateway.load(last) as load:
        pass
    assert [answer.served for answer in load.answers] == [f"m-{MANY - 1}"]
    kube.kubectl("delete", "modelroute", "-l", "many=yes", "-n", place, "--wait=false")


def _transitions(gateway: Gateway) -> dict[str, list[tuple[str, str, str]]]:
    """Return every condition of the objects that the release was furnished with, and since when it has been so."""
    items = gateway.kube.items(
        "modelroutes,claudecredentials,gatewayclients,budgets", namespace=gateway.release.namespace
    )
    return {
        f"{item['kind']}/{item['metadata']['name']}": [
            (found["type"], found["status"], found["lastTransitionTime"]) for found in item["status"]["conditions"]
        ]
        for item in items
        if item["metadata"]["name"] in ("anthropic", "openai", "vllm", gateway.pod)
    }
