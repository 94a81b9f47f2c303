"""``docs/reference/cli.md``: the help texts of the command line."""

from collections.abc import Iterator
from typing import Final

import click
from tools.reference.markdown import block, page

from claude_gateway.cli.__main__ import cli

NAME: Final = "claude-gateway"
INTRO: Final = "`claude-gateway` as its own `--help` tells it."


def render() -> str:
    """The whole page."""
    (_, text), *others = _helps(cli, NAME, None)
    parts = [block(text, "text"), *(part for title, text in others for part in (f"## {title}", block(text, "text")))]
    return page("Command line", INTRO, parts, source="src/claude_gateway/cli")


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    """Path and help text of a command and of those in it."""
    # A fixed width, so that the terminal of whoever generates the page does not show.
    settings = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
    with click.Context(command, info_name=name, parent=parent, **settings) as context:
        yield context.command_path, click.unstyle(command.get_help(context))
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                if found is not None and not found.hidden:
                    yield from _helps(found, inner, context)
