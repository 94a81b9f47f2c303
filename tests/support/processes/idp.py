"""An identity provider that signs real tokens: discovery and key set over HTTP, in a thread of the test."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.builders.tokens import Signer, key_set


@dataclass(slots=True)
class IdentityProvider:
    """The running provider. ``signers`` are the keys that it publishes, the last of which signs; tests replace them.

    ``answers`` replaces the answer at a path by a status, headers and a body; ``asked`` are the paths that were
    fetched.
    """

    issuer: str
    signers: list[Signer] = field(default_factory=lambda: [Signer.of("ES256")])
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def keys_url(self) -> str:
        """Where the keys are."""
        return f"{self.issuer}/keys"

    def token(self, **claims: Any) -> str:
        """A token that is signed with the newest key."""
        return self.signers[-1].token(**{"iss": self.issuer, **claims})

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """The answer to a request."""
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, {}, json.dumps({"issuer": self.issuer, "jwks_uri": self.keys_url}).encode()
        return (200, {}, key_set(*self.signers)) if path == "/keys" else (404, {}, b"")


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Run a provider."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = running.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = IdentityProvider(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
