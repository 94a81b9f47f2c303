"""``key``: creates clients and their keys, lists them, and revokes them."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import yaml
from pydantic import ValidationError

from claude_gateway.api.base import Metadata
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.cli import options
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import config, manifests, private_file
from claude_gateway.cli.files.findings import plural
from claude_gateway.cli.keys import bulk, client_key, files, kube, listing
from claude_gateway.cli.keys.kube import Cluster
from claude_gateway.cli.terminal import printable
from claude_gateway.contract import client_keys
from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL, Kind

F = TypeVar("F", bound=Callable[..., Any])

_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@click.group(short_help="Create, list and revoke client keys.", epilog=options.EXIT_CODES)
def key() -> None:
    """Create, list and revoke client keys."""


@key.command(
    epilog=options.epilog(
        "claude-gateway key new alice -o gateway/alice.yaml",
        "claude-gateway key new ci --models 'claude-haiku-*' --models 'gpt-*' --dir gateway",
        "claude-gateway key new alice --namespace team-a | kubectl apply -f -",
        "claude-gateway key new alice --owner alice@example.com -o gateway/alice.yaml",
        "claude-gateway key new developers --from people.csv --handouts handouts -o gateway/developers.yaml",
    )
)
@click.argument("name")
@click.option(
    "--from",
    "people_file",
    metavar="CSV",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="One key for each person in this file, with the columns name or email, team, public_key.",
)
@click.option(
    "--handouts",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --from: folder (0700) for one file per person with the key.",
)
@click.option(
    "--days", metavar="N", type=click.IntRange(1, 3650), help="The key, or with --from each key, ends after N days."
)
@click.option("--rotate", is_flag=True, help="With --from: one more key also for people who have one.")
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
    people_file: Path | None,
    handouts: Path | None,
    days: int | None,
    rotate: bool,
    models: tuple[str, ...],
    owner: str | None,
    namespace: str | None,
    output: Path | None,
    folder: Path | None,
) -> None:
    """Create a key for the client NAME: a GatewayClient and the Secret with the key, as YAML.

    With -o or --dir the key is written only to the file and the path is printed; an existing file is never
    overwritten. Without them the YAML is printed, including the key.

    With --from, everybody in a CSV file gets a key: the YAML has only the hashes, so it can be committed, and each key
    is in a hand-out of its own. Whoever has a public key in the file (age, or SSH) gets it sealed with the program
    `age`. Run it again with a longer file to add people.
    """
    if output and folder:
        raise click.UsageError("use either -o or --dir, not both")
    if people_file is not None:
        if output is None or handouts is None or owner is not None:
            raise click.UsageError("--from needs -o FILE and --handouts DIR, and has its owners in the CSV file")
        # Checks the names and patterns as for a single client.
        document(name, key="", models=models, namespace=namespace)
        client, secret = bulk.objects(name, models=models, namespace=namespace, secret_name=f"{name}-keys")
        lifetime = None if days is None else timedelta(days=days)
        order = bulk.Order(people_file, output=output, folder=handouts, lifetime=lifetime, rotate=rotate)
        click.echo(bulk.create(order, client, secret))
        return
    if handouts is not None or rotate:
        raise click.UsageError("--handouts and --rotate need --from")
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    text = document(name, key=client_key.make(), models=models, owner=owner, namespace=namespace, expires=expires)
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


def _cluster_options(command: F) -> F:
    """``--cluster``, ``--context``, ``-n``, ``-A``: clients in a cluster instead of files."""
    for option in (
        click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="With --cluster: every namespace."),
        click.option("-n", "--namespace", metavar="NAME", help="With --cluster: the namespace. Default: kubectl's."),
        click.option("--context", metavar="NAME", help="With --cluster: context of the kubeconfig."),
        click.option("--cluster", "in_cluster", is_flag=True, help="Use the cluster of your kubeconfig, with kubectl."),
    ):
        command = option(command)
    return command


@key.command(
    "list", epilog=options.epilog("claude-gateway key list -f gateway", "claude-gateway key list --cluster -n team-a")
)
@options.files(required=False)
@options.env_file()
@_cluster_options
def list_(
    *,
    sources: tuple[Path, ...],
    env_file: Path | None,
    in_cluster: bool,
    context: str | None,
    namespace: str | None,
    everywhere: bool,
) -> None:
    """List the clients: namespace and name, number of keys that work, models, and the file. No key is printed.

    Below a client with a list of people: each person with team, and the age and the end of the key.
    """
    cluster = _cluster(sources, in_cluster, context=context, namespace=namespace, everywhere=everywhere)
    today = datetime.now(UTC).date()
    if cluster is not None:
        for line in kube.listed(cluster, today=today):
            click.echo(line)
        return
    decision = config.load(sources, options.variables(env_file))
    policy, bundle = decision.plan.policy, decision.plan.bundle
    table = bundle.secrets.get(policy.client_keys or "")
    working = Counter(holder.client for holder in client_keys.read(table).values()) if table else Counter[str]()
    models = {client.name: client.models for client in policy.clients}
    documents = decision.gathered.documents
    for document in documents:
        if document.manifest.get("kind") != Kind.GATEWAY_CLIENT:
            continue
        found = config.ref(document.manifest)
        client = f"{found.namespace}/{found.name}"
        keys = plural(working[client], "key")
        click.echo(f"{client}  {keys}  {', '.join(models.get(client, ())) or 'no models'}  {document.place('')}")
        for _, _, text in files.lists(document, documents):
            for entry in listing.entries(text):
                click.echo(printable(f"  {entry.shown(today)}"))


@key.command(
    epilog=options.epilog(
        "claude-gateway key revoke alice@example.com -f gateway",
        "claude-gateway key revoke alice@example.com --old -f gateway     # after a rotation",
        "claude-gateway key revoke alice@example.com --cluster -n team-a",
        "claude-gateway key revoke ci -f gateway                          # a whole client",
    )
)
@click.argument("name")
@options.files(required=False)
@click.option("--old", "only_old", is_flag=True, help="Keep the person's newest key, and remove the others.")
@_cluster_options
def revoke(
    *,
    name: str,
    sources: tuple[Path, ...],
    only_old: bool,
    in_cluster: bool,
    context: str | None,
    namespace: str | None,
    everywhere: bool,
) -> None:
    """Revoke the keys of NAME: a person in the list of a client, or a whole client with all its keys.

    Removes them from the files, or with --cluster from the objects. `serve` and the operator take the change up within
    seconds: the next request with such a key is rejected, and answers that are being streamed end normally.
    """
    cluster = _cluster(sources, in_cluster, context=context, namespace=namespace, everywhere=everywhere)
    if cluster is not None:
        done = kube.revoke(cluster, name, only_old=only_old)
    else:
        done = files.revoke(sources, name, only_old=only_old)
    if not done:
        old = "older key" if only_old else "key"
        raise Trouble(f"nobody called {name} has a {old} there", fix="See who has one: claude-gateway key list.")
    for line in done:
        click.echo(printable(line))


def _cluster(
    sources: tuple[Path, ...], in_cluster: bool, *, context: str | None, namespace: str | None, everywhere: bool
) -> Cluster | None:
    """Return the cluster to use; None for files."""
    if in_cluster == bool(sources):
        raise click.UsageError("use either -f or --cluster")
    if not in_cluster and (context or namespace or everywhere):
        raise click.UsageError("--context, --namespace and --all-namespaces need --cluster")
    return Cluster(context, namespace, everywhere) if in_cluster else None


def document(
    name: str,
    *,
    key: str,
    models: tuple[str, ...] = (),
    owner: str | None = None,
    namespace: str | None = None,
    expires: datetime | None = None,
) -> str:
    """Return the YAML of a client and its Secret. Raises click.BadParameter for an invalid name, pattern or owner."""
    metadata: dict[str, Any] = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    secret = {**metadata, "name": f"{name}-key"}
    entry: dict[str, Any] = {"secretRef": {"name": secret["name"]}}
    if expires is not None:
        entry["expiresAt"] = f"{expires:%Y-%m-%dT%H:%M:%SZ}"
    spec: dict[str, Any] = {"keys": [entry]}
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
    # The Secret first: `kubectl apply` keeps the order, and the client would be without a key for a moment.
    return str(yaml.safe_dump_all([holder, client], sort_keys=False))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        private_file.create(path, text)
    except FileExistsError:
        raise Trouble(
            f"{path} already exists and was not changed", fix="Choose another file, or remove this one first."
        ) from None
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror}", fix="Choose another place with -o.") from None
