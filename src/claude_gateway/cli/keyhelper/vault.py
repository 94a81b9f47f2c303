"""A key from HashiCorp Vault or OpenBao, over their HTTP API."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import small_files
from claude_gateway.cli.keyhelper import fresh
from claude_gateway.cli.keyhelper.fresh import Key
from claude_gateway.cli.keyhelper.server import Answer, Server, words

Auth = Literal["token", "approle", "kubernetes", "jwt"]

POD_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""The token of a pod's ServiceAccount."""

_SEALED: Final = "Whoever operates Vault must unseal it."
_AS_IS: Final = "For anything but a KV engine of version 2, pass --as-is."
_TOO_MANY: Final = "Vault limits the rate: raise --share, so that fewer calls reach it."


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to Vault. ``mount`` is where the auth method is mounted; None for its usual place.

    ``token`` is the value of VAULT_TOKEN; without one, ``token_file`` is read. ``secret_file`` holds the secret id of
    an AppRole, or the JWT.
    """

    auth: Auth
    token: str | None = None
    token_file: Path | None = None
    mount: str | None = None
    role: str | None = None
    secret_file: Path | None = None

    def __repr__(self) -> str:
        return f"Login(auth={self.auth!r})"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read: a ``field`` of a secret. ``mount`` is that of a KV engine, version 2; None: read ``path`` as is."""

    path: str
    field: str
    mount: str | None

    @property
    def url_path(self) -> str:
        """The path below ``/v1/``."""
        path = self.path.strip("/")
        if self.mount is None:
            return quote(path)
        mount = self.mount.strip("/")
        return quote(f"{mount}/data/{path.removeprefix(f'{mount}/')}")


def fetch(server: Server, login: Login, wanted: Wanted, *, namespace: str | None = None) -> Key:
    """Log in, read the field, and return it as the key; its end is that of the lease, or of the JWT in the field.

    Raises Trouble with Vault's own words and the fix.
    """
    base = {"X-Vault-Request": "true", **({"X-Vault-Namespace": namespace} if namespace else {})}
    token = _token(server, login, base)
    headers = {**base, "X-Vault-Token": token}
    answer = server.ask(f"/v1/{wanted.url_path}", headers=headers)
    if answer.status != 200:
        raise _refused(answer, wanted, login)
    key = _key(answer.value, wanted)
    if login.auth != "token" and not answer.value.get("lease_id"):
        # A lease would end with the token; without one, the token is no longer needed. If it cannot be revoked, it
        # ends by itself.
        server.ask("/v1/auth/token/revoke-self", headers=headers, body=b"", method="POST")
    return key


def _token(server: Server, login: Login, headers: Mapping[str, str]) -> str:
    if login.auth == "token":
        return _sendable(login.token) if login.token else _sendable(_stored(login))
    mount = (login.mount or login.auth).strip("/")
    body = json.dumps(_credentials(login)).encode()
    sent = {**headers, "content-type": "application/json"}
    answer = server.ask(f"/v1/auth/{quote(mount)}/login", headers=sent, body=body, method="POST")
    auth = answer.value.get("auth")
    token = auth.get("client_token") if isinstance(auth, Mapping) else None
    if answer.status != 200 or not isinstance(token, str):
        fix = _advice(answer.status) or (
            f"Check --role, the file with the credential, and --auth-mount: the method is asked for at auth/{mount}."
        )
        raise answer.refused(f"Vault refused the login with {login.auth} ({answer.status}){_said(answer)}", fix=fix)
    return token


def _stored(login: Login) -> str:
    path = login.token_file or Path.home() / ".vault-token"
    fix = "Run `vault login`, set VAULT_TOKEN, or pass --token-file, or another --auth."
    return small_files.read(path, what="the Vault token file", fix=fix)


def _sendable(token: str) -> str:
    # http.client would quote it in its error.
    if not token.isascii() or not token.isprintable() or any(each in token for each in " \"'"):
        raise Trouble(
            "the Vault token is not one word without quotes",
            fix="Store only the token: check VAULT_TOKEN or --token-file.",
        )
    return token


def _credentials(login: Login) -> dict[str, str]:
    if login.auth == "approle":
        if login.role is None or login.secret_file is None:
            raise Trouble(
                "approle needs --role and --secret-file", fix="Pass the role id, and a file with the secret id."
            )
        fix = "Pass a file with the secret id of the AppRole in --secret-file."
        secret = small_files.read(login.secret_file, what="the secret id file", fix=fix)
        return {"role_id": login.role, "secret_id": secret}
    path = login.secret_file or POD_TOKEN
    token = small_files.read(path, what="the JWT file", fix="Pass the file with the JWT in --secret-file.")
    if login.auth == "kubernetes" and login.role is None:
        raise Trouble("kubernetes needs --role", fix="Pass the name of the role in Vault's kubernetes auth method.")
    return {"jwt": token, **({"role": login.role} if login.role else {})}


def _key(answer: Mapping[str, Any], wanted: Wanted) -> Key:
    data = answer.get("data")
    if wanted.mount is not None and isinstance(data, Mapping):
        data = data.get("data")
    if not isinstance(data, Mapping):
        fix = "Check the path." if wanted.mount is None else f"Check the path. {_AS_IS}"
        raise Trouble(f"Vault answered without a secret for {wanted.path}", fix=fix)
    value = data.get(wanted.field)
    if wanted.mount is None and value is None and isinstance(data.get("data"), Mapping) and "metadata" in data:
        raise Trouble(
            f"{wanted.path} is in a KV engine of version 2, which keeps its fields one level deeper",
            fix="Leave out --as-is, and write the path as for `vault kv get`, without `data/`.",
        )
    if value is not None and not isinstance(value, str):
        raise Trouble(f"the field {wanted.field} of {wanted.path} is not text", fix="Store the key as text there.")
    if value is None:
        names = ", ".join(words(name) for name in sorted(map(str, data))[:5]) or "none"
        raise Trouble(
            f"the secret {wanted.path} has no field {wanted.field}; its fields: {names}",
            fix="Choose one with --field.",
        )
    lifetime = fresh.seconds_of(answer.get("lease_duration")) if wanted.mount is None else None
    return fresh.made(value, now=time.time(), source=f"the field {wanted.field} of {wanted.path}", lifetime=lifetime)


def _refused(answer: Answer, wanted: Wanted, login: Login) -> Trouble:
    message = f"Vault refused to read {wanted.path} ({answer.status}){_said(answer)}"
    fix = _advice(answer.status)
    if answer.status == 403:
        # Vault answers so for a path that does not exist too, if no policy names it.
        how = "log in again: `vault login`" if login.auth == "token" else "check the role's policies"
        fix = f"{_where(wanted)} Else the token ended, or its policy does not allow `read` on {wanted.url_path}: {how}."
    elif answer.status == 404:
        message = f"Vault has nothing at {wanted.url_path} (404){_said(answer)}"
        fix = _where(wanted)
    return answer.refused(message, fix=fix or "See the log of Vault.")


def _where(wanted: Wanted) -> str:
    """What to check about the path."""
    if wanted.mount is None:
        return "Check VAULT_ADDR, the path, and VAULT_NAMESPACE."
    if wanted.path.strip("/").removeprefix(f"{wanted.mount.strip('/')}/").startswith("data/"):
        return "Write the path as for `vault kv get`, without `data/`, which is added."
    return f"Check VAULT_ADDR, the path, --mount, and VAULT_NAMESPACE. {_AS_IS}"


def _advice(status: int) -> str:
    return {429: _TOO_MANY, 503: _SEALED}.get(status, "")


def _said(answer: Answer) -> str:
    """Vault's own words; it does not quote tokens."""
    said = "; ".join(_texts(answer.value.get("errors")) or _texts(answer.value.get("warnings")))
    return f": {words(' '.join(said.split()))}" if said else ""


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
