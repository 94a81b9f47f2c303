"""A client of the sign-in page's JSON API."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import click

from claude_gateway.cli.addresses import Address
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import run_folder
from claude_gateway.cli.remote import web

DEFAULT_URL: Final = "http://127.0.0.1:4200"
URL_VARIABLE: Final = "CLAUDE_GATEWAY_AUTH_URL"
KEY_VARIABLE: Final = "CLAUDE_GATEWAY_AUTH_KEY"
_SECONDS: Final = 120.0
"""The page answers when Anthropic has."""


@dataclass(frozen=True, slots=True)
class Page:
    """A running sign-in page, and the key that opens it."""

    url: str
    key: str = field(repr=False)

    def credentials(self) -> list[Mapping[str, Any]]:
        """Return the credentials that one can sign in to. Raises Trouble."""
        return list(self.ask("GET", "/credentials")["credentials"])

    def find(self, name: str) -> Mapping[str, Any]:
        """Return a credential by its name, or its namespace and name. Raises Trouble."""
        known = self.credentials()
        found = [one for one in known if name in (one["name"], shown(one))]
        if len(found) == 1:
            return found[0]
        names = ", ".join(map(shown, found or known)) or "none"
        if found:
            raise Trouble(f"{len(found)} credentials are named {name}", fix=f"Name one with its namespace: {names}.")
        raise Trouble(f"no credential {name} with a subscription", fix=f"Choose one of these: {names}.")

    def act(self, credential: Mapping[str, Any], action: str, body: object = None) -> Mapping[str, Any]:
        """Do something with a credential. Raises Trouble."""
        return self.ask("POST", f"{_path(credential)}/{action}", json.dumps(body or {}).encode())

    def load(self, credential: Mapping[str, Any], content: bytes) -> Mapping[str, Any]:
        """Store an existing login. Raises Trouble."""
        return self.ask("POST", f"{_path(credential)}/import", content)

    def ask(self, method: str, path: str, body: bytes | None = None) -> Mapping[str, Any]:
        """Send one request. Raises Trouble, with what the page says."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        try:
            answer = web.fetch(
                f"{self.url}/auth/api{path}", method=method, headers=headers, body=body, timeout=_SECONDS
            )
        except web.UnreachableError as error:
            raise Trouble(f"no sign-in page answers at {self.url}: {error}", fix=_START) from None
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Trouble(f"{self.url} does not answer as a sign-in page does", fix="Check --url.")
        if answer.status == 401:
            raise Trouble("the key of the page is wrong", fix=f"Set ${KEY_VARIABLE}, or use --key-file.")
        if answer.status >= 400:
            said = found.get("error") or {}
            raise Trouble(str(said.get("title") or answer.status), fix=str(said.get("message") or "Try again."))
        return found


_START: Final = (
    "Start one with `claude-gateway serve` and a ClaudeCredential with a subscription, forward the one of a cluster "
    "with `kubectl port-forward`, or set its address with --url."
)


def connect(url: str | None, key_file: Path | None) -> Page:
    """Return the page to talk to, with its key: of a file, the environment, this machine's ``serve``, or a question.

    Raises Trouble.
    """
    serving = run_folder.signing_in()
    found = (url or (serving.auth if serving else "") or DEFAULT_URL).rstrip("/").removesuffix("/auth")
    where = urlsplit(found)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise Trouble(f"{found} is not the address of a page", fix="It begins with http:// or https://.")
    if where.scheme == "http" and not Address(where.hostname, 0).is_loopback:
        raise Trouble(
            f"{found} would get the key unencrypted", fix="Use https://, or `kubectl port-forward` and 127.0.0.1."
        )
    if key_file is None and KEY_VARIABLE not in os.environ and serving and serving.auth == found:
        key_file = Path(serving.auth_key_file)
    return Page(found, _key(key_file))


def shown(credential: Mapping[str, Any]) -> str:
    """Return the name of a credential as people write it."""
    return f"{credential['namespace']}/{credential['name']}"


def _path(credential: Mapping[str, Any]) -> str:
    return f"/credentials/{quote(str(credential['namespace']))}/{quote(str(credential['name']))}"


def _key(file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise Trouble(f"{file} cannot be read", fix="Check the path after --key-file.") from None
    return os.environ.get(KEY_VARIABLE, "").strip() or str(click.prompt("Key of the page", hide_input=True)).strip()
