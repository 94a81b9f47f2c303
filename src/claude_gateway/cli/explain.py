"""``explain``: which route, rule and target a request takes, and why not another one."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import click

from claude_gateway.cli import options, pricing
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.cli.files import config, run_folder
from claude_gateway.cli.remote import cluster, live
from claude_gateway.cli.serving import child
from claude_gateway.cli.terminal import printable
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Policy

MODULE: Final = "claude_gateway_proxy.gateway.explain"
PATHS: Final[Mapping[str, str]] = {
    "Messages": "/v1/messages",
    "CountTokens": "/v1/messages/count_tokens",
    "Chat": "/v1/chat/completions",
    "Completions": "/v1/completions",
    "Responses": "/v1/responses",
    "Embeddings": "/v1/embeddings",
}
ANYBODY: Final = "anybody"
"""The client in whose name a request is explained where the files have no client with a key."""

_MOST: Final = 64 << 20
_SECONDS: Final = 120.0


@click.command(
    short_help="Say which route and target a request takes, and why.",
    epilog=options.epilog(
        "claude-gateway explain -f gateway --request body.json",
        "claude-gateway explain -f gateway --request body.json --client ci --header 'x-team: blue'",
        "claude-gateway explain --context prod -n claude-gateway --release cg-claude-gateway --request body.json",
    ),
)
@options.files(required=False)
@options.env_file()
@click.option(
    "--request",
    "body",
    metavar="FILE",
    type=click.File("rb"),
    required=True,
    help="The body of the request as JSON; - reads standard input.",
)
@click.option(
    "--header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="A header of the request. Repeatable. A client with its own login sends `x-gateway-key` too.",
)
@click.option("--client", metavar="NAME", help="The GatewayClient that asks; not needed if there is only one.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(PATHS)),
    default="Messages",
    show_default=True,
    help="The format of the request.",
)
@click.option("--path", metavar="PATH", help="The path of the request, instead of --format: that of a cloud's client.")
@options.url()
@cluster.options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text: for people. json: one object.",
)
@options.installation
def explain(
    *,
    sources: tuple[Path, ...],
    env_file: Path | None,
    body: Any,
    headers: tuple[str, ...],
    client: str | None,
    format_name: str,
    path: str | None,
    url: str,
    context: str | None,
    namespace: str | None,
    release: str | None,
    output: Literal["text", "json"],
    no_loopback: bool,
    allow_hosts: tuple[str, ...],
    forward_to: tuple[str, ...],
) -> None:
    """Say which route, rule and target a request takes, why not the others, and over which lane.

    The gateway's own code decides, and nothing is sent to a model. With -f it decides on files, and knows which targets
    are ejected if a `serve` of your own runs at --url. With --context it decides on what is live in a cluster.
    Costs are at list price, at most: for the estimated input, uncached, and all the output that the request allows.
    The exit code is 1 if the request would be rejected.
    """
    if bool(sources) == bool(context):
        raise click.UsageError("use either -f or --context")
    ejected: frozenset[str] = frozenset()
    if context is not None:
        policy = cluster.policy(context=context, namespace=namespace, release=release)
    else:
        rules = config.settings(loopback=not no_loopback, allow_hosts=allow_hosts, forward_to=forward_to)
        policy = config.load(sources, options.variables(env_file), rules=rules).plan.bundle.gateway.decode()
        serving = run_folder.find(url)
        ejected = live.ejected(serving.socket) if serving else frozenset()
    policy = _peopled(policy)
    question = {
        "policy": policy,
        "client": _client(Policy.model_validate_json(policy), client),
        "path": path or PATHS[format_name],
        "headers": [_header(text) for text in headers],
        "body": base64.b64encode(body.read(_MOST)).decode(),
        "ejected": sorted(ejected),
    }
    explanation = pricing.priced(ask(question))
    click.echo(
        json.dumps(explanation, indent=2, ensure_ascii=False) if output == "json" else "\n".join(lines(explanation))
    )
    sys.exit(Exit.PROBLEMS if explanation.get("refused") else Exit.OK)


def ask(question: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the gateway's own code. Raises Trouble if it cannot answer."""
    done = subprocess.run(  # noqa: S603 - no shell, and our own module
        [sys.executable, "-m", MODULE],
        input=json.dumps(question).encode(),
        env=child.environment(os.environ),
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise Trouble(f"the gateway's code does not answer: {printable(said)}", fix="Install the package of the proxy.")
    explanation = json.loads(done.stdout)
    return explanation if isinstance(explanation, dict) else {}


def lines(explanation: Mapping[str, Any]) -> list[str]:
    """Format an explanation for people."""
    refused = explanation.get("refused")
    model, format_name = explanation.get("model") or "-", explanation.get("format") or "no format"
    found = [f"request  {model}, {format_name}, from {explanation['client']}"]
    if explanation.get("inputTokens") is not None:
        most = explanation.get("outputTokens")
        found.append(f"tokens   about {explanation['inputTokens']} in, {f'at most {most}' if most else 'no limit'} out")
    if explanation.get("route"):
        found.append(f"route    {explanation['route']}")
    for each in explanation.get("rules") or ():
        failed = f"{', '.join(each['failed'])} {'does' if len(each['failed']) == 1 else 'do'} not hold"
        state = "chosen" if each["chosen"] else failed if each["failed"] else "matches too, but an earlier rule counts"
        found.append(f"rule     {each['rule']}: {state}")
    if explanation.get("rules") and not explanation.get("rule"):
        found.append("rule     none: the targets of the route")
    if refused:
        found.append(f"rejected {refused['status']}: {refused['message']}")
    else:
        found.append(f"target   {explanation['target']}, lane {explanation['lane']}, because: {explanation['why']}")
    for each in explanation.get("targets") or ():
        place = f"{each['place']}." if each["place"] else "-"
        cost = "" if each.get("cost") is None else f", ${each['cost']}"
        share = f", {each['share']:.0%} of such requests" if 0 < each["share"] < 1 else ""
        found.append(f"  {place:<3} {each['model']}  {each['why']}{share}{cost}")
    return [printable(line) for line in found]


def _peopled(policy: str) -> str:
    """Return a policy with a client that may use all models, if it has none: keys need not be at hand to explain."""
    found = Policy.model_validate_json(policy)
    if found.clients:
        return policy
    namespace = found.routes[0].name.partition("/")[0] if found.routes else found.namespace or "default"
    stand_in = Client(name=f"{namespace}/{ANYBODY}")
    return found.model_copy(update={"clients": (stand_in,)}).model_dump_json(by_alias=True)


def _client(policy: Policy, name: str | None) -> str:
    """Return the full name of the client that asks. Raises Trouble."""
    names = [client.name for client in policy.clients]
    if name is None and len(names) == 1:
        return names[0]
    found = [each for each in names if name in (each, each.partition("/")[2])]
    if len(found) == 1:
        return found[0]
    what = f"{len(names)} clients" if name is None else f"no client {name}" if not found else f"several clients {name}"
    raise Trouble(what, fix=f"Choose one with --client: {_some(names)}.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    name = name.strip().lower()
    if not colon or not name or not text.isascii():
        raise click.BadParameter("write it as 'NAME: VALUE' in ASCII", param_hint="--header")
    return name, value.strip()
