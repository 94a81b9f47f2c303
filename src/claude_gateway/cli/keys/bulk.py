"""``key new --from``: keys for many people at once. One file with hashes alone, and one hand-out per person."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import manifests, small_files
from claude_gateway.cli.files.findings import plural
from claude_gateway.cli.files.manifests import UnreadableFileError
from claude_gateway.cli.keys import client_key, handouts, listing, people
from claude_gateway.cli.keys.handouts import Handout
from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL, Kind

KEY: Final = "key"
"""The key in the Secret under which the list is."""
_NAMED: Final = 20
_HEADER: Final = "# Written by `claude-gateway key new --from`: people and hashes of keys, no keys."


@dataclass(frozen=True, slots=True)
class Order:
    """Who gets keys (``source``, a CSV file), where they go, when they end, and whether people with a key get one more.

    ``output`` gets the hashes, ``folder`` the hand-outs.
    """

    source: Path
    output: Path
    folder: Path
    lifetime: timedelta | None = None
    rotate: bool = False


def create(order: Order, client: dict[str, Any], secret: dict[str, Any]) -> str:
    """Make a key for everybody in the CSV file without one, or with ``rotate`` for everybody; return what was done.

    ``client`` and ``secret`` are the objects without the list. The hand-outs are written first: a hash without its key
    could never be handed out. Raises Trouble.
    """
    wanted = people.read(order.source)
    before = _existing(order.output, client, secret)
    known = listing.holders(before)
    chosen = [person for person in wanted if order.rotate or person.name.lower() not in known]
    if not chosen:
        return f"{order.output}: everybody in the file has a key already; --rotate makes new ones"
    now = datetime.now(UTC)
    keys = [(person, client_key.make()) for person in chosen]
    written = handouts.write(handouts.prepared(order.folder), keys)
    expires = None if order.lifetime is None else now + order.lifetime
    listed = listing.added(before, keys, today=now.date(), expires=expires)
    try:
        # The Secret first: `kubectl apply` keeps the order, and the client would be without keys for a moment.
        _save(order.output, {**secret, "stringData": {KEY: listed}}, client)
    except Trouble:
        handouts.discard(written)
        raise
    return _report(written, len(wanted) - len(chosen), order)


def objects(
    name: str, *, models: tuple[str, ...], namespace: str | None, secret_name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the GatewayClient whose keys are in a list, and the Secret for it, still without the list."""
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    spec: dict[str, Any] = {"keys": [{"hashesFrom": {"name": secret_name}}]}
    if models:
        spec["models"] = list(models)
    client = {"apiVersion": API_VERSION, "kind": Kind.GATEWAY_CLIENT.value, "metadata": metadata, "spec": spec}
    labelled = {**metadata, "name": secret_name, "labels": {LABEL_CREDENTIAL: "true"}}
    return client, {"apiVersion": "v1", "kind": Kind.SECRET.value, "metadata": labelled}


def _report(written: list[Handout], kept: int, order: Order) -> str:
    """Say what was made, and what to do with it."""
    sealed = sum(handout.sealed for handout in written)
    open_ = len(written) - sealed
    lines = [f"{order.output}: {plural(len(written), 'new key')}, as hashes; it may be committed"]
    if kept:
        # Somebody whose key was revoked, and who is still in the CSV file, would get a new one unnoticed.
        names = [handout.person.name for handout in written]
        more = len(names) - _NAMED
        lines.append(f"  for {', '.join(names[:_NAMED])}{f' and {more} more' if more > 0 else ''}")
        lines.append(f"  {kept} had a key already")
    lines.append(f"{order.folder}: one hand-out per person")
    if sealed:
        lines.append(
            f"  {sealed} sealed: send them in any way; each opens theirs with `age --decrypt -i IDENTITY FILE`"
        )
    if open_:
        lines.append(f"  {open_} not sealed: hand them out over a channel that only the person reads, and remove them")
    return "\n".join(lines)


def _existing(output: Path, client: dict[str, Any], secret: dict[str, Any]) -> str:
    """Return the list in a file that this command wrote before; empty if there is no file. Raises Trouble."""
    if not output.exists():
        return ""
    other = Trouble(
        f"{output} already exists and was not written by `key new --from` for the same client",
        fix="Choose another file with -o, or pass the same --client, --namespace and --models as before.",
    )
    try:
        text = output.read_text(encoding="utf-8")
        found = [dict(document.manifest) for document in manifests.parse(text, path=output)]
    except (OSError, UnicodeDecodeError, UnreadableFileError):
        raise other from None
    if not text.startswith(_HEADER) or len(found) != 2 or found[1] != client:
        raise other
    values = found[0].pop("stringData", None)
    if found[0] != secret or not isinstance(values, dict) or not isinstance(values.get(KEY), str) or len(values) != 1:
        raise other
    return str(values[KEY])


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, so that a list is readable and its changes are lines."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _save(output: Path, *documents: dict[str, Any]) -> None:
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=4096)
    # Hashes of 256 random bits reveal nothing, so the file is as readable as any other manifest.
    small_files.replace(output, f"{_HEADER}\n{text}", what="the file", mode=0o644)
