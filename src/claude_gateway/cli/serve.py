"""``serve``: everything on one machine, from YAML files, without a cluster."""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import click

from claude_gateway.cli import addresses, config, options
from claude_gateway.cli.addresses import Address, AddressType
from claude_gateway.cli.children import Certificate
from claude_gateway.cli.console import Console
from claude_gateway.cli.service import Level, Order, Service


@click.command(
    short_help="Serve the routes in YAML files, without a cluster.",
    epilog=options.epilog(
        "claude-gateway serve -f gateway",
        "claude-gateway serve -f gateway --env-file .env --listen 0.0.0.0:4000",
        "claude-gateway serve -f examples/quickstart/scripted -f keys --scripted-model 127.0.0.1:4001",
    ),
)
@options.files()
@options.env_file()
@click.option(
    "--listen",
    type=AddressType(),
    default="127.0.0.1:4000",
    show_default=True,
    help="Where clients reach the gateway; port 0 takes a free one. Others on the network: 0.0.0.0:4000.",
)
@click.option(
    "--tls-cert",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="Certificate chain (PEM): serve HTTPS too. Read anew when the file changes.",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="The certificate's private key (PEM).",
)
@click.option(
    "--tls-listen",
    type=AddressType(free=False),
    default="127.0.0.1:4443",
    show_default=True,
    help="Where HTTPS is served, when there is a certificate.",
)
@click.option(
    "--metrics-listen",
    type=AddressType(),
    default="127.0.0.1:0",
    show_default=True,
    help="Where /metrics (Prometheus) and /status (live revision) are served; port 0 takes a free one.",
)
@click.option(
    "--scripted-model",
    type=AddressType(free=False),
    help="Also start the built-in scripted model here, for routes that point at it: answers without any account.",
)
@options.installation
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text: requests, warnings and errors, a line each. json: every line of every process, as it is.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least severe lines that the processes write. Requests are info; debug shows every event.",
)
def serve(
    *,
    sources: tuple[Path, ...],
    env_file: Path | None,
    listen: Address,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_listen: Address,
    metrics_listen: Address,
    scripted_model: Address | None,
    no_loopback: bool,
    forward_to: tuple[str, ...],
    log_format: Literal["text", "json"],
    log_level: Level,
) -> None:
    """Serve the routes in YAML files, without a cluster. Edit the files while it runs.

    An object with a mistake is named with file and line, and goes on as it was before the edit. Ctrl-C lets running
    answers end (at most CLAUDE_GATEWAY_SHUTDOWN_SECONDS, 10); a second one ends all at once.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    certificate = Certificate(tls_listen, tls_cert, tls_key) if tls_cert and tls_key else None
    order = Order(
        sources=sources,
        env_file=env_file,
        listen=listen,
        metrics=metrics_listen,
        certificate=certificate,
        scripted=scripted_model,
        rules=config.settings(loopback=not no_loopback, forward_to=forward_to),
        level=log_level,
    )
    _require_packages(order)
    _require_ports(order)
    console = Console(json_lines=log_format == "json", everything=log_level == "debug")
    sys.exit(asyncio.run(Service(order, console).run()))


def _require_packages(order: Order) -> None:
    """Raises ClickException where only the core is installed: the processes are in packages of their own."""
    needed = ("claude_gateway_proxy", *(("claude_gateway_scripted",) if order.scripted else ()))
    if not all(find_spec(name) for name in needed):
        raise click.ClickException("`serve` needs more packages: pip install 'claude-gateway[serve]'")


def _require_ports(order: Order) -> None:
    addresses.require_free(order.listen, option="--listen")
    addresses.require_free(order.metrics, option="--metrics-listen")
    if order.certificate:
        addresses.require_free(order.certificate.listen, option="--tls-listen")
    if order.scripted:
        addresses.require_free(order.scripted, option="--scripted-model")
