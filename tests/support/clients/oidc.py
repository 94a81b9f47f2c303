"""A stand-in for an OpenID Connect provider, over TLS.

It checks the PKCE verifier, uses a code once, rotates refresh tokens, and refuses those of people who were removed.
"""

import base64
import contextlib
import hashlib
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
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.builders.certificates import self_signed

CLIENT = "sign-in-page"


@dataclass(slots=True)
class Provider:
    """The running provider; ``claims`` changes what its identity tokens say, ``key`` who signs them.

    ``removed`` are addresses of people whose sessions have ended. ``broken``: it answers 500.
    """

    issuer: str
    environment: dict[str, str]
    claims: dict[str, Any] = field(default_factory=dict)
    known: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65_537, 2048))
    key: rsa.RSAPrivateKey | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    renewals: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    broken: bool = False

    def confirm(self, url: str, email: str) -> tuple[str, str]:
        """Return the code and the state with which the browser comes back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["client_id"] == CLIENT
        code = secrets.token_hex(8)
        self.codes[code] = {**query, "email": email}
        return code, query["state"]

    def token(self, form: dict[str, str]) -> dict[str, str] | None:
        """Answer the token endpoint; None refuses."""
        if form.get("grant_type") == "refresh_token":
            email = self.renewals.pop(form.get("refresh_token", ""), None)
            if email is None or email in self.removed:
                return None
            return {"id_token": self._identity_token(email), "refresh_token": self._renewal(email)}
        begun = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if begun is None or challenge.rstrip(b"=").decode() != begun["code_challenge"]:
            return None
        found = {"id_token": self._identity_token(begun["email"], nonce=begun["nonce"])}
        if "offline_access" in begun["scope"].split():
            found["refresh_token"] = self._renewal(begun["email"])
        return found

    def _identity_token(self, email: str, **more: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "sub": f"id-of-{email}"}
        claims |= {"email": email, "email_verified": True, **more, **self.claims}
        return jwt.encode(claims, self.key or self.known, algorithm="RS256", headers={"kid": "1"})

    def _renewal(self, email: str) -> str:
        token = f"idp-{secrets.token_hex(8)}"
        self.renewals[token] = email
        return token


@contextlib.contextmanager
def provider(folder: Path) -> Iterator[Provider]:
    """Run the provider; ``folder`` gets its certificate."""
    pem = folder / "oidc.pem"
    certificate, key = self_signed("localhost")
    pem.write_bytes(certificate + key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer = running.issuer
            if self.path == "/.well-known/openid-configuration":
                ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                ends["revocation_endpoint"] = "revoke"
                self._json(200, {"issuer": issuer, **{name: f"{issuer}/{path}" for name, path in ends.items()}})
            else:
                public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(running.known.public_key()))
                self._json(200, {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if running.broken:
                self._json(500, {})
                return
            if self.path == "/revoke":
                running.renewals.pop(form["token"], None)
                self._json(200, {})
                return
            found = running.token(form)
            self._json(200 if found else 400, found or {"error": "invalid_grant"})

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _json(self, status: int, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        issuer = f"https://localhost:{server.server_address[1]}"
        running = Provider(issuer, {"SSL_CERT_FILE": str(pem)})
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield running
        server.shutdown()
        thread.join()
