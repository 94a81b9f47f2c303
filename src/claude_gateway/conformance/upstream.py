"""Controls the scripted model behind the gateway: reads what it received, and sets what it answers."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.conformance.client import Client
from claude_gateway.conformance.requirement import Failed, shorten

AGAIN: Final = 25
"""How often a scripted failure is repeated, because some gateways retry failed requests themselves."""


class UpstreamError(Exception):
    """The control endpoints did not answer as expected; the message holds their response."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the upstream received it; credentials are replaced by digests."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a header; empty if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def all(self, name: str) -> list[str]:
        """Return all values of a list header, in order."""
        values = [value for key, value in self.headers if key.lower() == name]
        return [part.strip() for value in values for part in value.split(",")]

    @property
    def json(self) -> Any:
        """The body as JSON. Raises Failed."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failed(f"the upstream got {self.method} {self.path} with a body that is not JSON") from None

    def __str__(self) -> str:
        return f"the upstream got {self.method} {self.path} {shorten(self.body)}"


class Upstream:
    """A client of the control endpoints."""

    def __init__(self, url: str) -> None:
        self._client = Client(url)

    def reset(self) -> None:
        """Clear journal and script, and restore the default answers."""
        self._ask("DELETE", "/__log")
        self._ask("POST", "/__config", {"count_tokens": 200, "headers": {}, "safeguards": None, "dangerous": None})

    def script(self, *steps: Mapping[str, Any]) -> None:
        """Answer the next matching calls with these steps."""
        self._ask("POST", "/__script", {"steps": list(steps)})

    def configure(self, **settings: Any) -> None:
        """Change settings for all calls until ``reset``."""
        self._ask("POST", "/__config", settings)

    def seen(self, marker: str) -> list[Seen]:
        """Return the requests whose body contains the text, oldest first."""
        found = []
        for entry in self._ask("GET", "/__log"):
            seen = Seen(
                method=entry["method"],
                path=entry["path"],
                query=entry["query"],
                headers=tuple((name, value) for name, value in entry["headers"]),
                body=base64.b64decode(entry["body_base64"]),
            )
            if marker.encode() in seen.body:
                found.append(seen)
        return found

    def wait_disconnected(self, marker: str, *, seconds: float) -> bool:
        """Return whether the upstream noticed within ``seconds`` that the reader of its response disconnected."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            entries = [e for e in self._ask("GET", "/__log") if marker in json.dumps(e["body"])]
            if any(entry["disconnected"] for entry in entries):
                return True
            time.sleep(0.1)
        return False

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            return self._client.call(method, path, body=data).expect(200).json
        except Failed as failed:
            raise UpstreamError(str(failed)) from None


def digest(secret: str) -> str:
    """Return the digest with which the journal replaces a credential."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()[:12]
