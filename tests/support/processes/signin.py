"""The sign-in service as a process, with logins in a folder, and a client of its JSON API."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

KEY: Final = "key-of-the-page-0123456789"
LOGIN: Final = {
    "namespace": "default",
    "name": "alice",
    "owner": "alice@example.com",
    "method": "Login",
    "secretName": "alice-login",
}
TOKEN: Final = {**LOGIN, "name": "bob", "owner": "bob@example.com", "method": "SetupToken", "secretName": "bob-token"}


@dataclass(slots=True)
class SignInService:
    """A running service and its folders."""

    process: Process
    folder: Path
    url: str

    @property
    def state(self) -> Path:
        """The folder of the logins."""
        return self.folder / "state"

    def client(self, *, key: str | None = KEY) -> httpx.Client:
        """Return a client of the JSON API."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"{self.url}/auth/api", headers=headers, timeout=60)

    def entries(self, credential: Mapping[str, str] = LOGIN) -> dict[str, bytes]:
        """Return the entries of a credential's Secret; empty without one."""
        return entries(self.folder, credential)

    def login(self, credential: Mapping[str, str] = LOGIN) -> dict[str, Any]:
        """Return Claude Code's login of a credential; empty without one."""
        found = self.entries(credential).get(".credentials.json", b"{}")
        return dict(json.loads(found).get("claudeAiOauth") or {})

    def state_of(self, credential: Mapping[str, str] = LOGIN) -> dict[str, Any]:
        """Return ``state.json`` of a credential; empty without one."""
        return dict(json.loads(self.entries(credential).get("state.json", b"{}")))


def entries(folder: Path, credential: Mapping[str, str] = LOGIN) -> dict[str, bytes]:
    """Return the entries of a credential's Secret; empty without one."""
    path = folder / "state" / f"{credential['namespace']}.{credential['secretName']}.json"
    if not path.exists():
        return {}
    return {key: base64.b64decode(value) for key, value in json.loads(path.read_bytes())["data"].items()}


def store(folder: Path, login: Mapping[str, Any], credential: Mapping[str, str] = LOGIN) -> None:
    """Put a login where the service finds it at its start."""
    state = folder / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    content = json.dumps(login) if "claudeAiOauth" in login else str(login["token"])
    key = ".credentials.json" if "claudeAiOauth" in login else "token"
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": credential["secretName"], "namespace": credential["namespace"]},
        "data": {key: base64.b64encode(content.encode()).decode()},
    }
    (state / f"{credential['namespace']}.{credential['secretName']}.json").write_text(json.dumps(manifest))


@contextmanager
def signin(
    folder: Path, environment: Mapping[str, str], *, credentials: tuple[Mapping[str, str], ...] = (LOGIN, TOKEN)
) -> Iterator[SignInService]:
    """Run the service on a folder, which keeps everything for the next one."""
    folder.mkdir(exist_ok=True)
    (folder / "credentials.json").write_text(json.dumps(credentials))
    (folder / "key").write_text(KEY)
    settings = {
        "CLAUDE_GATEWAY_LISTEN": "127.0.0.1:0",
        "CLAUDE_GATEWAY_STATE_DIR": str(folder / "state"),
        "CLAUDE_GATEWAY_RUN_DIR": str(folder / "run"),
        "CLAUDE_GATEWAY_CREDENTIALS_FILE": str(folder / "credentials.json"),
        "CLAUDE_GATEWAY_AUTH_KEY_FILE": str(folder / "key"),
    }
    with Process(python("claude_gateway_auth"), environment={**settings, **environment}) as process:
        yield SignInService(process, folder, f"http://{process.listening()}")


def homes(folder: Path) -> list[Path]:
    """Return the private homes of the CLI that exist."""
    return sorted((folder / "run").glob("login-*"))


def wait_for_refresh(service: SignInService, before: str) -> dict[str, Any]:
    """Wait until the Secret holds another access token than ``before``, and return its login."""
    return until(lambda: service.login() if service.login().get("accessToken") != before else {}, what="a refresh")
