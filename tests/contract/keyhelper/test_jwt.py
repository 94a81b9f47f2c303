"""``key-helper jwt``: a token endpoint over TLS, refresh tokens that rotate, and tokens that are signed here."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from tests.contract.keyhelper.conftest import Helper
from tests.support.clients.token_endpoint import AUDIENCE, CLIENT, SECRET, TokenEndpoint, token_endpoint
from tests.support.processes.child import python

BARE = ("--share", "0s", "--grace", "0s")


@pytest.fixture
def idp(tmp_path: Path) -> Iterator[TokenEndpoint]:
    with token_endpoint(tmp_path) as running:
        yield running


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "client-secret"
    path.write_text(f"{SECRET}\n")
    return path


def asked(idp: TokenEndpoint, *more: str | Path) -> tuple[str | Path, ...]:
    return ("jwt", "--token-url", idp.url, "--client-id", CLIENT, "--ca-file", idp.ca, *more)


def claims(token: str, key: object, *, audience: str, algorithm: str = "RS256") -> dict[str, object]:
    found: dict[str, object] = jwt.decode(token.strip(), key, algorithms=[algorithm], audience=audience)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("sent", ["basic", "post"])
@pytest.mark.parametrize("use", ["access_token", "id_token"])
def test_client_credentials(helper: Helper, idp: TokenEndpoint, secret: Path, sent: str, use: str) -> None:
    more = (
        "--client-secret-file",
        secret,
        "--client-auth",
        sent,
        "--use",
        use,
        "--scope",
        "openid a",
        "--audience",
        "x",
    )
    outcome = helper(*asked(idp, *more))
    assert (outcome.code, outcome.stderr) == (0, "")
    assert (
        claims(outcome.stdout, idp.key.public_key(), audience={"access_token": AUDIENCE, "id_token": CLIENT}[use])[
            "sub"
        ]
        == "alice"
    )
    assert (idp.asked[0]["scope"], idp.asked[0]["audience"]) == ("openid a", "x")
    assert ("client_secret" in idp.asked[0]) == (sent == "post")
    assert helper(*asked(idp, *more)).stdout == outcome.stdout
    assert len(idp.asked) == 1


def test_a_token_that_ends_too_soon_says_what_to_set(helper: Helper, idp: TokenEndpoint, secret: Path) -> None:
    idp.lifetime = 120
    outcome = helper(*asked(idp, "--client-secret-file", secret))
    assert outcome.code == 0
    assert "CLAUDE_CODE_API_KEY_HELPER_TTL_MS=" in outcome.stderr
    short = helper(*asked(idp, "--client-secret-file", secret), CLAUDE_CODE_API_KEY_HELPER_TTL_MS="60000")
    assert (short.code, short.stderr) == (0, "")


def test_a_refresh_token_is_replaced_in_its_file(helper: Helper, idp: TokenEndpoint, tmp_path: Path) -> None:
    stored = tmp_path / "refresh"
    stored.write_text(idp.refresh)
    for _ in range(3):
        assert helper(*asked(idp, "--refresh-token-file", stored, *BARE)).code == 0
        assert stored.read_text() == idp.refresh
    assert stored.stat().st_mode & 0o777 == 0o600
    # Whoever uses an old one ends the login: then only a person can sign in again.
    stored.write_text("stolen-and-used")
    outcome = helper(*asked(idp, "--refresh-token-file", stored, *BARE))
    assert outcome.code == 1
    assert "invalid_grant" in outcome.stderr
    assert "sign in again" in outcome.stderr
    assert "stolen" not in outcome.stderr


def test_parallel_sessions_spend_a_refresh_token_once(idp: TokenEndpoint, tmp_path: Path) -> None:
    stored = tmp_path / "refresh"
    stored.write_text(idp.refresh)
    command = ["key-helper", *map(str, asked(idp, "--refresh-token-file", stored))]
    outcomes: list[subprocess.CompletedProcess[str]] = []

    def session() -> None:
        environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        program = python("claude_gateway.cli", *command)
        outcomes.append(
            subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)
        )

    threads = [threading.Thread(target=session) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.stderr for outcome in outcomes] == [""] * 4
    assert len({outcome.stdout for outcome in outcomes}) == 1
    assert len(idp.asked) == 1


def test_what_the_provider_refuses_is_said(helper: Helper, idp: TokenEndpoint, secret: Path) -> None:
    secret.write_text("wrong-secret")
    outcome = helper(*asked(idp, "--client-secret-file", secret))
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "invalid_client: the secret is wrong" in outcome.stderr
    assert "wrong-secret" not in outcome.stderr


def test_a_provider_that_is_down_is_bridged(helper: Helper, idp: TokenEndpoint, secret: Path) -> None:
    token = helper(*asked(idp, "--client-secret-file", secret)).stdout
    idp.down = True
    bridged = helper(*asked(idp, "--client-secret-file", secret, "--share", "0s"))
    assert (bridged.code, bridged.stdout) == (0, token)
    assert "temporarily_unavailable" in bridged.stderr
    assert helper(*asked(idp, "--client-secret-file", secret, *BARE)).code == 1


def test_no_redirect_and_no_unknown_ca_gets_the_secret(helper: Helper, idp: TokenEndpoint, secret: Path) -> None:
    given = ("jwt", "--client-id", CLIENT, "--client-secret-file", secret)
    moved = helper(*given, "--token-url", idp.url.replace("/token", "/moved"), "--ca-file", idp.ca)
    assert (moved.code, "elsewhere.example" in moved.stderr) == (1, True)
    untrusted = helper(*given, "--token-url", idp.url)
    assert (untrusted.code, "certificate is not trusted" in untrusted.stderr) == (1, True)
    assert "--ca-file" in untrusted.stderr
    assert idp.asked == []


@pytest.mark.parametrize(
    ("algorithm", "command"),
    [
        ("RS256", ["openssl", "genrsa", "2048"]),
        ("ES256", ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("EdDSA", ["openssl", "genpkey", "-algorithm", "ed25519"]),
    ],
)
def test_a_token_is_signed_here(helper: Helper, tmp_path: Path, algorithm: str, command: list[str]) -> None:
    private = tmp_path / "key.pem"
    private.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    public = subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout"], capture_output=True, check=True).stdout
    given = ("--issuer", "https://ci.example", "--subject", "ci", "--audience", "cgw", "--claim", "team=platform")
    outcome = helper("jwt", "--sign-with", private, "--algorithm", algorithm, "--key-id", "k1", *given)
    assert (outcome.code, outcome.stderr) == (0, "")
    found = claims(outcome.stdout, public, audience="cgw", algorithm=algorithm)
    assert (found["iss"], found["sub"], found["team"]) == ("https://ci.example", "ci", "platform")
    assert jwt.get_unverified_header(outcome.stdout.strip())["kid"] == "k1"
    other = {"RS256": "ES256", "ES256": "EdDSA", "EdDSA": "RS256"}[algorithm]
    wrong = helper("jwt", "--sign-with", private, "--algorithm", other, *given)
    assert (wrong.code, wrong.stdout) == (1, "")
    assert "PRIVATE" not in wrong.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--token-url", "https://idp.example"),
        ("--sign-with", "key.pem"),
        ("--sign-with", "key.pem", "--token-url", "https://idp.example"),
        ("--sign-with", "k", "--issuer", "i", "--subject", "s", "--audience", "a", "--claim", "novalue"),
    ],
)
def test_wrong_usage_is_said(helper: Helper, arguments: tuple[str, ...]) -> None:
    assert helper("jwt", *arguments).code == 2
