"""Who may call: ServiceAccounts, tokens of an identity provider, keys that rotate, and sign-ins of Claude Code."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from tests.e2e.identities import AUDIENCE, COMPANY, HAIKU, KEY_HELPER, NAMESPACE, PUSHED, SONNET, TOKENS, Identities
from tests.e2e.pods.load import Group, mark
from tests.e2e.release import Gateway
from tests.support.clients.device_login import Browser, sign_in
from tests.support.clients.terminal import Terminal
from tests.support.kube import pods as kubepods
from tests.support.kube import standins
from tests.support.kube.kubectl import CommandError
from tests.support.processes.waiting import until

from claude_gateway_scripted import digest

ADA, BEN, EVE = "ada@example.com", "ben@example.com", "eve@example.com"
REFRESH: Final = "/home/client/refresh"
WITH_IDP: Final = (
    f"claude-gateway key-helper jwt --token-url {standins.ISSUER}/token --client-id {KEY_HELPER}"
    f" --refresh-token-file {REFRESH} --use id_token --ca-file {COMPANY} --share 0s --grace 0s"
)
TOKEN: Final = "/home/client/token"
KEY_FILE: Final = "/home/client/.config/claude-gateway/key"
ROTATING: Final = "sh /programs/rotating-file.sh --share 0s"
"""The helper of the examples. Without sharing, because the keys rotate faster here than anywhere else."""
ROTATIONS: Final = 5
PROMPTS: Final = 12
GRACE: Final = 2
"""How many rotations a key outlives."""
CLAUDE: Final = (
    *("env", "-u", "ANTHROPIC_BASE_URL", "-u", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "BROWSER=/bin/true"),
    *("TERM=xterm-256color", f"NODE_EXTRA_CA_CERTS={COMPANY}", "claude-newest"),
)
"""Claude Code as a person starts it on a machine that the company manages."""


@pytest.fixture(scope="module")
def who(gateway: Gateway) -> Iterator[Identities]:
    """The release; removed afterwards, as the next file expects."""
    made = Identities(gateway.kube)
    made.install()
    yield made
    gateway.secrets.extend([*made.secrets, *made.release.own_secrets])
    made.remove()


def test_a_pod_calls_with_the_token_of_its_service_account(who: Identities) -> None:
    assert who.call("runner", f"{TOKENS}/token") == (200, "clients/ci", "")
    assert who.ask("runner", "claude-gateway key-helper serviceaccount") == "echo: hello"
    assert who.ask("runner", f"cat {TOKENS}/token") == "echo: hello"
    assert who.proofs() == {("clients/ci", "system:serviceaccount:clients:runner", "serviceAccount")}


def test_a_token_for_something_else_or_of_another_service_account_is_rejected(who: Identities) -> None:
    status, client, message = who.call("runner", f"{TOKENS}/other-audience")
    assert (status, client) == (401, "")
    assert f"it is for another audience than `{AUDIENCE}`" in message
    made = who.kube.kubectl("create", "token", "default", "--audience", AUDIENCE, "-n", kubepods.CLIENTS)
    who.store("runner", TOKEN, made.strip())
    status, client, message = who.call("runner", TOKEN)
    assert (status, client) == (401, "")
    assert f"no GatewayClient lists its ServiceAccount `{kubepods.CLIENTS}/default`" in message


def test_a_developer_calls_with_a_token_of_the_identity_provider(who: Identities) -> None:
    for person, groups, client in ((ADA, ("everyone", "platform"), "platform"), (BEN, ("sales",), "sales")):
        who.store("desk", REFRESH, who.idp.sign_in(person, *groups))
        assert who.ask("desk", WITH_IDP) == "echo: hello"
        assert (f"{NAMESPACE}/{client}", person, "jwt") in who.proofs()
        _fetch(who)
        assert who.call("desk", TOKEN)[:2] == (200, f"{NAMESPACE}/{client}")
        assert (who.call("desk", TOKEN, SONNET)[0] == 200) == (client == "platform")
    who.store("desk", REFRESH, who.idp.sign_in(EVE, "everyone"))
    _fetch(who)
    status, client, message = who.call("desk", TOKEN)
    assert (status, client) == (401, "")
    assert "its claim `groups` is not one that a client accepts" in message


def test_who_was_removed_at_the_identity_provider_gets_no_token(who: Identities) -> None:
    who.store("desk", REFRESH, who.idp.sign_in(EVE, "platform"))
    _fetch(who)
    assert who.call("desk", TOKEN)[:2] == (200, f"{NAMESPACE}/platform")
    who.idp.remove(EVE)
    with pytest.raises(CommandError, match="sign in again"):
        _fetch(who)


def test_no_request_fails_while_the_key_of_a_helper_rotates(who: Identities) -> None:
    keys = [f"cgw_e2e-{secrets.token_urlsafe(30)}" for _ in range(ROTATIONS + 1)]
    who.accept(keys[0])
    who.store("desk", KEY_FILE, keys[0])
    group = Group("rotating", who.release.url, HAIKU, workers=2, pause=0.2, helper=ROTATING, ttl=2)
    said = ("/programs/session.py", HAIKU, ROTATING, "1000", str(PROMPTS), "1")
    with kubepods.Load(who.kube, "desk", [group]) as load, ThreadPoolExecutor(1) as beside:
        session = beside.submit(kubepods.run, who.kube, "desk", "python", *said)
        for number in range(1, ROTATIONS + 1):
            who.accept(*keys[max(0, number - GRACE) : number + 1])
            who.store("desk", KEY_FILE, keys[number])
            until(partial(_sent, load, keys[number]), timeout=60, what="the new key")
        answers = json.loads(session.result().splitlines()[-1])
    assert load.problems() == []
    assert answers == [f"echo: hello {number}" for number in range(PROMPTS)]
    assert {answer.key for answer in load.answers} == {mark(key) for key in keys}
    who.store("desk", TOKEN, keys[0])
    status, _, message = who.call("desk", TOKEN)
    assert (status, "does not know this key" in message) == (401, True)


def test_claude_code_signs_in_at_the_gateway_and_gets_its_settings(
    who: Identities, upstream: kubepods.Upstream
) -> None:
    who.idp.sign_in(ADA, "platform")
    before = set(who.idp.sessions)
    with who.release.page() as page, Browser(page, who.idp.confirm) as browser:
        command = [*who.kube.command, "exec", "-it", "-n", kubepods.CLIENTS, "laptop", "--", *CLAUDE, "auth", "login"]
        terminal = Terminal(command, environment=_environment(), cwd=Path())
        try:
            sign_in(terminal, lambda code: browser.approve(code, ADA), email=ADA)
        finally:
            terminal.end()
    (session,) = set(who.idp.sessions) - before
    login = json.loads(kubepods.run(who.kube, "laptop", "cat", ".claude/.credentials.json"))["enterpriseGateway"]
    who.secrets.extend([session, login["jwt"], login["idpRefreshToken"]])
    assert (login["url"], login["email"]) == (who.release.tls_url, ADA)

    assert kubepods.run(who.kube, "laptop", *CLAUDE, "-p", "hello").strip() == "echo: hello"
    lines = [line for line in who.release.requests() if line["client"] == f"{NAMESPACE}/signed-in"]
    assert {(line["user"], line["proof"], line.get("model")) for line in lines} == {(ADA, "jwt", PUSHED["model"])}
    pushed = json.dumps(PUSHED, sort_keys=True, separators=(",", ":"))
    checksum = f"sha256:{hashlib.sha256(pushed.encode()).hexdigest()}"
    sent = {(each.header("x-claude-code-managed-settings-checksum"), each.credential) for each in upstream.requests}
    assert sent == {(checksum, digest(who.secrets[0]))}

    kubepods.run(who.kube, "laptop", *CLAUDE, "auth", "logout")
    assert session not in who.idp.sessions
    with pytest.raises(CommandError):
        kubepods.run(who.kube, "laptop", *CLAUDE, "-p", "hello")


def _fetch(who: Identities) -> None:
    """Write a token of the person who is signed in at the desk into a file. Raises CommandError if there is none."""
    kubepods.run(who.kube, "desk", "sh", "-c", f"{WITH_IDP} >{TOKEN}")


def _sent(load: kubepods.Load, key: str) -> bool:
    return mark(key) in {answer.key for answer in load.so_far}


def _environment() -> dict[str, str]:
    """What kubectl needs; it reaches the API server directly."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
