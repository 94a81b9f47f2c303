"""A stand-in for Anthropic's sign-in hosts: a proxy that terminates TLS, and rejects what the vendor rejects.

It has the OAuth token endpoint (the PKCE verifier is checked, a code is used once, a rotated refresh token is rejected,
another grant is a 400), the profile and the roles, and sends Messages on to a scripted upstream. Other hosts are
refused. ``approve`` is the person who opens the link and approves.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import queue
import secrets
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

API: Final = "api.anthropic.com"
PLATFORM: Final = "platform.claude.com"
HOSTS: Final = (API, PLATFORM)
CLIENT: Final = "9d1c250a-e61b-44d9-88ed-5944d1962f5e"
"""Claude Code's own client id."""
ROTATIONS: Final = "rotations"
"""A host that sends one byte, in no TLS, when a refresh token was replaced and before the answer is sent."""
REDIRECT: Final = "https://platform.claude.com/oauth/code/callback"
PERSON: Final = "alice@example.com"
_ORGANIZATION: Final = "11111111-1111-4111-8111-111111111111"
_ACCOUNT: Final = "22222222-2222-4222-8222-222222222222"


@dataclass(slots=True)
class Cloud:
    """The running stand-in. ``environment`` leads the CLI to it; ``answer`` forces a status of the token endpoint.

    ``rotated`` is called, in a thread of its own, after a refresh token was replaced and before the answer is sent.
    """

    environment: dict[str, str]
    upstream: str
    asked: list[str] = field(default_factory=list)
    answer: int = 200
    reachable: bool = True
    valid: bool = True
    lifetime: int = 28_800
    rotated: Callable[[], None] = lambda: None
    refreshes: set[str] = field(default_factory=set)
    accesses: set[str] = field(default_factory=set)
    issued: list[str] = field(default_factory=list)
    """Every token and code that was ever made, to look for in logs."""
    revoked: list[str] = field(default_factory=list)
    turns: list[tuple[str, str]] = field(default_factory=list)
    """The access token and the body of each request to a model."""
    watchers: list[queue.SimpleQueue[None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _codes: dict[str, str] = field(default_factory=dict)

    def approve(self, link: str) -> str:
        """Return the code for a link, as the person who approves there sees it."""
        query = parse_qs(urlsplit(link).query)
        assert query["client_id"] == [CLIENT]
        assert query["code_challenge_method"] == ["S256"]
        assert query["redirect_uri"] == [REDIRECT]
        code = f"code-{secrets.token_hex(12)}"
        self._codes[code] = query["code_challenge"][0]
        self.issued.append(code)
        return f"{code}#{query['state'][0]}"

    def login(self, *, seconds: float = 28_800) -> dict[str, Any]:
        """Return Claude Code's own file with a valid login whose access token ends in so many seconds."""
        access, refresh = self.pair()
        oauth = {
            "accessToken": access,
            "refreshToken": refresh,
            "expiresAt": int((time.time() + seconds) * 1000),
            "scopes": ["user:inference", "user:profile"],
            "subscriptionType": "max",
            "rateLimitTier": "default_claude_max_5x",
        }
        return {"claudeAiOauth": oauth}

    def pair(self) -> tuple[str, str]:
        """Return a new access token and refresh token, both valid."""
        access, refresh = f"sk-ant-oat01-{secrets.token_hex(24)}", f"sk-ant-ort01-{secrets.token_hex(24)}"
        self.accesses.add(access)
        self.refreshes.add(refresh)
        self.issued += [access, refresh]
        return access, refresh

    def token(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer the token endpoint."""
        if self.answer != 200:
            return self.answer, {"error": "server_error" if self.answer >= 500 else "invalid_grant"}
        with self.lock:
            found = self._granted(body)
        if found is None:
            return 400, {"error": "invalid_grant", "error_description": "not valid"}
        if body.get("grant_type") == "refresh_token":
            for watcher in self.watchers:
                watcher.put(None)
            self.rotated()
        return 200, found

    def _granted(self, body: dict[str, Any]) -> dict[str, Any] | None:
        if body.get("client_id") != CLIENT:
            return None
        if body.get("grant_type") == "refresh_token":
            if body.get("refresh_token") not in self.refreshes:
                return None
            self.refreshes.discard(str(body["refresh_token"]))
        elif body.get("grant_type") == "authorization_code":
            challenge = self._codes.pop(str(body.get("code")), None)
            verifier = hashlib.sha256(str(body.get("code_verifier")).encode()).digest()
            if challenge is None or base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != challenge:
                return None
            if body.get("redirect_uri") != REDIRECT:
                return None
        else:
            return None
        access, refresh = self.pair()
        return {
            "token_type": "Bearer",
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": body.get("expires_in", self.lifetime),
            "scope": body.get("scope") or "user:inference user:profile",
            "organization": {"uuid": _ORGANIZATION, "name": "Example"},
            "account": {"uuid": _ACCOUNT, "email_address": PERSON},
        }


def make_certificates(folder: Path) -> Path:
    """Write a certificate and key for each host, and return the file of what they are trusted by."""
    # Not above: the pod that runs the stand-in gets its certificates from a Secret.
    from tests.support.builders.certificates import self_signed

    authorities = []
    for host in HOSTS:
        certificate, key = self_signed(host)
        (folder / f"{host}.pem").write_bytes(certificate + key)
        authorities.append(certificate)
    trusted = folder / "authorities.pem"
    trusted.write_bytes(b"".join(authorities))
    return trusted


@contextlib.contextmanager
def cloud(upstream: str, folder: Path) -> Iterator[Cloud]:
    """Run the stand-in here; ``upstream`` (plain HTTP) answers Messages, ``folder`` gets certificates."""
    trusted = make_certificates(folder)
    with serve(Cloud({}, upstream), folder, address=("127.0.0.1", 0)) as (running, port):
        running.environment.update(
            HTTPS_PROXY=f"http://127.0.0.1:{port}",
            NO_PROXY="127.0.0.1,localhost",
            NODE_EXTRA_CA_CERTS=str(trusted),
        )
        yield running


@contextlib.contextmanager
def serve(running: Cloud, folder: Path, *, address: tuple[str, int]) -> Iterator[tuple[Cloud, int]]:
    """Run the stand-in at an address, with the certificates in ``folder``; yields it and its port."""
    contexts = {}
    for host in HOSTS:
        contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[host].load_cert_chain(folder / f"{host}.pem")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Log nothing: clients are killed in the middle of requests."""

    with Server(address, _Tunnel) as server:
        server.cloud, server.contexts = running, contexts  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield running, server.server_address[1]
        server.shutdown()
        thread.join()


class _Tunnel(socketserver.StreamRequestHandler):
    """One CONNECT, then HTTP in TLS."""

    rbufsize = 0  # not a byte of the TLS handshake may be read here

    def handle(self) -> None:
        found: Cloud = self.server.cloud  # type: ignore[attr-defined]
        words = self.rfile.readline(4096).split()
        while self.rfile.readline(4096).strip():
            pass
        host = words[1].decode().partition(":")[0] if len(words) > 1 else ""
        if host == ROTATIONS:
            self._watch(found)
            return
        context = self.server.contexts.get(host)  # type: ignore[attr-defined]
        if context is None or not found.reachable:
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError), context.wrap_socket(self.connection, server_side=True) as client:
            _Handler(client, (host, 443), self.server)

    def _watch(self, found: Cloud) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        rotations: queue.SimpleQueue[None] = queue.SimpleQueue()
        found.watchers.append(rotations)
        with contextlib.suppress(OSError):
            while True:
                rotations.get()
                self.wfile.write(b".")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _answer(self, body: bytes) -> None:
        found: Cloud = self.server.cloud  # type: ignore[attr-defined]
        path = urlsplit(self.path).path
        found.asked.append(f"{self.command} {self.client_address[0]}{path}")
        if path == "/v1/oauth/token":
            self._json(*found.token(json.loads(body)))
        elif path == "/v1/oauth/token/revoke":
            given = str(json.loads(body).get("token"))
            found.revoked.append(given)
            found.refreshes.discard(given)
            self._json(200, {})
        elif self.headers.get("authorization", "").removeprefix("Bearer ") not in found.accesses or not found.valid:
            error = {"type": "authentication_error", "message": "Invalid authentication credentials"}
            self._json(401, {"type": "error", "error": error})
        elif path == "/api/oauth/profile":
            self._json(200, _profile())
        elif path == "/api/oauth/claude_cli/roles":
            self._json(200, {"organization_role": "admin", "workspace_role": None, "organization_name": "Example"})
        elif path.startswith("/v1/messages"):
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            found.turns.append((token, body.decode("utf-8", "replace")))
            self._pass(found, body)
        else:
            self._json(404, {"type": "error", "error": {"type": "not_found_error", "message": path}})

    def _pass(self, found: Cloud, body: bytes) -> None:
        where = urlsplit(found.upstream)
        there = http.client.HTTPConnection(where.hostname or "", where.port)
        dropped = ("host", "authorization", "accept-encoding", "connection")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        there.request("POST", self.path, body=body, headers={**headers, "x-api-key": "stand-in"})
        response = there.getresponse()
        self.send_response(response.status)
        self.send_header("content-type", response.headers["content-type"])
        for name, value in _WINDOWS.items():
            self.send_header(name, value)
        self.send_header("connection", "close")
        self.close_connection = True
        self.end_headers()
        while part := response.read1(65_536):
            self.wfile.write(part)
        there.close()

    def _json(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


_WINDOWS: Final = {
    "anthropic-ratelimit-unified-5h-utilization": "0.25",
    "anthropic-ratelimit-unified-5h-reset": "1893456000",
    "anthropic-ratelimit-unified-5h-status": "allowed",
}


def _profile() -> dict[str, Any]:
    account = {"uuid": _ACCOUNT, "email": PERSON, "display_name": "Alice", "full_name": "Alice", "has_claude_max": True}
    organization = {
        "uuid": _ORGANIZATION,
        "name": "Example",
        "organization_type": "claude_max",
        "rate_limit_tier": "default_claude_max_5x",
        "billing_type": "stripe_subscription",
    }
    return {"account": account, "organization": organization}
