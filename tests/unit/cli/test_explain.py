"""``explain`` as people run it: on files, from standard input, for one of several clients, and in a cluster."""

import base64
import gzip
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.builders import objects as builders
from tests.support.processes.command import call, write

from claude_gateway.cli.__main__ import cli
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.remote import cluster

BODY = {"model": "claude-sonnet-5-5", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "gateway"
    write(home / "all.yaml", *builders.sound())
    return home


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "body.json"
    path.write_text(json.dumps({**BODY, "model": _model()}))
    return path


def _model() -> str:
    return str(builders.route()["spec"]["models"][0]).replace("*", "x")


def test_it_says_route_target_lane_and_why(folder: Path, body: Path) -> None:
    outcome = call("explain", "-f", folder, "--request", body)
    assert outcome.code == 0, outcome.stderr
    assert "route    default/sonnet" in outcome.stdout
    assert "lane relay, because: only" in outcome.stdout
    assert "the only one that can serve it" in outcome.stdout
    assert builders.API_KEY not in outcome.stdout


def test_json_has_the_words_of_the_log_line(folder: Path, body: Path) -> None:
    explanation = json.loads(call("explain", "-f", folder, "--request", body, "-o", "json").stdout)
    assert (explanation["route"], explanation["rule"], explanation["why"], explanation["lane"]) == (
        "default/sonnet",
        None,
        "only",
        "relay",
    )
    assert explanation["targets"][0]["place"] == 1
    assert (explanation["inputTokens"] > 0, explanation["outputTokens"]) == (True, 1)


def test_a_request_that_would_be_rejected_ends_with_1(folder: Path) -> None:
    text = json.dumps({**BODY, "model": "nobody-serves-this"})
    result = CliRunner().invoke(cli, ["explain", "-f", str(folder), "--request", "-"], input=text)
    assert result.exit_code == 1
    assert "rejected 404" in result.stdout


def test_files_without_a_key_are_explained_for_anybody(tmp_path: Path, body: Path) -> None:
    manifests = [each for each in builders.sound() if each["kind"] != "GatewayClient"]
    write(tmp_path / "gateway" / "all.yaml", *manifests)
    assert "from default/anybody" in call("explain", "-f", tmp_path / "gateway", "--request", body).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "use either -f or --context"),
        (("--client", "nobody"), 1, "no client nobody"),
        (("--header", "nonsense"), 2, "NAME: VALUE"),
        (("--path", "/nowhere"), 1, "rejected 404"),
        (("--format", "Chat", "--header", "x-team: blue"), 0, "lane codec"),
    ],
)
def test_what_is_asked(folder: Path, body: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    source = ("-f", folder) if arguments else ()
    outcome = call("explain", *source, "--request", body, *arguments)
    assert outcome.code == code
    assert said in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("packed", ["data", "binaryData", "gz"])
def test_a_cluster_is_asked_with_kubectl(
    folder: Path, body: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str
) -> None:
    policy = call("render", "-f", folder, "-o", tmp_path / "out")
    assert policy.code == 0
    raw = (tmp_path / "out" / "gateway.json").read_bytes()
    entries = {
        "data": {"data": {"gateway.json": raw.decode()}},
        "binaryData": {"binaryData": {"gateway.json": base64.b64encode(raw).decode()}},
        "gz": {"binaryData": {"gateway.json.gz": base64.b64encode(gzip.compress(raw)).decode()}},
    }
    _kubectl(
        tmp_path, monkeypatch, {"get configmaps": "configmap/cg-bundle\n", "get configmap": json.dumps(entries[packed])}
    )
    outcome = call("explain", "--context", "prod", "-n", "ns", "--request", body)
    assert outcome.code == 0, outcome.stderr
    assert "route    default/sonnet" in outcome.stdout
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [
        "--context prod -n ns get configmaps -o name",
        "--context prod -n ns get configmap cg-bundle -o json",
    ]


def test_what_kubectl_says_is_passed_on(tmp_path: Path, body: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _kubectl(tmp_path, monkeypatch, {})
    outcome = call("explain", "--context", "prod", "--release", "cg", "--request", body)
    assert outcome.code == 1
    assert "kubectl: Error from server (Forbidden)" in outcome.stderr


def test_a_kubectl_that_cannot_be_started_is_named(tmp_path: Path, body: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _kubectl(tmp_path, monkeypatch, {})
    (tmp_path / "bin" / "kubectl").write_bytes(b"\x7fELF of another machine")
    outcome = call("explain", "--context", "prod", "--release", "cg", "--request", body)
    assert outcome.code == 1
    assert f"{tmp_path}/bin/kubectl cannot be started" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_kubectl_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _kubectl(tmp_path, monkeypatch, {})
    (tmp_path / "bin" / "kubectl").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(cluster, "_SECONDS", 0.2)
    with pytest.raises(Trouble, match="kubectl did not end"):
        cluster.kubectl("get", "pods", context="prod", namespace=None)


def test_top_asks_each_pod_in_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = {"spec": {"selector": {"matchLabels": {"a": "b"}}}}
    overview = {
        "revision": "0123456789",
        "inFlight": 1,
        "requests": [
            {
                "requestId": "r",
                "client": "ns/dev",
                "route": "ns/r",
                "model": "m\x1b[2J",
                "format": "Messages",
                "seconds": 2,
            }
        ],
        "targets": [{"target": "ns/r/0", "inFlight": 1, "ejectedSeconds": 9, "last": "503"}],
    }
    answers = {
        "get deployment": json.dumps(deployment),
        "get pods": "pod/one\n",
        "exec pod/one": json.dumps(overview),
    }
    _kubectl(tmp_path, monkeypatch, answers)
    outcome = call("top", "--context", "prod", "--release", "cg", "--once")
    assert outcome.code == 0, outcome.stderr
    assert "one  revision 01234567  1 request in flight" in outcome.stdout
    assert "ejected for 9 s" in outcome.stdout
    assert "\x1b" not in outcome.stdout
    explanation = json.loads(call("top", "--context", "prod", "--release", "cg", "--once", "-o", "json").stdout)
    assert explanation["one"]["inFlight"] == 1
    assert "get pods -l a=b --field-selector status.phase=Running" in (tmp_path / "asked").read_text()


def test_top_shows_the_pods_that_answer_and_says_why_if_none_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overview = json.dumps({"revision": "0123456789", "inFlight": 0, "requests": [], "targets": []})
    deployment = json.dumps({"spec": {"selector": {"matchLabels": {"a": "b"}}}})
    listed = {"get deployment": deployment, "get pods": "pod/leaving\npod/two\n"}
    _kubectl(tmp_path / "one", monkeypatch, {**listed, "exec pod/two": overview})
    outcome = call("top", "--context", "prod", "--release", "cg", "--once")
    assert outcome.code == 0, outcome.stderr
    assert "two  revision 01234567" in outcome.stdout
    assert "leaving" not in outcome.stdout
    _kubectl(tmp_path / "none", monkeypatch, listed)
    outcome = call("top", "--context", "prod", "--release", "cg", "--once")
    assert outcome.code == 1
    assert "kubectl: Error from server (Forbidden)" in outcome.stderr


def test_top_without_a_serve_says_how_to_get_one() -> None:
    outcome = call("top", "--once", "--url", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert "claude-gateway serve -f DIR" in outcome.stderr


def _kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]) -> None:
    """Put a ``kubectl`` on the PATH that notes its arguments and answers by their beginning."""
    folder = tmp_path / "bin"
    folder.mkdir(parents=True)
    cases = ""
    for number, (beginning, answer) in enumerate(answers.items()):
        (tmp_path / f"answer{number}").write_text(answer)
        cases += f'  *"{beginning} "*) cat {tmp_path}/answer{number} ;;\n'
    script = folder / "kubectl"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncase "$* " in\n{cases}'
        '  *) echo "Error from server (Forbidden)" >&2; exit 1 ;;\nesac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
