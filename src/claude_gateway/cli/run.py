"""``run``: starts a program with the settings that point it at the gateway."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import click

from claude_gateway.cli import options, tools, window
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keys import client_key
from claude_gateway.cli.remote import web


@click.command(
    short_help="Start Claude Code or another program, pointed at the gateway.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=options.epilog(
        "claude-gateway run -f gateway -- claude",
        "claude-gateway run -f gateway --client ci -- claude -p 'Say hello'",
        "claude-gateway run --url https://llm.example.com --key-file key.txt -- python app.py",
    ),
)
@options.files(required=False)
@options.key_options
@options.env_file()
@options.url()
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def run(
    *,
    sources: tuple[Path, ...],
    client: str | None,
    key_file: Path | None,
    env_file: Path | None,
    url: str,
    command: tuple[str, ...],
) -> None:
    """Start a program with the settings of `claude-gateway env`: Claude Code, or anything built on an SDK.

    Variables that would point it elsewhere are removed from its environment and listed on standard error. Where an
    HTTP proxy is set, NO_PROXY gets the gateway's host: it was just reached without one. `claude` is
    searched on PATH, then in the claude-agent-sdk package. The exit code is that of the program.
    """
    key = client_key.find(sources=sources, client=client, key_file=key_file, variables=options.variables(env_file))
    path = find_program(command[0])
    require_ready(url)
    program = Path(command[0]).name
    settings = (*tools.for_program(program, url=url, key=key), *tools.bypass(url, os.environ, reached=True))
    if program == tools.CLAUDE:
        settings += window.setting(url, key, ambient=os.environ, command=command)
    hidden = tools.hidden(program, os.environ, settings)
    # The program gets the key only in the variables that it reads.
    ambient = {k: v for k, v in os.environ.items() if k not in hidden and k != options.KEY_VARIABLE}
    if hidden:
        click.echo(f"claude-gateway: removed from this program's environment: {', '.join(hidden)}", err=True)
    try:
        os.execve(path, command, {**ambient, **{s.name: s.value for s in settings}})  # noqa: S606 - the user's command
    except OSError as error:
        raise Trouble(f"{path} cannot be started: {error.strerror}", fix="Check that it is a program.") from None


def find_program(name: str) -> str:
    """Return the path of a program. Raises Trouble if it is missing; for Claude Code, with how to install it."""
    found = shutil.which(name)
    if found is None and name == tools.CLAUDE:
        found = _bundled_claude()
    if found is not None:
        return found
    if name == tools.CLAUDE:
        raise Trouble(
            "Claude Code is not installed",
            fix="Install it: curl -fsSL https://claude.ai/install.sh | bash, or pip install claude-agent-sdk.",
        )
    raise Trouble(f"the program {name} is not on PATH", fix="Check the name after --, or give its full path.")


def require_ready(url: str) -> None:
    """Check that a gateway answers. Raises Trouble if not; its fix says how to start one."""
    start = "Start one with `claude-gateway serve -f DIR`, or set its address with --url."
    try:
        answer = web.fetch(f"{url}/readyz")
    except web.UnreachableError as error:
        raise Trouble(f"no gateway answers at {url}: {error}", fix=start) from None
    if answer.status == 503:
        raise Trouble(
            f"the gateway at {url} is not ready yet",
            fix="Try again; the output of `serve` says what it is waiting for.",
        )
    if answer.status != 200:
        raise Trouble(f"{url} answers, but it is not a gateway (/readyz returned {answer.status})", fix=start)


def _bundled_claude() -> str | None:
    """Return the path of the Claude Code in the claude-agent-sdk package, found without importing it."""
    spec = find_spec("claude_agent_sdk")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(folder) / "_bundled" / tools.CLAUDE
        if os.access(candidate, os.X_OK):
            return str(candidate)
    return None
