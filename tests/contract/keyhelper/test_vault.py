"""``key-helper vault``: every way to log in, both engines, and what it says when Vault refuses."""

from pathlib import Path

import pytest
from tests.contract.keyhelper.conftest import Helper
from tests.support.processes.command import Outcome
from tests.support.processes.vault import ROLE, Vault

KEY, NEXT = "cgw_in-the-vault-0123456789", "cgw_its-successor-0123456789"
# Nothing is shared or stands in, so that each call shows what Vault says.
BARE = ("--share", "0s", "--grace", "0s")


def refused(outcome: Outcome, *words: str) -> None:
    """It prints no key, says what and how to fix it, and shows no secret."""
    assert (outcome.code, outcome.stdout) == (1, "")
    assert all(word in outcome.stderr for word in words), outcome.stderr
    assert "cgw_" not in outcome.stderr
    assert "hvs." not in outcome.stderr


def test_a_secret_is_printed_and_shared(helper: Helper, server: Vault) -> None:
    server.put("cg/alice", {"key": KEY})
    known = {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.token}
    assert helper("vault", "cg/alice", **known) == Outcome(0, f"{KEY}\n", "")
    server.put("cg/alice", {"key": NEXT})
    assert helper("vault", "cg/alice", **{**known, "VAULT_ADDR": f"{server.url}/v1/"}).stdout == f"{KEY}\n"
    assert helper("vault", "secret/cg/alice", **known).stdout == f"{KEY}\n"
    assert helper("vault", "cg/alice", "--share", "0s", **known).stdout == f"{NEXT}\n"


def test_another_field(helper: Helper, server: Vault, tmp_path: Path) -> None:
    server.put("cg/alice", {"gateway": KEY, "key": "other"})
    token = tmp_path / "token"
    token.write_text(f"{server.token}\n")
    assert helper("vault", "cg/alice", "--field", "gateway", "--vault-url", server.url, "--token-file", token).stdout
    missing = helper("vault", "cg/alice", "--field", "nope", "--vault-url", server.url, "--token-file", token, *BARE)
    refused(missing, "no field nope", "gateway, key", "--field")


def test_the_token_file_of_the_vault_command(helper: Helper, server: Vault, tmp_path: Path) -> None:
    server.put("cg/alice", {"key": KEY})
    none = helper("vault", "cg/alice", VAULT_ADDR=server.url)
    refused(none, ".vault-token", "vault login")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".vault-token").write_text(server.token)
    assert helper("vault", "cg/alice", VAULT_ADDR=server.url).stdout == f"{KEY}\n"


def test_an_approle_logs_in_and_leaves_no_token(helper: Helper, server: Vault, tmp_path: Path) -> None:
    server.put("cg/alice", {"key": KEY})
    secret = tmp_path / "secret-id"
    secret.write_text(server.secret_id)
    given = ("vault", "cg/alice", "--auth", "approle", "--role", server.role_id, "--secret-file", secret, *BARE)
    before = server.tokens()
    assert helper(*given, VAULT_ADDR=server.url).stdout == f"{KEY}\n"
    assert server.tokens() == before
    secret.write_text("wrong")
    refused(helper(*given, VAULT_ADDR=server.url), "invalid secret id", "--role")


@pytest.mark.parametrize("auth", ["jwt", "kubernetes"])
def test_a_jwt_logs_in(helper: Helper, server: Vault, tmp_path: Path, auth: str) -> None:
    server.put("cg/alice", {"key": KEY})
    token = tmp_path / "token"
    token.write_text(server.jwt())
    given = ("vault", "cg/alice", "--auth", auth, "--role", ROLE, "--secret-file", token, *BARE)
    assert helper(*given, VAULT_ADDR=server.url).stdout == f"{KEY}\n"
    token.write_text(server.jwt(audience="somebody-else"))
    outcome = helper(*given, VAULT_ADDR=server.url)
    refused(outcome, "(400)", "audience", f"auth/{auth}")
    assert token.read_text() not in outcome.stderr


def test_what_vault_refuses_is_said_with_the_fix(helper: Helper, server: Vault) -> None:
    server.put("cg/alice", {"key": KEY})
    known = {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.token}
    wrong = {"VAULT_ADDR": server.url, "VAULT_TOKEN": "hvs.wrong"}
    refused(helper("vault", "cg/alice", *BARE, **wrong), "403", "permission denied", "vault login")
    refused(helper("vault", "team-b/bob", *BARE, **known), "403", "policy", "secret/data/team-b/bob")
    refused(helper("vault", "cg/bob", *BARE, **known), "404", "secret/data/cg/bob", "--as-is")
    refused(helper("vault", "secret/data/cg/alice", *BARE, **known), "403", "without `data/`")
    refused(helper("vault", "secret/data/cg/alice", "--as-is", *BARE, **known), "Leave out --as-is")
    refused(helper("vault", "cg/alice", *BARE, **{**known, "VAULT_TOKEN": f'"{server.token}"'}), "without quotes")
    server.delete("cg/alice")
    refused(helper("vault", "cg/alice", *BARE, **known), "404")


def test_a_sealed_vault_is_bridged_for_a_time(helper: Helper, server: Vault) -> None:
    server.put("cg/alice", {"key": KEY})
    known = {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.token}
    assert helper("vault", "cg/alice", **known).code == 0
    server.seal()
    bridged = helper("vault", "cg/alice", "--share", "0s", **known)
    assert (bridged.code, bridged.stdout) == (0, f"{KEY}\n")
    assert "Vault is sealed" in bridged.stderr
    refused(helper("vault", "cg/alice", *BARE, **known), "503", "sealed", "unseal")


def test_the_old_engine_is_read_as_it_is(helper: Helper, server: Vault) -> None:
    server.put("old/cg", {"key": KEY})
    known = {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.token}
    assert helper("vault", "old/cg", "--as-is", **known).stdout == f"{KEY}\n"


def test_a_wrong_address_is_said(helper: Helper) -> None:
    refused(helper("vault", "cg/alice"), "VAULT_ADDR")
    refused(helper("vault", "cg/alice", VAULT_ADDR="http://127.0.0.1:1", VAULT_TOKEN="t"), "refused", "VAULT_ADDR")
    refused(helper("vault", "cg/alice", VAULT_ADDR="vault:8200", VAULT_TOKEN="t"), "https://", "VAULT_ADDR")


def test_https_to_a_server_without_tls_is_said(helper: Helper, server: Vault) -> None:
    given = {"VAULT_ADDR": server.url.replace("http:", "https:"), "VAULT_TOKEN": "t"}
    refused(helper("vault", "cg/alice", **given), "no TLS connection", "http://")


@pytest.mark.parametrize("auth", ["approle", "kubernetes"])
def test_a_login_that_lacks_something_is_said(helper: Helper, auth: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    given = ("--secret-file", token) if auth == "kubernetes" else ()
    refused(helper("vault", "cg/alice", "--auth", auth, *given, VAULT_ADDR="http://127.0.0.1:1"), "--role")
