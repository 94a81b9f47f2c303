"""What ``serve`` adds for people's own Claude subscriptions: the backend, the sign-in page, the logins' folder."""

import json
import os
import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from claude_gateway.cli.addresses import Address
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import config, private_file
from claude_gateway.cli.files.manifests import Document
from claude_gateway.cli.serving import child
from claude_gateway.cli.serving.child import Child
from claude_gateway.names import Kind
from claude_gateway.plan.world import Settings

BACKEND: Final = "claude code"
PAGE: Final = "sign-in"
_PREFIX: Final = "CLAUDE_GATEWAY_"
_KEY_FILE: Final = "auth-key"
_RUN: Final = ".run"
_FIELDS: Final = ("owner", "method", "secretName")
_CERTIFICATES: Final = "NODE_EXTRA_CA_CERTS"
_PAGE_GRACE: Final = 25.0
"""Seconds that a running refresh may take at the end."""


@dataclass(frozen=True, slots=True)
class Logins:
    """The folder of the logins, and where backend and page listen. Ports are fixed before anything starts."""

    folder: Path
    backend: Address
    page: Address

    @classmethod
    def at(cls, folder: Path, page: Address) -> "Logins":
        """Choose the ports that are left to chance: the configuration names the backend before it starts."""
        return cls(folder, Address("127.0.0.1", _free()), page if page.port else replace(page, port=_free()))

    @property
    def files(self) -> tuple[Path, ...]:
        """The manifests of the Secrets with logins."""
        return tuple(sorted(path for path in self.folder.glob("*.json") if not path.name.startswith(".")))

    @property
    def key_file(self) -> Path:
        """The file with the key of the page."""
        given = os.environ.get(f"{_PREFIX}AUTH_KEY_FILE")
        return Path(given) if given else self.folder / _KEY_FILE

    @property
    def url(self) -> str:
        """The address of the page on this machine."""
        return f"http://{self.page.local}"

    def prepare(self) -> None:
        """Make the folder and the key of the page, if they do not exist. Raises Trouble."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            if not self.key_file.exists():
                _write(self.key_file, f"cgw_auth_{secrets.token_urlsafe(24)}\n")
        except OSError as error:
            raise Trouble(
                f"the logins cannot be kept in {self.folder}: {error.strerror}", fix="Choose a folder with --state."
            ) from None

    def rules(self, rules: Settings, key: str) -> Settings:
        """Return the rules of a configuration that this backend serves."""
        return replace(
            rules,
            claude_code_url=f"http://localhost:{self.backend.port}",
            claude_code_key=key.encode(),
            claude_auth_url=f"{self.url}/auth",
        )

    def children(self, home: Path, key: str, *, level: str) -> tuple[Child, ...]:
        """Return the processes; their secrets are files in the private folder ``home``. Raises OSError."""
        _write(home / "backend-key", key)
        shared = {**child.environment(os.environ), f"{_PREFIX}LOG_LEVEL": level}
        if _CERTIFICATES in os.environ:
            shared[_CERTIFICATES] = os.environ[_CERTIFICATES]
        shared[f"{_PREFIX}METRICS_LISTEN"] = "127.0.0.1:0"
        backend = {
            **shared,
            f"{_PREFIX}LISTEN": str(self.backend),
            f"{_PREFIX}RUN_DIR": str(home / "claude-code"),
            f"{_PREFIX}BACKEND_KEY_FILE": str(home / "backend-key"),
        }
        page = {
            **shared,
            f"{_PREFIX}LISTEN": str(self.page),
            f"{_PREFIX}SOURCE": "folder",
            f"{_PREFIX}STATE_DIR": str(self.folder),
            # Not in memory: what a kill leaves there must survive this process, and the logins are in this folder too.
            f"{_PREFIX}RUN_DIR": str(self.folder / _RUN),
            f"{_PREFIX}CREDENTIALS_FILE": str(credentials_file(home)),
            f"{_PREFIX}AUTH_KEY_FILE": str(self.key_file),
        }
        return (
            Child(name=BACKEND, module="claude_gateway_claude_code", environment=backend, grace=5.0),
            Child(name=PAGE, module="claude_gateway_auth", environment=page, grace=_PAGE_GRACE),
        )


def credentials_file(home: Path) -> Path:
    """Return the file in which the page finds the credentials."""
    return home / "credentials.json"


def tell(home: Path, documents: Iterable[Document]) -> None:
    """Write the list of credentials for the page. Raises OSError."""
    scratch = home / ".credentials.json"
    _write(scratch, json.dumps(listed(documents)))
    scratch.replace(credentials_file(home))


def listed(documents: Iterable[Document]) -> Sequence[Mapping[str, str]]:
    """Return the credentials with a subscription, as the page reads them; those with missing fields are left out."""
    found = []
    for document in documents:
        ref = config.ref(document.manifest)
        subscription = _subscription(document.manifest)
        if ref.kind == Kind.CLAUDE_CREDENTIAL and all(isinstance(subscription.get(name), str) for name in _FIELDS):
            fields = {name: subscription[name] for name in _FIELDS}
            found.append({"namespace": ref.namespace, "name": ref.name, **fields})
    return found


def installed() -> bool:
    """Whether the processes are installed: they are in packages of their own."""
    return all(find_spec(name) for name in ("claude_gateway_claude_code", "claude_gateway_auth"))


def _subscription(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = manifest.get("spec")
    found = spec.get("subscription") if isinstance(spec, dict) else None
    return found if isinstance(found, dict) else {}


def _write(path: Path, content: str) -> None:
    """Write a file that only this user can read."""
    with suppress(FileNotFoundError):
        path.unlink()
    private_file.create(path, content)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
