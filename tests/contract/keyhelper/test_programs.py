"""``key-helper exec`` and ``serviceaccount``: other programs, kubectl among them, and the token of a pod."""

import os
import sys
from pathlib import Path

import psutil
import pytest
from tests.contract.keyhelper.conftest import Helper
from tests.support.builders.service_accounts import Cluster
from tests.support.processes.waiting import until

KEY, NEXT = "cgw_printed-0123456789abcdef", "cgw_later-0123456789abcdefgh"
BARE = ("--share", "0s", "--grace", "0s")


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def test_a_file_that_is_rotated(helper: Helper, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    assert helper("exec", "--", "cat", key).stdout == f"{KEY}\n"
    key.write_text(NEXT)
    assert helper("exec", "--", "cat", key).stdout == f"{KEY}\n"
    assert helper("exec", "--share", "0s", "--", "cat", key).stdout == f"{NEXT}\n"


def test_a_failure_is_said_with_the_programs_words_and_bridged(helper: Helper, tmp_path: Path) -> None:
    tool = program(tmp_path / "tool", f"echo {KEY}")
    assert helper("exec", "--", tool).code == 0
    program(tool, "echo you are not signed in >&2; exit 3")
    bridged = helper("exec", "--share", "0s", "--", tool)
    assert (bridged.code, bridged.stdout) == (0, f"{KEY}\n")
    assert "ended with 3: you are not signed in" in bridged.stderr
    failed = helper("exec", *BARE, "--", tool)
    assert (failed.code, failed.stdout) == (1, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("true", "is empty"),
        ("echo Your key is: x", "not a single key"),
        (f'echo \'{{"key":"{KEY}"}}\'', "not a key alone"),
        ("echo sk-ant-api03-0123456789", "Anthropic"),
        ("head -c 200000 /dev/zero | tr '\\0' x", "more than 64 KiB"),
        ("yes", "more than 64 KiB"),
        ("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1", "ended with 1"),
    ],
)
def test_an_output_that_is_no_key_is_refused(helper: Helper, tmp_path: Path, text: str, said: str) -> None:
    outcome = helper("exec", *BARE, "--", program(tmp_path / "tool", text))
    assert (outcome.code, outcome.stdout) == (1, "")
    assert said in outcome.stderr
    assert len(outcome.stderr) < 2000


def test_a_program_that_hangs_is_ended_with_all_that_it_started(helper: Helper, tmp_path: Path) -> None:
    tool = program(tmp_path / "tool", f"sleep 1000 & echo $! > {tmp_path}/child; wait")
    outcome = helper("exec", *BARE, "--timeout", "1s", "--", tool)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "did not end within 1 s" in outcome.stderr
    child = int((tmp_path / "child").read_text())
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie", what="the child to end")


def test_a_key_in_a_programs_words_is_not_shown(helper: Helper, tmp_path: Path) -> None:
    # Long enough that the start of the key is cut off.
    tool = program(tmp_path / "tool", f"echo the key {KEY}{'x' * 400} was refused >&2; exit 1")
    outcome = helper("exec", *BARE, "--", tool)
    assert (outcome.code, "the key *** was refused" in outcome.stderr) == (1, True)


def test_a_program_that_is_missing_or_no_program(helper: Helper, tmp_path: Path) -> None:
    missing = helper("exec", *BARE, "--", "no-such-program-anywhere")
    assert (missing.code, "was not found" in missing.stderr) == (1, True)
    quoted = helper("exec", *BARE, "--", "cat /tmp/key")
    assert (quoted.code, "without quotes" in quoted.stderr) == (1, True)
    (tmp_path / "text").write_text("text")
    assert helper("exec", *BARE, "--", tmp_path / "text").code == 1


def test_options_after_the_dashes_are_the_programs(helper: Helper) -> None:
    outcome = helper("exec", "--", sys.executable, "-c", "import sys; print(sys.argv[1])", "--ttl=cgw_option")
    assert outcome.stdout == "--ttl=cgw_option\n"


def test_the_token_of_a_pod_is_read_each_time(helper: Helper, tmp_path: Path) -> None:
    cluster, token = Cluster(), tmp_path / "token"
    values = []
    for _ in range(2):
        token.write_text(cluster.token())
        values.append(helper("serviceaccount", "--token-file", token).stdout.strip())
        assert values[-1] == token.read_text()
    assert values[0] != values[1]
    token.write_text(cluster.token(lifetime=60, age=120))
    ended = helper("serviceaccount", "--token-file", token)
    assert (ended.code, ended.stdout) == (1, "")
    missing = helper("serviceaccount", "--token-file", tmp_path / "nothing")
    assert (missing.code, "--token-file" in missing.stderr) == (1, True)


def test_kubectl_asks_for_a_token(helper: Helper, tmp_path: Path) -> None:
    """The request itself is tested with a real API server; here, what kubectl is asked, and how often."""
    token = Cluster().token()
    program(tmp_path / "kubectl", f'echo "$*" >> {tmp_path}/asked; echo {token}')
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    given = ("--name", "ci", "--namespace", "team-a", "--audience", "claude-gateway", "--context", "prod")
    for _ in range(2):
        assert helper("serviceaccount", *given, "--lifetime", "2h", PATH=path).stdout.strip() == token
    asked = (tmp_path / "asked").read_text().splitlines()
    words = "create token ci --duration=7200s --namespace=team-a --context=prod --audience=claude-gateway"
    assert asked == [words]
    assert helper("serviceaccount", "--name", "ci", "--token-file", "x", PATH=path).code == 2


@pytest.mark.parametrize("text", ["5", "1d", "-1s", "25h", "soon"])
def test_a_duration_that_is_none_is_refused(helper: Helper, text: str) -> None:
    outcome = helper("exec", "--ttl", text, "--", "true")
    assert (outcome.code, "duration" in outcome.stderr) == (2, True)
