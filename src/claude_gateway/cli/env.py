"""``env``: prints the settings that point a client at the gateway, for a shell or a file."""

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from claude_gateway.cli import options, tools, window
from claude_gateway.cli.keys import client_key
from claude_gateway.cli.tools import Setting

Format = Literal["sh", "dotenv", "json", "fish"]


@click.command(
    short_help="Print the settings that point a client at the gateway.",
    epilog=options.epilog(
        'eval "$(claude-gateway env -f gateway)"              # this shell: Claude Code and both SDKs',
        "claude-gateway env claude -f gateway --format json   # for the env block of a settings.json",
        "claude-gateway env openai --key-file key.txt --format dotenv >> .env",
        "claude-gateway env -f gateway --format fish | source",
    ),
)
@click.argument(
    "tool",
    type=click.Choice([tools.CLAUDE, tools.ANTHROPIC, tools.OPENAI, tools.ALL]),
    default=tools.ALL,
    required=False,
)
@options.files(required=False)
@options.key_options
@options.env_file()
@options.url()
@click.option(
    "--format",
    "output",
    type=click.Choice(["sh", "dotenv", "json", "fish"]),
    default="sh",
    show_default=True,
    help="sh and fish: commands for the shell. dotenv: NAME=value lines. json: one object.",
)
def env(
    *,
    tool: str,
    sources: tuple[Path, ...],
    client: str | None,
    key_file: Path | None,
    env_file: Path | None,
    url: str,
    output: Format,
) -> None:
    """Print the settings that point a client at the gateway. They include the client key.

    \b
    claude     ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1,
               with which Claude Code contacts no other host, and CLAUDE_CODE_GATEWAY_HINT_HEADERS=1,
               with which it says what a request is for (rules of a ModelRoute use that)
    anthropic  ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY, for the Anthropic SDK and LangChain
    openai     OPENAI_BASE_URL (with /v1) and OPENAI_API_KEY, for the OpenAI SDK and LangChain
    all        those of claude, which the Anthropic SDK reads too, and of openai; the default

    If the gateway answers and serves models that Claude Code does not know, claude and all also set
    CLAUDE_CODE_MAX_CONTEXT_TOKENS: the window of the model in ANTHROPIC_MODEL, otherwise the smallest of theirs.

    Where an HTTP proxy is set and the gateway is on this machine or in a private network, also NO_PROXY with its host.
    """
    key = client_key.find(sources=sources, client=client, key_file=key_file, variables=options.variables(env_file))
    # Only for people: in an unquoted `eval $(...)` a comment would hide the lines after it.
    explain = output == "dotenv" or sys.stdout.isatty()
    settings = (*tools.settings(tool, url=url, key=key), *tools.bypass(url, os.environ))
    if tool in (tools.CLAUDE, tools.ALL):
        settings += window.setting(url, key, ambient=os.environ)
    click.echo(rendered(settings, output=output, explain=explain))


def rendered(settings: Sequence[Setting], *, output: Format, explain: bool) -> str:
    """Format the settings; ``explain`` adds the reasons as comments, if the format has comments."""
    if output == "json":
        return json.dumps({setting.name: setting.value for setting in settings}, indent=2)
    lines = []
    for setting in settings:
        if explain:
            lines.append(f"# {setting.why}")
        lines.append(_line(setting, output))
    return "\n".join(lines)


def _line(setting: Setting, output: Format) -> str:
    if output == "fish":
        quoted = setting.value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {setting.name} '{quoted}'"
    return f"{'export ' if output == 'sh' else ''}{setting.name}={shlex.quote(setting.value)}"
