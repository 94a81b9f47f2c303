"""A stand-in for an OpenID Connect provider, over TLS.

It checks the PKCE verifier, uses a code once, rotates refresh tokens, and refuses those of people who were removed. A
token is for the client that asked for it.
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
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "sign-in-page"


@dataclass(slots=True)
class Provider:
    """The running provider; ``claims`` changes what its identity tokens say, ``people`` what those of one person say.

    ``authority`` is a file with what its certificate is trusted by. ``key`` signs in place of the known key.
    ``removed`` are addresses of people whose sessions have ended. ``broken``: it answers 500. ``visitor`` is who is
    signed in in every browser that comes; None cancels.
    """

    issuer: str
    authority: str = ""
    lifetime: int = 60
    claims: dict[str, Any] = field(default_factory=dict)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65_537, 2048))
    key: rsa.RSAPrivateKey | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    renewals: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    broken: bool = False
    visitor: str | None = None

    def confirm(self, url: str, email: str) -> tuple[str, str]:
        """Return the code and the state with which the browser comes back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["client_id"] == CLIENT
        code = secrets.token_hex(8)
        self.codes[code] = {**query, "email": email}
        return code, query["state"]

    def back(self, url: str) -> str:
        """Return the address to which a browser is sent back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        if self.visitor is None:
            return f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': query['state']})}"
        code, state = self.confirm(url, self.visitor)
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': state})}"

    def sign_in(self, email: str, **claims: Any) -> str:
        """Return the refresh token of a program in which a person signed in; tokens of that person have the claims."""
        self.people[email] = claims
        return self._renewal(email)

    def token(self, form: dict[str, str]) -> dict[str, str] | None:
        """Answer the token endpoint; None refuses."""
        client = form.get("client_id", CLIENT)
        if form.get("grant_type") == "refresh_token":
            email = self.renewals.pop(form.get("refresh_token", ""), None)
            if email is None or email in self.removed:
                return None
            return {"id_token": self._identity_token(email, client), "refresh_token": self._renewal(email)}
        begun = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if begun is None or challenge.rstrip(b"=").decode() != begun["code_challenge"]:
            return None
        found = {"id_token": self._identity_token(begun["email"], client, nonce=begun["nonce"])}
        if "offline_access" in begun["scope"].split():
            found["refresh_token"] = self._renewal(begun["email"])
        return found

    def _identity_token(self, email: str, client: str, **more: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": client, "iat": now, "exp": now + self.lifetime, "sub": f"id-of-{email}"}
        claims |= {"email": email, "email_verified": True, **more, **self.claims, **self.people.get(email, {})}
        return jwt.encode(claims, self.key or self.known, algorithm="RS256", headers={"kid": "1"})

    def _renewal(self, email: str) -> str:
        token = f"idp-{secrets.token_hex(8)}"
        self.renewals[token] = email
        return token


@contextlib.contextmanager
def provider(folder: Path) -> Iterator[Provider]:
    """Run the provider on this machine; ``folder`` gets its certificate."""
    # Not above: a pod that runs the provider gets its certificate from a Secret.
    from tests.support.builders.certificates import self_signed

    pem = folder / "oidc.pem"
    pem.write_bytes(b"".join(self_signed("localhost")))
    with serve(Provider("", str(pem)), pem, address=("127.0.0.1", 0)) as (running, port):
        running.issuer = f"https://localhost:{port}"
        yield running


@contextlib.contextmanager
def serve(running: Provider, pem: Path, *, address: tuple[str, int]) -> Iterator[tuple[Provider, int]]:
    """Serve a provider at an address, with the certificate and key in a file; yields it and its port."""

    class Handler(_Handler):
        provider = running

    with ThreadingHTTPServer(address, Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        # The handshake is the connection's own: one that begins none must not keep the others waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield running, server.server_address[1]
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        issuer = self.provider.issuer
        if self.path == "/.well-known/openid-configuration":
            ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            ends["revocation_endpoint"] = "revoke"
            self._json(200, {"issuer": issuer, **{name: f"{issuer}/{path}" for name, path in ends.items()}})
        elif self.path.startswith("/authorize?"):
            self.send_response(303)
            self.send_header("location", self.provider.back(self.path))
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.provider.known.public_key()))
            self._json(200, {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if self.provider.broken:
            self._json(500, {})
        elif self.path == "/revoke":
            self.provider.renewals.pop(form["token"], None)
            self._json(200, {})
        else:
            found = self.provider.token(form)
            self._json(200 if found else 400, found or {"error": "invalid_grant"})

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _json(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
