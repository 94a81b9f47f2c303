"""``serve``: runs everything on one machine, from YAML files, without a cluster."""

import asyncio
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import click

from claude_gateway.cli import addresses, options
from claude_gateway.cli.addresses import Address, AddressType
from claude_gateway.cli.files import config, state_folder
from claude_gateway.cli.serving.console import Console
from claude_gateway.cli.serving.ownlogins import Logins
from claude_gateway.cli.serving.serve_options import Certificate, Level, ServeOptions
from claude_gateway.cli.serving.session import ServeSession


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
    help="Address for clients; port 0 chooses a free port. To serve the network: 0.0.0.0:4000.",
)
@click.option(
    "--tls-cert",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="Certificate chain (PEM), to also serve HTTPS. Reloaded when the file changes.",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="The certificate's private key (PEM).",
)
@click.option(
    "--tls-client-ca",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="Authorities (PEM) whose client certificates identify clients over HTTPS. Reloaded when the file changes.",
)
@click.option(
    "--tls-listen",
    type=AddressType(free=False),
    default="127.0.0.1:4443",
    show_default=True,
    help="Address for HTTPS, if there is a certificate.",
)
@click.option(
    "--metrics-listen",
    type=AddressType(),
    default="127.0.0.1:0",
    show_default=True,
    help="Address of /metrics (Prometheus) and /status (live revision); port 0 chooses a free port.",
)
@click.option(
    "--scripted-model",
    type=AddressType(free=False),
    help="Also start the built-in scripted model at this address: routes that point at it need no account.",
)
@click.option(
    "--auth-listen",
    type=AddressType(),
    default="127.0.0.1:4200",
    show_default=True,
    help="Address of the page to sign in to Claude subscriptions, at /auth; only if a credential has one.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="Folder (0700) that keeps the logins of subscriptions, and what requests cost, for `spend`. "
    "Default: ~/.local/state/claude-gateway.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Origin of a program in a browser that may call the gateway, such as http://localhost:8080; * for every one. "
    "Can be repeated. Default: none.",
)
@click.option(
    "--valkey",
    type=AddressType(free=False),
    help="Valkey (or Redis) that counts limits together with other gateways. Default: this process counts alone. "
    "TLS, user and password: CLAUDE_GATEWAY_VALKEY_* in the environment.",
)
@options.installation
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text: requests, warnings and errors, one line each. json: every log line of every process, unchanged.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Minimum severity of log lines. Requests have level info; debug shows every event.",
)
def serve(
    *,
    sources: tuple[Path, ...],
    env_file: Path | None,
    listen: Address,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    tls_listen: Address,
    metrics_listen: Address,
    scripted_model: Address | None,
    auth_listen: Address,
    state: Path | None,
    cors_origins: tuple[str, ...],
    valkey: Address | None,
    no_loopback: bool,
    allow_hosts: tuple[str, ...],
    forward_to: tuple[str, ...],
    log_format: Literal["text", "json"],
    log_level: Level,
) -> None:
    """Serve the routes in YAML files, without a cluster. Edit the files while it runs.

    Mistakes are reported with file and line, and the object keeps its version from before the edit. Ctrl-C lets running
    responses finish (at most CLAUDE_GATEWAY_SHUTDOWN_SECONDS, default 10); a second Ctrl-C stops at once.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key must be used together")
    if tls_client_ca and not tls_cert:
        raise click.UsageError("--tls-client-ca needs --tls-cert and --tls-key")
    certificate = Certificate(tls_listen, tls_cert, tls_key, tls_client_ca) if tls_cert and tls_key else None
    verified = tls_client_ca is not None or options.verifies_certificates(os.environ)
    chosen = ServeOptions(
        sources=sources,
        env_file=env_file,
        listen=listen,
        metrics=metrics_listen,
        certificate=certificate,
        scripted=scripted_model,
        cors_origins=cors_origins,
        valkey=valkey,
        rules=config.settings(
            loopback=not no_loopback, allow_hosts=allow_hosts, forward_to=forward_to, client_certificates=verified
        ),
        level=log_level,
        logins=Logins.at(state or state_folder.default(), auth_listen),
    )
    _require_packages(chosen)
    _require_ports(chosen)
    console = Console(json_lines=log_format == "json", everything=log_level == "debug")
    sys.exit(asyncio.run(ServeSession(chosen, console).run()))


def _require_packages(chosen: ServeOptions) -> None:
    """Raises ClickException where only the core is installed: the processes are in packages of their own."""
    needed = ("claude_gateway_proxy", *(("claude_gateway_scripted",) if chosen.scripted else ()))
    if not all(find_spec(name) for name in needed):
        raise click.ClickException("`serve` needs more packages: pip install 'claude-gateway[serve]'")


def _require_ports(chosen: ServeOptions) -> None:
    wanted = {"--listen": chosen.listen, "--metrics-listen": chosen.metrics}
    if chosen.certificate:
        wanted["--tls-listen"] = chosen.certificate.listen
    if chosen.scripted:
        wanted["--scripted-model"] = chosen.scripted
    addresses.require_distinct(wanted)
    for option, address in wanted.items():
        addresses.require_free(address, option=option)
