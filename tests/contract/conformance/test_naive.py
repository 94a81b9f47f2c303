"""The suite against a gateway that is not good: it must find what is wrong, and no more."""

import json
from pathlib import Path

import pytest
from tests.support.processes.naive import NaiveGateway
from tests.support.processes.underway import KEY, Underway, scripted

AREAS = ("startup", "messages", "body", "headers", "stream", "errors", "relayed", "identity")
WITHOUT = ("bedrock", "vertex", "other-model", "estimate-model", "forward-model", "denied-model")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Verdicts by id."""
    out = tmp_path_factory.mktemp("naive") / "out.json"
    only = [part for area in AREAS for part in ("--only", area)]
    without = [part for need in WITHOUT for part in ("--without", need)]
    with scripted() as upstream, NaiveGateway(upstream, key=KEY) as gateway:
        done = Underway(gateway.url, upstream).run(*only, *without, "--silence", "1", "--json", out)
    assert done.returncode == 1, done.stdout + done.stderr
    return {id_: result["verdict"] for id_, result in json.loads(out.read_text())["results"].items()}


@pytest.mark.parametrize(
    "id_",
    [
        "startup.hello",
        "messages.path.v1v1",
        "messages.query",
        "messages.count-tokens",
        "body.exact",
        "body.unknown-fields",
        "body.new-fields",
        "headers.betas",
        "headers.unknown",
        "headers.together",
        "headers.request-id",
        "stream.unbuffered",
        "stream.pings.silence",
        "stream.broken",
        "stream.disconnect",
        "errors.key.unknown",
        "errors.model.unknown",
        "errors.body.invalid",
        "errors.no-redirects",
        "relayed.429",
        "relayed.401.hidden",
        "relayed.403.hidden",
        "relayed.redirect",
        "relayed.refused",
    ],
)
def test_it_fails_where_it_is_wrong(verdicts: dict[str, str], id_: str) -> None:
    assert verdicts[id_] == "fail"


@pytest.mark.parametrize(
    "id_",
    [
        "messages.answer",
        "messages.stream",
        "messages.size",
        "messages.tools",
        "body.system",
        "headers.version",
        "stream.exact",
        "stream.unknown-events",
        "relayed.400",
        "relayed.529",
        "identity.bearer",
        "identity.hidden",
    ],
)
def test_it_passes_where_it_is_right(verdicts: dict[str, str], id_: str) -> None:
    assert verdicts[id_] == "pass"


def test_what_it_does_not_claim_is_no_failure(verdicts: dict[str, str]) -> None:
    for id_ in ("startup.inference-profiles", "errors.model.denied", "identity.forward.oauth"):
        assert verdicts[id_] == "not-applicable"


def test_it_cannot_run_against_nothing(tmp_path: Path) -> None:
    done = Underway("http://127.0.0.1:9", "").run()
    assert done.returncode == 2
    assert "nothing listens" in done.stderr
