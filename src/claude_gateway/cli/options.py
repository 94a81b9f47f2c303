"""Options that several commands share, and how a command looks."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from claude_gateway.cli import envfile
from claude_gateway.names import FORWARD_HOST

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_URL: Final = "http://127.0.0.1:4000"
URL_VARIABLE: Final = "CLAUDE_GATEWAY_URL"
KEY_VARIABLE: Final = "CLAUDE_GATEWAY_KEY"

EXIT_CODES: Final = "Exit codes: 0 all right, 1 problems found, 2 wrong usage, 130 stopped by Ctrl-C."


def epilog(*examples: str) -> str:
    """The end of a command's help: examples, then the exit codes; ``\\b`` keeps click from joining the lines."""
    lines = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{lines}\n\n{EXIT_CODES}"


def files(*, required: bool = True) -> Callable[[F], F]:
    """``-f``: where the YAML is."""
    return click.option(
        "-f",
        "--file",
        "sources",
        metavar="DIR|FILE",
        type=click.Path(exists=True, path_type=Path),
        multiple=True,
        required=required,
        help="Folder with *.yaml and *.yml files (folders in it are left out), or one file. Repeatable.",
    )


def env_file() -> Callable[[F], F]:
    """``--env-file``: where ``$NAME`` values come from besides the environment."""
    return click.option(
        "--env-file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with NAME=value lines for Secret values written as $NAME. Wins over the environment.",
    )


def url() -> Callable[[F], F]:
    """``--url``: where the gateway is."""
    return click.option(
        "--url",
        metavar="URL",
        default=DEFAULT_URL,
        envvar=URL_VARIABLE,
        show_default=True,
        show_envvar=True,
        callback=_checked_url,
        help="Where the gateway answers, without /v1.",
    )


def key_options(command: F) -> F:
    """``--client``, ``--key-file``: whose key to use, when it is not the one in the environment."""
    for option in (
        click.option(
            "--key-file",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help=f"File that holds a client key and nothing else. Without it and -f: ${KEY_VARIABLE}.",
        ),
        click.option(
            "--client", metavar="NAME", help="Which GatewayClient of -f to be; not needed when there is only one."
        ),
    ):
        command = option(command)
    return command


def installation(command: F) -> F:
    """``--no-loopback``, ``--forward-to``: what an installation in a cluster would say in its settings."""
    for option in (
        click.option(
            "--forward-to",
            "forward_to",
            metavar="HOST",
            multiple=True,
            default=(FORWARD_HOST,),
            show_default=True,
            help="A host that `forwardClientToken` targets may send the clients' own logins to. Repeatable.",
        ),
        click.option("--no-loopback", is_flag=True, help="Refuse targets on this machine, as a cluster does."),
    ):
        command = option(command)
    return command


def variables(env_file: Path | None) -> dict[str, str]:
    """What Secrets may name as ``$NAME`` in this run. Raises Trouble."""
    return envfile.environment(os.environ, env_file)


def _checked_url(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value!r} must begin with http:// or https://", ctx, param)
    return value.rstrip("/").removesuffix("/v1")
