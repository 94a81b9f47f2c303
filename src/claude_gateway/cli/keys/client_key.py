"""Client keys: finding the one to use, and creating a new one."""

import base64
import binascii
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from claude_gateway.api.base import SecretKeyRef
from claude_gateway.cli import options
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import config
from claude_gateway.cli.files.manifests import Document
from claude_gateway.names import Kind

PREFIX: Final = "cgw_"
_HASHED: Final = "sha256:"
"""Begins the hash of a key, which opens nothing."""
_HOW: Final = (
    f"Pass -f DIR with a GatewayClient or --key-file FILE, or set ${options.KEY_VARIABLE}; "
    "`claude-gateway key new NAME -o FILE` creates a key."
)


def make() -> str:
    """Create a new key: 256 random bits, with a prefix that secret scanners can recognize."""
    return PREFIX + secrets.token_urlsafe(32)


def find(
    *,
    sources: Sequence[Path] = (),
    client: str | None = None,
    key_file: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Find the client key: in a file, else in a GatewayClient in ``sources``, else in the environment.

    Raises Trouble, whose fix says how to provide a key.
    """
    if key_file is not None:
        return _from_file(key_file)
    if sources:
        return _from_sources(sources, client, variables or os.environ)
    key = os.environ.get(options.KEY_VARIABLE, "").strip()
    if not key:
        raise Trouble("no client key", fix=_HOW)
    return key


def _from_file(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Trouble(f"the key file {path} cannot be read", fix="Check the path after --key-file.") from None
    if not key or any(character.isspace() for character in key):
        raise Trouble(
            f"{path} does not hold a single key", fix="Store only the key in it, or pass the YAML folder with -f."
        )
    return key


def _from_sources(sources: Sequence[Path], client: str | None, variables: Mapping[str, str]) -> str:
    documents = config.gather(sources, variables).documents
    clients = [d for d in documents if config.ref(d.manifest).kind == Kind.GATEWAY_CLIENT]
    names = sorted({_shown(d) for d in clients})
    if client is not None:
        clients = [d for d in clients if client in (_shown(d), config.ref(d.manifest).name)]
    where = ", ".join(str(source) for source in sources)
    if not names:
        raise Trouble(f"no GatewayClient in {where}", fix=_HOW)
    if not clients:
        raise Trouble(f"no GatewayClient {client} in {where}", fix=f"Use one of: {', '.join(names)}.")
    if len(clients) > 1:
        raise Trouble(f"{len(clients)} GatewayClients in {where}", fix=f"Choose one: --client {' | '.join(names)}.")
    return _key_of(clients[0], documents)


def _key_of(client: Document, documents: Sequence[Document]) -> str:
    """Return the first key of a client whose Secret is among the documents and holds more than a hash."""
    owner = config.ref(client.manifest)
    for reference in _references(client.manifest):
        for document in documents:
            found = config.ref(document.manifest)
            if (found.kind, found.namespace, found.name) == (Kind.SECRET, owner.namespace, reference.name):
                value = _value(document.manifest, reference.key)
                if value and not value.startswith(_HASHED):
                    return value
    if not has_keys(client):
        raise Trouble(
            f"{owner} has no key: its callers show a token or a certificate",
            fix="Store such a token in a file and pass it with --key-file, or choose a client with a key.",
        )
    raise Trouble(
        f"the key of {owner} is not in these files",
        fix="Pass the file with its Secret with -f, or set the variable that it refers to (also with --env-file).",
    )


def has_keys(client: Document) -> bool:
    """Return whether a GatewayClient is one of keys, and not only of tokens or certificates."""
    spec = client.manifest.get("spec")
    return isinstance(spec, Mapping) and bool(spec.get("keys"))


def _references(manifest: Mapping[str, Any]) -> list[SecretKeyRef]:
    try:
        written = [key.get("secretRef") for key in manifest["spec"]["keys"]]
        return [SecretKeyRef.model_validate(reference) for reference in written if reference is not None]
    except (AttributeError, KeyError, TypeError, ValueError):
        return []


def _value(secret: Mapping[str, Any], key: str) -> str:
    plain, encoded = secret.get("stringData"), secret.get("data")
    if isinstance(plain, dict) and isinstance(plain.get(key), str):
        return str(plain[key]).strip()
    if isinstance(encoded, dict) and isinstance(encoded.get(key), str):
        try:
            return base64.b64decode(encoded[key], validate=True).decode().strip()
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _shown(client: Document) -> str:
    owner = config.ref(client.manifest)
    return f"{owner.namespace}/{owner.name}"
