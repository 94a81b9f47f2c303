"""Vault for tests: a stand-in that refuses what Vault refuses, or with CLAUDE_GATEWAY_VAULT a real one.

``make test-vault`` builds the real one of its Go module, in memory, and runs the same tests against it. The stand-in's
answers are those of Vault 1.14.
"""

import contextlib
import json
import os
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.processes.child import Process
from tests.support.processes.waiting import until

BINARY: Final = "CLAUDE_GATEWAY_VAULT"
POLICY: Final = """
path "secret/data/cg/*" { capabilities = ["read"] }
path "old/*" { capabilities = ["read"] }
"""
AUDIENCE: Final = "vault"
ROLE: Final = "dev"
SEALED: Final = "Vault is sealed"
DENIED: Final = "permission denied"


class Vault(Protocol):
    """A server with a KV engine of version 2 at ``secret``, one of version 1 at ``old``, and three auth methods.

    ``token`` may read ``secret/cg/*`` and ``old/*`` alone. ``role_id`` and ``secret_id`` are an AppRole's.
    """

    url: str
    token: str
    role_id: str
    secret_id: str

    def put(self, path: str, values: Mapping[str, str]) -> None:
        """Write a secret, by its path in the engine ``secret``, or as ``old/...``."""

    def delete(self, path: str) -> None:
        """Delete a secret of the engine ``secret``."""

    def jwt(self, *, audience: str = AUDIENCE) -> str:
        """Return a token that the methods ``jwt`` and ``kubernetes`` take, if the audience is right."""

    def tokens(self) -> int:
        """Return how many tokens are alive."""

    def seal(self) -> None:
        """Seal it, for good."""


class _Signer:
    """Signs the JWTs that the auth methods take."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public = public.public_bytes(serialization.Encoding.PEM, form).decode()

    def sign(self, audience: str) -> str:
        now = int(time.time())
        claims = {"sub": "alice", "aud": audience, "iat": now, "nbf": now, "exp": now + 300}
        return jwt.encode(claims, self._key, algorithm="ES256")

    def accepts(self, token: str) -> bool:
        try:
            jwt.decode(token, self.public, algorithms=["ES256"], audience=AUDIENCE)
        except jwt.PyJWTError:
            return False
        return True


@contextlib.contextmanager
def vault(folder: Path) -> Iterator[Vault]:
    """Run the real Vault if there is one, else the stand-in; ``folder`` takes its log."""
    binary = os.environ.get(BINARY)
    if binary is None:
        with _stand_in() as standing_in:
            yield standing_in
        return
    with Process([binary], log=folder / "vault.log") as process:
        line = until(lambda: "http://" in process.output and process.output.split("\n")[0], what="Vault to start")
        yield _Real(*str(line).split())


class _Real:
    """The real Vault, set up through its API."""

    def __init__(self, url: str, root: str) -> None:
        self.url, self._root, self._signer = url, root, _Signer()
        self._do("sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self._do("sys/mounts/old", {"type": "kv"})
        self._do("sys/policies/acl/cg", {"policy": POLICY})
        self._do("sys/auth/approle", {"type": "approle"})
        self._do(f"auth/approle/role/{ROLE}", {"token_policies": "cg", "token_ttl": "5m"})
        self.role_id = self._do(f"auth/approle/role/{ROLE}/role-id")["data"]["role_id"]
        self.secret_id = self._do(f"auth/approle/role/{ROLE}/secret-id", {})["data"]["secret_id"]
        # The method `kubernetes` asks an API server about the token; its login is the same request.
        for mount in ("jwt", "kubernetes"):
            self._do(f"sys/auth/{mount}", {"type": "jwt"})
            self._do(f"auth/{mount}/config", {"jwt_validation_pubkeys": [self._signer.public]})
            role = {"role_type": "jwt", "bound_audiences": [AUDIENCE], "user_claim": "sub", "token_policies": "cg"}
            self._do(f"auth/{mount}/role/{ROLE}", role)
        self.token = self._do("auth/token/create", {"policies": ["cg"]})["auth"]["client_token"]

    def put(self, path: str, values: Mapping[str, str]) -> None:
        if path.startswith("old/"):
            self._do(path, dict(values))
            return
        # The engine is made ready for a moment after it was mounted.
        until(lambda: self._tried(f"secret/data/{path}", {"data": dict(values)}), what="the secret to be written")

    def delete(self, path: str) -> None:
        self._do(f"secret/data/{path}", method="DELETE")

    def jwt(self, *, audience: str = AUDIENCE) -> str:
        return self._signer.sign(audience)

    def tokens(self) -> int:
        return len(self._do("auth/token/accessors", method="LIST")["data"]["keys"])

    def seal(self) -> None:
        self._do("sys/seal", method="PUT")

    def _tried(self, path: str, body: Mapping[str, Any]) -> bool:
        try:
            self._do(path, body)
        except urllib.error.HTTPError:
            return False
        return True

    def _do(self, path: str, body: Mapping[str, Any] | None = None, *, method: str | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/v1/{path}", data=data, headers={"X-Vault-Token": self._root}, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            content = answer.read()
        found: dict[str, Any] = json.loads(content) if content else {}
        return found


@dataclass(slots=True)
class _StandIn:
    """Secrets in memory, and who may read them."""

    url: str = ""
    token: str = field(default_factory=lambda: f"hvs.{secrets.token_hex(12)}")
    role_id: str = field(default_factory=lambda: secrets.token_hex(16))
    secret_id: str = field(default_factory=lambda: secrets.token_hex(16))
    sealed: bool = False
    kept: dict[str, dict[str, str]] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    signer: _Signer = field(default_factory=_Signer)

    def put(self, path: str, values: Mapping[str, str]) -> None:
        self.kept[path if path.startswith("old/") else f"secret/data/{path}"] = dict(values)

    def delete(self, path: str) -> None:
        del self.kept[f"secret/data/{path}"]

    def jwt(self, *, audience: str = AUDIENCE) -> str:
        return self.signer.sign(audience)

    def tokens(self) -> int:
        # The root token and the one for tests are alive as well.
        return len(self.alive) + 2

    def seal(self) -> None:
        self.sealed = True

    def read(self, path: str, token: str) -> tuple[int, object]:
        if self.sealed:
            return 503, {"errors": [SEALED]}
        if token != self.token and token not in self.alive:
            return 403, {"errors": [DENIED]}
        if not path.startswith(("secret/data/cg/", "old/")):
            return 403, {"errors": [f"1 error occurred:\n\t* {DENIED}\n\n"]}
        found = self.kept.get(path)
        if found is None:
            return 404, {"errors": []}
        data: object = found if path.startswith("old/") else {"data": found, "metadata": {"version": 1}}
        return 200, {"lease_id": "", "lease_duration": 2764800 if path.startswith("old/") else 0, "data": data}

    def write(self, path: str, token: str, body: Mapping[str, Any]) -> tuple[int, object]:
        if self.sealed:
            return 503, {"errors": [SEALED]}
        if path == "auth/token/revoke-self":
            self.alive.discard(token)
            return 204, None
        match path.removeprefix("auth/").removesuffix("/login"):
            case "approle" if body.get("role_id") != self.role_id:
                return 400, {"errors": ["invalid role ID"]}
            case "approle" if body.get("secret_id") != self.secret_id:
                return 400, {"errors": ["invalid secret id"]}
            case "approle":
                return self._login()
            case "jwt" | "kubernetes" if body.get("role") != ROLE:
                return 400, {"errors": [f'role "{body.get("role")}" could not be found']}
            case "jwt" | "kubernetes" if not self.signer.accepts(str(body.get("jwt"))):
                return 400, {"errors": ["error validating token: invalid audience (aud) claim"]}
            case "jwt" | "kubernetes":
                return self._login()
        return 403, {"errors": [DENIED]}

    def _login(self) -> tuple[int, object]:
        token = f"hvs.{secrets.token_hex(12)}"
        self.alive.add(token)
        return 200, {"auth": {"client_token": token, "lease_duration": 300, "renewable": True}}


@contextlib.contextmanager
def _stand_in() -> Iterator[_StandIn]:
    running = _StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(*running.read(self.path.removeprefix("/v1/"), self.headers.get("x-vault-token", "")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            token = self.headers.get("x-vault-token", "")
            self._say(*running.write(self.path.removeprefix("/v1/"), token, json.loads(body) if body else {}))

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

        def _say(self, status: int, value: object) -> None:
            content = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield running
        server.shutdown()
        thread.join()
