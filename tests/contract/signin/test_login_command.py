"""``claude-gateway login`` in a terminal, against a running page."""

import json
from pathlib import Path

from tests.support.clients.anthropic_cloud import Cloud
from tests.support.clients.terminal import Terminal
from tests.support.processes.command import call
from tests.support.processes.serve import command
from tests.support.processes.signin import KEY, SignInService


def test_it_lists_imports_checks_and_signs_out(service: SignInService, anthropic: Cloud, tmp_path: Path) -> None:
    # The folder of a running `serve` must not be found.
    environment = {"CLAUDE_GATEWAY_AUTH_KEY": KEY, "CLAUDE_GATEWAY_AUTH_URL": service.url}
    listed = call("login", environment=environment)
    assert listed.stdout.startswith("default/alice  Signed out  ")
    file = tmp_path / ".credentials.json"
    file.write_text(json.dumps(anthropic.login()))
    imported = call("login", "alice", "--import", file, environment=environment)
    assert imported.stdout.startswith("default/alice  Signed in  "), imported.stderr
    assert call("login", "default/alice", "--check", environment=environment).code == 0
    assert call("login", "alice", "--sign-out", environment=environment).stdout.startswith("default/alice  Signed out")
    unknown = call("login", "carol", environment=environment)
    assert (unknown.code, "default/alice, default/bob" in unknown.stderr) == (1, True)
    wrong = call("login", environment={**environment, "CLAUDE_GATEWAY_AUTH_KEY": "wrong"})
    assert (wrong.code, "the key of the page is wrong" in wrong.stderr) == (1, True)
    open_text = call("login", "--url", "http://203.0.113.7:4200", environment=environment)
    assert (open_text.code, "unencrypted" in open_text.stderr) == (1, True)


def test_it_signs_in_with_a_link_and_a_code(service: SignInService, anthropic: Cloud, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    arguments = command("login", "alice", "--url", service.url, "--key-file", key)
    terminal = Terminal(arguments, environment={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, cwd=tmp_path)
    try:
        terminal.shows("Code:")
        with service.client() as client:
            state = client.get("/credentials/default/alice").json()["signIn"]
        assert state["phase"] == "link"
        link = "https://" + "".join(terminal.screen.split("https://")[1].split("Code:")[0].split())
        terminal._write("no-code-at-all\r")
        terminal.shows("That is not the whole code.")
        terminal._write(f"{anthropic.approve(link)}\r")
        terminal.shows("Signed in to default/alice.")
    finally:
        terminal.end()
    assert service.login()["accessToken"] in anthropic.accesses


def test_ctrl_c_cancels_the_sign_in(service: SignInService, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    arguments = command("login", "bob", "--url", service.url, "--key-file", key)
    terminal = Terminal(arguments, environment={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, cwd=tmp_path)
    try:
        terminal.shows("Code:")
        terminal.interrupt("claude-gateway: stopped")
    finally:
        terminal.end()
    with service.client() as client:
        assert client.get("/credentials/default/bob").json()["signIn"]["phase"] == "cancelled"
