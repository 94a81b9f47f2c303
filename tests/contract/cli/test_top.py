"""``top`` and ``explain`` next to a running ``serve``: what is put aside there counts."""

import json
from pathlib import Path

from tests.support.builders import objects as builders
from tests.support.processes.command import call, write
from tests.support.processes.serve import Starter
from tests.support.processes.waiting import until

from claude_gateway_scripted.local import Scripted


def test_a_target_that_is_ejected_is_shown_and_explained(
    start: Starter, folder: Path, upstream: Scripted, tmp_path: Path
) -> None:
    good = dict(builders.route()["spec"]["targets"][0])
    gone = {"model": "anthropic/gone", "baseURL": "http://127.0.0.1:9"}
    write(folder / "route.yaml", builders.route(models=["m"], targets=[gone, {**good, "priority": 1}]))
    serve = start()
    memory = {"XDG_RUNTIME_DIR": str(serve.memory)}
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}))
    asked = ("explain", "-f", folder, "--request", body, "--url", serve.url, "-o", "json")
    before = json.loads(call(*asked, environment=memory).stdout)
    assert next(each["model"] for each in before["targets"] if each["place"]) == "anthropic/gone"
    for _ in range(3):
        assert serve.ask("m").status_code == 200
    until(lambda: "ejected" in _top(serve.url, memory), what="the ejection")
    after = json.loads(call(*asked, environment=memory).stdout)
    assert after["why"] == "ejection"
    assert after["targets"][-1]["why"] == "ejected after failures, so it is tried last"
    shown = json.loads(call("top", "--once", "-o", "json", "--url", serve.url, environment=memory).stdout)
    assert shown[serve.url]["inFlight"] == 0


def _top(url: str, environment: dict[str, str]) -> str:
    outcome = call("top", "--once", "--url", url, environment=environment)
    assert outcome.code == 0, outcome.stderr
    return outcome.stdout
