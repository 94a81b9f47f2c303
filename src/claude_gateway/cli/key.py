"""``key``: creates a client and its key, as YAML, and lists the clients that have keys."""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click
import yaml
from pydantic import ValidationError

from claude_gateway.api.base import Metadata
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.cli import clientkey, config, manifests, options
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.findings import plural
from claude_gateway.contract import client_keys
from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL, Kind

_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@click.group(short_help="Create and list client keys.", epilog=options.EXIT_CODES)
def key() -> None:
    """Create and list client keys."""


@key.command(
    epilog=options.epilog(
        "claude-gateway key new alice -o gateway/alice.yaml",
        "claude-gateway key new ci --models 'claude-haiku-*' --models 'gpt-*' --dir gateway",
        "claude-gateway key new alice --namespace team-a | kubectl apply -f -",
        "claude-gateway key new alice --owner alice@example.com -o gateway/alice.yaml",
    )
)
@click.argument("name")
@click.option(
    "--models",
    metavar="PATTERN",
    multiple=True,
    help="Model names that the client may use; * matches any run of characters. Repeatable. Default: all.",
)
@click.option(
    "--owner",
    metavar="PERSON",
    help="The one person who uses the client, such as alice@example.com; needed for their own subscription.",
)
@click.option(
    "--namespace", metavar="NAME", help="Namespace of the objects. Default: none, so that kubectl or serve decides."
)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file (0600)."
)
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write to DIR/NAME.yaml (0600); the folder (0700) is created if it does not exist.",
)
def new(
    *,
    name: str,
    models: tuple[str, ...],
    owner: str | None,
    namespace: str | None,
    output: Path | None,
    folder: Path | None,
) -> None:
    """Create a key for the client NAME: a GatewayClient and the Secret with the key, as YAML.

    With -o or --dir the key is written only to the file and the path is printed; an existing file is never
    overwritten. Without them the YAML is printed, including the key.
    """
    if output and folder:
        raise click.UsageError("use either -o or --dir, not both")
    text = document(name, key=clientkey.make(), models=models, owner=owner, namespace=namespace)
    if folder:
        output = folder / f"{name}.yaml"
    if output is None:
        click.echo(text, nl=False)
        return
    _write(output, text)
    click.echo(f"{output}: client {name} and its key")
    if output.suffix not in manifests.SUFFIXES or output.name.startswith("."):
        endings = " or ".join(manifests.SUFFIXES)
        click.echo(f"claude-gateway: -f FOLDER reads only files that end in {endings}: rename {output}", err=True)


@key.command("list", epilog=options.epilog("claude-gateway key list -f gateway"))
@options.files()
@options.env_file()
def list_(*, sources: tuple[Path, ...], env_file: Path | None) -> None:
    """List the clients: namespace and name, number of keys that work, models, and the file. No key is printed.

    To revoke a key, remove its Secret or its entry in `spec.keys`: the next request with it is rejected.
    """
    decision = config.load(sources, options.variables(env_file))
    policy, bundle = decision.plan.policy, decision.plan.bundle
    table = bundle.secrets.get(policy.client_keys or "")
    working = Counter(holder.client for holder in client_keys.read(table).values()) if table else Counter[str]()
    models = {client.name: client.models for client in policy.clients}
    for document in decision.gathered.documents:
        if document.manifest.get("kind") != Kind.GATEWAY_CLIENT:
            continue
        found = config.ref(document.manifest)
        client = f"{found.namespace}/{found.name}"
        keys = plural(working[client], "key")
        click.echo(f"{client}  {keys}  {', '.join(models.get(client, ())) or 'no models'}  {document.place('')}")


def document(
    name: str, *, key: str, models: tuple[str, ...] = (), owner: str | None = None, namespace: str | None = None
) -> str:
    """Return the YAML of a client and its Secret. Raises click.BadParameter for an invalid name, pattern or owner."""
    metadata: dict[str, Any] = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    secret = {**metadata, "name": f"{name}-key"}
    spec: dict[str, Any] = {"keys": [{"secretRef": {"name": secret["name"]}}]}
    if models:
        spec["models"] = list(models)
    if owner is not None:
        spec["owner"] = owner
    try:
        # The Secret's name is the longer one.
        Metadata.model_validate(secret)
    except ValidationError:
        raise click.BadParameter(
            f"{name!r} is not an object name: use only lower-case letters, digits, '-' and '.'", param_hint="NAME"
        ) from None
    if namespace is not None and not _NAMESPACE.fullmatch(namespace):
        raise click.BadParameter(
            f"{namespace!r} is not a namespace: use at most 63 lower-case letters, digits and '-'",
            param_hint="--namespace",
        )
    try:
        GatewayClientSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors()[0]
        raise click.BadParameter(first["msg"], param_hint=f"--{first['loc'][0]}") from None
    client = {"apiVersion": API_VERSION, "kind": Kind.GATEWAY_CLIENT.value, "metadata": metadata, "spec": spec}
    holder = {
        "apiVersion": "v1",
        "kind": Kind.SECRET.value,
        "metadata": {**secret, "labels": {LABEL_CREDENTIAL: "true"}},
        "stringData": {"key": key},
    }
    return str(yaml.safe_dump_all([client, holder], sort_keys=False))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Trouble(
            f"{path} already exists and was not changed", fix="Choose another file, or remove this one first."
        ) from None
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror}", fix="Choose another place with -o.") from None
