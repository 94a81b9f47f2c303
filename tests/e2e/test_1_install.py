"""A release installed with nothing but its images named, then used for the first time."""

import json

from tests.e2e.release import Gateway, Release
from tests.support.kube import pods as kubepods

from claude_gateway.release_names import bootstrap_name

ASK = """
import json, os, urllib.request
request = urllib.request.Request(
    os.environ["ANTHROPIC_BASE_URL"] + "/v1/models",
    headers={"x-api-key": os.environ["ANTHROPIC_AUTH_TOKEN"], "anthropic-version": "2023-06-01"},
)
with urllib.request.urlopen(request, timeout=30) as answer:
    print(json.dumps([answer.status, json.load(answer)]))
"""


def test_it_runs_where_restricted_pod_security_is_enforced(release: Release) -> None:
    labels = release.kube.get("namespace", namespace="", name=release.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = release.pods()
    assert [pod.ready for pod in pods] == [True, True]
    assert [pod.restarts for pod in pods] == [0, 0]


def test_the_first_client_can_call_with_nothing_applied(release: Release) -> None:
    name = bootstrap_name(release.fullname)
    release.kube.wait(f"gatewayclient/{name}", condition="Programmed", namespace=release.namespace)
    release.kube.apply(*kubepods.client("first", url=release.url, key=release.bootstrap_key))
    release.kube.wait("pod/first", condition="Ready", namespace=kubepods.CLIENTS)

    status, models = json.loads(kubepods.run(release.kube, "first", "python", "-c", ASK))
    assert (status, models["data"]) == (200, [])


def test_only_the_agent_has_a_kubernetes_token(release: Release) -> None:
    pod = release.kube.get("pod", namespace=release.namespace, name=release.pods()[0].name)
    containers = {found["name"]: found for found in (*pod["spec"]["initContainers"], *pod["spec"]["containers"])}
    tokens = {
        name
        for name, container in containers.items()
        for mount in container.get("volumeMounts", [])
        if mount["mountPath"].startswith("/var/run/secrets/kubernetes.io")
    }
    assert {"gateway", "litellm", "agent"} <= set(containers)
    assert tokens == {"agent"}


def test_get_tells_the_truth_at_a_glance(gateway: Gateway) -> None:
    table = gateway.kube.kubectl("get", "mr,ccred,gwc", "-n", gateway.release.namespace)
    lines = [line.split() for line in table.splitlines() if "/" in line.split(" ")[0]]
    found = {line[0].replace(".claudegateway.io", ""): line for line in lines}
    assert set(found) == {
        *("modelroute/anthropic", "modelroute/openai", "claudecredential/anthropic", "claudecredential/vllm"),
        *(f"gatewayclient/{bootstrap_name(gateway.release.fullname)}", f"gatewayclient/{gateway.pod}"),
    }
    assert [line[0] for line in found.values() if "True" not in line or "False" in line] == []


def test_its_conditions_are_about_the_object_as_it_is(gateway: Gateway) -> None:
    items = gateway.kube.items(
        "modelroutes,claudecredentials,gatewayclients,budgets", namespace=gateway.release.namespace
    )
    assert len(items) == 6
    for item in items:
        conditions = {found["type"]: found for found in item["status"]["conditions"]}
        every = {"Accepted", "ResolvedRefs", "Programmed", "Ready"}
        # No request has used a credential yet, and an API key has no end that anybody knows.
        of_credentials = {"Valid"} if item["kind"] == "ClaudeCredential" else set()
        # The scripted model has no list price.
        of_routes = {"Warnings"} if (item["kind"], item["metadata"]["name"]) == ("ModelRoute", "anthropic") else set()
        assert set(conditions) == every | of_credentials | of_routes
        assert {conditions[kind]["status"] for kind in every} == {"True"}, item
        assert {found["observedGeneration"] for found in conditions.values()} == {item["metadata"]["generation"]}
