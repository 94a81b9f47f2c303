"""``serve`` with a Claude subscription: backend and sign-in page run too, and a restart loses nothing."""

import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.builders import objects as builders
from tests.support.clients.anthropic_cloud import Cloud, cloud
from tests.support.processes.command import call, write
from tests.support.processes.serve import Serve, Starter
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

MODEL = "my-claude"


@pytest.fixture
def anthropic(scripted: Scripted, tmp_path: Path) -> Iterator[Cloud]:
    folder = tmp_path / "cloud"
    folder.mkdir()
    with cloud(scripted.url, folder) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One person's own subscription, route and client."""
    home = tmp_path / "own"
    write(
        home / "own.yaml",
        builders.subscription("alice", method="Login"),
        builders.secret("client-key", values={"client": builders.CLIENT_KEY}),
        builders.client(secret="client-key", owner="alice@example.com"),
        builders.route(
            "own",
            models=[MODEL],
            targets=[builders.target("claude-code/sonnet", "alice")],
            allowedClients={"from": "Clients", "clients": ["alice"]},
        ),
    )
    return home


def begin(start: Starter, home: Path, anthropic: Cloud, state: Path) -> Serve:
    arguments = ("--state", str(state), "--auth-listen", "127.0.0.1:0")
    return start(*arguments, sources=(home,), **anthropic.environment)


def page(serve: Serve) -> str:
    return str(serve.wait_for("ready")["sign_in"])


def sign_in(url: str, key: str, anthropic: Cloud) -> None:
    with httpx.Client(base_url=f"{url}/auth/api", headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
        started = client.post("/credentials/default/alice/sign-in").json()
        body = {"id": started["id"], "code": anthropic.approve(started["link"])}
        assert client.post("/credentials/default/alice/code", json=body).json()["phase"] == "stored"


def test_from_nothing_to_an_answer_and_over_a_restart(
    start: Starter, home: Path, anthropic: Cloud, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    serve = begin(start, home, anthropic, state)
    url = page(serve)
    assert serve.ask(MODEL).status_code >= 400
    key_file = state / "auth-key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    sign_in(url, key_file.read_text().strip(), anthropic)
    until(lambda: serve.ask(MODEL).status_code == 200, what="the login to be in use")
    answer = serve.ask(MODEL).json()
    assert answer["content"][0]["text"]
    listed = call("login", environment={"XDG_RUNTIME_DIR": str(serve.memory)})
    assert listed.stdout.startswith("default/alice  Signed in"), listed.stderr
    serve.process.send(signal.SIGKILL)
    serve.process.wait()
    again = begin(start, home, anthropic, state)
    again.wait_for("ready")
    assert until(lambda: again.ask(MODEL), what="an answer").status_code == 200
    for run in (serve, again):
        run.process.stop()
        assert not [secret for secret in anthropic.issued if secret in run.process.output]


def test_the_page_starts_with_the_first_subscription(
    start: Starter, home: Path, anthropic: Cloud, tmp_path: Path
) -> None:
    own = (home / "own.yaml").read_text()
    write(home / "own.yaml", builders.secret("other", values={"client": "x" * 20}))
    serve = begin(start, home, anthropic, tmp_path / "state")
    assert serve.wait_for("ready").get("sign_in") is None
    assert not (tmp_path / "state").exists()
    (home / "own.yaml").write_text(own)
    url = str(serve.wait_for("sign_in")["url"])
    sign_in(url, (tmp_path / "state" / "auth-key").read_text().strip(), anthropic)
    until(lambda: serve.ask(MODEL).status_code == 200, what="the login to be in use")
