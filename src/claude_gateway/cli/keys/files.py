"""Client keys in YAML files: whose they are, and their removal."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import config, manifests, yaml_edit
from claude_gateway.cli.files.manifests import Document, UnreadableFileError
from claude_gateway.cli.keys import listing
from claude_gateway.names import Kind


def read(sources: Sequence[Path]) -> list[Document]:
    """Read all files as written: no variable is filled in. Raises Trouble for one that cannot be read."""
    try:
        return [document for source in sources for path in manifests.files(source) for document in manifests.read(path)]
    except UnreadableFileError as error:
        raise Trouble(f"{error.place}: {error}", fix=error.fix) from None
    except OSError as error:
        raise Trouble(f"the files cannot be read: {error.strerror}", fix="Check the path after -f.") from None


def lists(client: Document, documents: Sequence[Document]) -> Iterator[tuple[Document, tuple[str, str], str]]:
    """Yield the Secret, the field in it and the text of each list of hashes that a client names."""
    owner = config.ref(client.manifest)
    for entry in _keys(client):
        reference = entry.get("hashesFrom")
        if not isinstance(reference, dict):
            continue
        name, key = reference.get("name"), str(reference.get("key", "key"))
        for document in documents:
            found = config.ref(document.manifest)
            if (found.kind, found.namespace, found.name) != (Kind.SECRET, owner.namespace, name):
                continue
            values = document.manifest.get("stringData")
            if isinstance(values, dict) and isinstance(values.get(key), str):
                yield document, ("stringData", key), values[key]


def revoke(sources: Sequence[Path], who: str, *, only_old: bool) -> list[str]:
    """Remove a person's keys from every list, or the client of this name with its own Secrets.

    Returns what was done. Raises Trouble; a file whose layout cannot be edited safely is not changed.
    """
    done: list[str] = []
    documents = read(sources)
    clients = [each for each in documents if each.manifest.get("kind") == Kind.GATEWAY_CLIENT]
    for client in clients:
        for index, entry in enumerate(_keys(client)):
            if str(entry.get("user", "")).lower() == who.lower():
                place = client.place(f"spec.keys[{index}]")
                raise Trouble(f"{place}: {who} has a key in the client itself", fix=listing.BY_HAND)
    for client in clients:
        owner = config.ref(client.manifest)
        if who in (owner.name, f"{owner.namespace}/{owner.name}") and not only_old:
            done += _remove(client, documents)
            continue
        for secret, field, text in lists(client, documents):
            left, count = listing.removed(text, who, only_old=only_old)
            if count:
                yaml_edit.replace_value(secret, field, text, left)
                done.append(f"{owner.namespace}/{owner.name}: {count} of {who} removed from {secret.path}")
    return done


def _remove(client: Document, documents: Sequence[Document]) -> Iterator[str]:
    """Remove a client, and the Secrets that no other client of these files names."""
    owner = config.ref(client.manifest)
    others = {
        (config.ref(each.manifest).namespace, name)
        for each in documents
        if each is not client
        for name in _names(each.manifest)
    }
    own = {(owner.namespace, name) for name in _names(client.manifest)} - others
    gone = [client]
    for document in documents:
        found = config.ref(document.manifest)
        if found.kind == Kind.SECRET and (found.namespace, found.name) in own:
            gone.append(document)
    for path in dict.fromkeys(document.path for document in gone):
        yaml_edit.remove_documents(path, [document for document in gone if document.path == path])
        yield f"{owner.namespace}/{owner.name}: removed from {path}"


def _keys(client: Document) -> list[dict[str, Any]]:
    spec = client.manifest.get("spec")
    found = spec.get("keys") if isinstance(spec, dict) else None
    return [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []


def _names(manifest: object) -> Iterator[str]:
    """Yield the names of all Secrets that an object refers to."""
    if isinstance(manifest, dict):
        for name, value in manifest.items():
            if name in ("secretRef", "hashesFrom") and isinstance(value, dict) and isinstance(value.get("name"), str):
                yield value["name"]
            else:
                yield from _names(value)
    elif isinstance(manifest, list):
        for value in manifest:
            yield from _names(value)
