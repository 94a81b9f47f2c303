"""Errors of the CLI: one line that says what is wrong, and one that says how to fix it."""

from enum import IntEnum
from typing import IO, Any

import click


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    PROBLEMS = 1
    USAGE = 2
    INTERRUPTED = 130


class Trouble(click.ClickException):
    """Ends a command with exit code 1: ``message`` says what is wrong, ``fix`` what to do. Never holds a secret."""

    exit_code = int(Exit.PROBLEMS)

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix

    def show(self, file: IO[Any] | None = None) -> None:
        """Print both lines on standard error."""
        click.echo(f"claude-gateway: {self.format_message()}", file=file, err=file is None)
        click.echo(f"  {self.fix}", file=file, err=file is None)
