"""The e2e suite never connects to a cluster that is not its own."""

from pathlib import Path

import pytest
from tests.support.kube.kubectl import CONTEXT, Kube, Pod, condition


@pytest.mark.parametrize("context", ["", "kind-kind", "production", "kind-claude-gateway-e2e-2", f"{CONTEXT} "])
def test_every_other_context_is_refused(context: str) -> None:
    with pytest.raises(ValueError, match=f"only the context {CONTEXT}"):
        Kube(Path("kubeconfig"), context)


def test_its_own_context_is_the_default() -> None:
    assert Kube(Path("kubeconfig")).context == "kind-claude-gateway-e2e"


def test_a_pod_that_goes_is_known_as_one() -> None:
    item = {
        "metadata": {"name": "a", "uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "status": {
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "proxy", "restartCount": 1, "containerID": "containerd://4f"}],
            "initContainerStatuses": [{"name": "wait", "restartCount": 2}],
        },
    }
    found = Pod.parse(item)
    assert found == Pod(name="a", uid="u", ip="10.0.0.1", ready=True, leaving=True, restarts=3)
    assert found.containers == {"proxy": "4f", "wait": ""}


def test_a_condition_that_is_not_there_is_empty() -> None:
    assert condition({"metadata": {}}, "Ready") == {}
