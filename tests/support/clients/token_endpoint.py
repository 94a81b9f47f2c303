"""A stand-in for the token endpoint of an identity provider: client credentials, and refresh tokens that rotate.

It checks what RFC 6749 says about both, signs what it hands out, and ends a login whose refresh token is used twice,
as providers with rotation do.
"""

import base64
import contextlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.builders.certificates import self_signed

CLIENT, SECRET = "claude:code", "s3cret/with+signs&more"
AUDIENCE = "claude-gateway"


@dataclass(slots=True)
class TokenEndpoint:
    """The running endpoint; ``refresh`` is the refresh token that it takes next, empty once the login has ended."""

    url: str = ""
    ca: Path = Path()
    lifetime: int = 3600
    refresh: str = field(default_factory=lambda: secrets.token_hex(16))
    down: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65_537, 2048))

    @property
    def issuer(self) -> str:
        """The ``iss`` of its tokens; the public keys are at ``/keys`` below it."""
        return self.url.removesuffix("/token")

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}

    def answer(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        if self.down:
            return 503, {"error": "temporarily_unavailable"}
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            client, secret = (unquote_plus(part) for part in pair.split(":"))
        match form.get("grant_type"):
            case "client_credentials" if (client, secret) == (CLIENT, SECRET):
                return 200, self._tokens()
            case "client_credentials":
                return 401, {"error": "invalid_client", "error_description": "the secret is wrong"}
            case "refresh_token" if self.refresh and form.get("refresh_token") == self.refresh:
                self.refresh = secrets.token_hex(16)
                return 200, {**self._tokens(), "refresh_token": self.refresh}
            case "refresh_token":
                self.refresh = ""
                return 400, {"error": "invalid_grant"}
        return 400, {"error": "unsupported_grant_type"}

    def _tokens(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "alice",
            "iat": now,
            "exp": now + self.lifetime,
            "jti": secrets.token_hex(8),
        }
        signed = {
            name: jwt.encode({**claims, "aud": audience}, self.key, algorithm="RS256", headers={"kid": "1"})
            for name, audience in (("access_token", AUDIENCE), ("id_token", CLIENT))
        }
        return {"token_type": "Bearer", "expires_in": self.lifetime, **signed}


@contextlib.contextmanager
def token_endpoint(folder: Path) -> Iterator[TokenEndpoint]:
    """Run the endpoint over TLS; ``folder`` gets its certificate."""
    running = TokenEndpoint(ca=folder / "idp.pem")
    certificate, key = self_signed("localhost")
    (folder / "idp-key.pem").write_bytes(certificate + key)
    running.ca.write_bytes(certificate)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, running.keys())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
            if self.path == "/moved":
                self.send_response(307)
                self.send_header("location", "https://elsewhere.example/token")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self._say(*running.answer(form, self.headers.get("authorization", "")))

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

        def _say(self, status: int, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "idp-key.pem")
        # The handshake is the connection's own: one that begins none must not keep the others waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        running.url = f"https://localhost:{server.server_address[1]}/token"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield running
        server.shutdown()
        thread.join()
