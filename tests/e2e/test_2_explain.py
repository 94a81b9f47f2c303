"""``explain`` and ``top`` against a cluster: what is live there decides, and what runs there is shown."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway
from tests.support.processes import command
from tests.support.processes.waiting import until

_STREAM = "[[words 20]] [[pace 0.5]]"


def test_explain_decides_on_what_is_live_in_the_cluster(gateway: Gateway, tmp_path: Path) -> None:
    target = gateway.targets[0]
    (body := tmp_path / "body.json").write_text(json.dumps({"model": target.model, "max_tokens": 9, "messages": []}))
    question = ("explain", "--request", str(body), "--client", f"{gateway.release.namespace}/{gateway.pod}")
    explained = _asked(gateway, *question)
    assert (explained["route"], explained["targets"][0]["lane"]) == ("gateway/anthropic", "relay")
    body.write_text(json.dumps({"model": "nobody-serves-this", "max_tokens": 9, "messages": []}))
    assert _asked(gateway, *question, code=1)["refused"]["status"] == 404


def test_top_shows_what_runs_on_each_pod(gateway: Gateway) -> None:
    pods = gateway.release.pods()
    model = gateway.targets[0].model
    group = Group("one", f"http://{pods[0].ip}:4000", model, workers=1, stream=True, rounds=1, prompt=_STREAM)

    def shown() -> Any:
        found = _asked(gateway, "top", "--once")
        assert found.keys() == {pod.name for pod in pods}
        return [request for each in found.values() for request in each["requests"] if request["model"] == model]

    with gateway.streams(group) as load:
        until(shown, what="the stream in `top`")
        load.finish()
    assert load.problems("one") == []


def _asked(gateway: Gateway, name: str, *arguments: str, code: int = 0) -> Any:
    """Run a command against the cluster, as a user with this kubeconfig would; returns what it printed as JSON."""
    kube, release = gateway.kube, gateway.release
    where = ("--context", kube.context, "-n", release.namespace, "--release", release.fullname)
    done = command.call(name, *where, *arguments, "-o", "json", environment={"KUBECONFIG": str(kube.kubeconfig)})
    assert done.code == code, done
    return json.loads(done.stdout)
