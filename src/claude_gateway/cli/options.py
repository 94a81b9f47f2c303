"""Options that several commands share, and the layout of their help."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from claude_gateway.cli.files import envfile
from claude_gateway.names import FORWARD_HOST

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_URL: Final = "http://127.0.0.1:4000"
URL_VARIABLE: Final = "CLAUDE_GATEWAY_URL"
KEY_VARIABLE: Final = "CLAUDE_GATEWAY_KEY"
_VERIFYING: Final = ("CLAUDE_GATEWAY_TLS_CLIENT_CA_FILE", "CLAUDE_GATEWAY_CLIENT_CERT_FORMAT")

EXIT_CODES: Final = "Exit codes: 0 success, 1 problems found, 2 wrong usage, 130 interrupted by Ctrl-C."


def epilog(*examples: str) -> str:
    """Return the end of a command's help: examples, then the exit codes; ``\\b`` keeps click from joining the lines."""
    lines = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{lines}\n\n{EXIT_CODES}"


def files(*, required: bool = True) -> Callable[[F], F]:
    """``-f``: the YAML files."""
    return click.option(
        "-f",
        "--file",
        "sources",
        metavar="DIR|FILE",
        type=click.Path(exists=True, path_type=Path),
        multiple=True,
        required=required,
        help="Folder with *.yaml, *.yml and *.json files (without subfolders), or one file. Repeatable.",
    )


def env_file() -> Callable[[F], F]:
    """``--env-file``: a source of ``$NAME`` values besides the environment."""
    return click.option(
        "--env-file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with NAME=value lines for Secret values written as $NAME. Takes precedence over the environment.",
    )


def url() -> Callable[[F], F]:
    """``--url``: the address of the gateway."""
    return click.option(
        "--url",
        metavar="URL",
        default=DEFAULT_URL,
        envvar=URL_VARIABLE,
        show_default=True,
        show_envvar=True,
        callback=_checked_url,
        help="Address of the gateway, without /v1.",
    )


def key_options(command: F) -> F:
    """``--client``, ``--key-file``: which key to use instead of the one in the environment."""
    for option in (
        click.option(
            "--key-file",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help=f"File that holds only a client key. Default without -f: ${KEY_VARIABLE}.",
        ),
        click.option(
            "--client",
            metavar="NAME",
            help="The GatewayClient in -f whose key to use; not needed if there is only one.",
        ),
    ):
        command = option(command)
    return command


def installation(command: F) -> F:
    """``--no-loopback``, ``--allow-host``, ``--forward-to``: what an installation in a cluster sets."""
    for option in (
        click.option(
            "--forward-to",
            "forward_to",
            metavar="HOST",
            multiple=True,
            default=(FORWARD_HOST,),
            show_default=True,
            help="Host that `forwardClientToken` targets may send clients' own logins to. Repeatable.",
        ),
        click.option(
            "--allow-host",
            "allow_hosts",
            metavar="HOST",
            multiple=True,
            callback=_checked_hosts,
            help="Host or address that is rejected by default, such as an identity provider in a private network or "
            "over plain HTTP. Exactly as the files write it. Repeatable.",
        ),
        click.option("--no-loopback", is_flag=True, help="Reject targets on this machine, as in a cluster."),
    ):
        command = option(command)
    return command


def client_certificates(command: F) -> F:
    """``--client-certificates``: the files are for an installation that verifies certificates of clients."""
    return click.option(
        "--client-certificates",
        is_flag=True,
        callback=lambda _ctx, _param, value: value or verifies_certificates(os.environ),
        help="Do not warn of `certificates`: the gateway or a proxy in front verifies them, as `serve --tls-client-ca` "
        "does.",
    )(command)


def verifies_certificates(ambient: Mapping[str, str]) -> bool:
    """Return whether the gateway's own settings in the environment have certificates of clients verified."""
    return any(ambient.get(name) for name in _VERIFYING)


def variables(env_file: Path | None) -> dict[str, str]:
    """Return the variables that Secrets may refer to as ``$NAME`` in this run. Raises Trouble."""
    return envfile.environment(os.environ, env_file)


def _checked_hosts(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for host in value:
        if not host or any(char in "/@*," or char.isspace() for char in host):
            raise click.BadParameter(f"{host!r} must be one host or address, without a scheme and a path", ctx, param)
    return value


def _checked_url(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value!r} must begin with http:// or https://", ctx, param)
    return value.rstrip("/").removesuffix("/v1")
