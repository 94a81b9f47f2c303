"""Every ``claude-gateway`` command line of the documentation parses with the real command line."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import pytest
from tests.unit.test_docs import PAGES, ROOT

from claude_gateway.cli.__main__ import cli

_BLOCK: Final = re.compile(r"```(?:sh|bash|console|text)\n(.*?)```", re.DOTALL)
_INLINE: Final = re.compile(r"(?<!`)`(claude-gateway [^`]+)`(?!`)")
_NESTED: Final = re.compile(r"\$\((claude-gateway [^()]*)\)")
_CODE: Final = re.compile(r"```.*?```", re.DOTALL)
_PROGRAM: Final = re.compile(r"^(?:\S*/)?claude-gateway$")
_END: Final = re.compile(r"^[|&;()<>]+$")
_OMITTED: Final = {"...", "…", "$@"}
# Records of what was decided at their time.
_NOW: Final = [page for page in PAGES if "adr" not in page.parts and page.name != "CHANGELOG.md"]
_FILES: Final = sorted([*_NOW, *ROOT.glob("examples/**/*.yaml"), *ROOT.glob("examples/**/*.sh")])


@dataclass(frozen=True, slots=True)
class Line:
    """A command line; a ``mention`` in a sentence may leave out arguments."""

    words: tuple[str, ...]
    mention: bool = False


def test_documents_have_commands() -> None:
    assert sum(len(list(_lines(file))) for file in _FILES) > 200


@pytest.mark.parametrize("file", _FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_commands_parse(file: Path) -> None:
    wrong = [f"{shlex.join(line.words)}: {found}" for line in _lines(file) if (found := _mistake(line))]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    "words",
    [
        "sevre -f gateway",
        "serve --fodler gateway",
        "key make me",
        "release",
        "key new",
        "lint gateway",
        "explain --request",
        "lint --format yaml",
        "spend --by client --since",
    ],
)
def test_a_wrong_command_is_found(words: str) -> None:
    assert _mistake(Line(tuple(words.split()))) is not None


def _lines(file: Path) -> Iterator[Line]:
    text = file.read_text()
    if file.suffix == ".md":
        scripts = _BLOCK.findall(text)
        mentions = _INLINE.findall(_CODE.sub("", text))
    elif file.suffix == ".yaml":
        comments = [line.strip().removeprefix("#") for line in text.splitlines() if line.strip().startswith("#")]
        scripts, mentions = [], _INLINE.findall(" ".join(comments))
        scripts = [line for line in comments if line.strip().startswith("claude-gateway")]
    else:
        scripts, mentions = [text], []
    for script in scripts:
        for line in script.replace("\\\n", " ").splitlines():
            yield from (Line(words) for nested in _NESTED.findall(line) for words in _commands(nested))
            yield from map(Line, _commands(line))
    for mention in mentions:
        yield from (Line(words, mention=True) for words in _commands(" ".join(mention.split())))


def _commands(line: str) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each call of the program in a line of a shell script."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += "$%@!:,[]{}*^"
    found: list[str] | None = None
    began = True
    try:
        for word in lexer:
            if _END.match(word):
                if found:
                    yield tuple(found)
                found, began = None, True
            elif found is not None:
                found.append(word)
            elif began and _PROGRAM.match(word):
                found = []
            else:
                began = began and ("=" in word or word in ("exec", "time", "$"))
    except ValueError:  # a quote that another line closes
        return
    if found:
        yield tuple(found)


def _mistake(line: Line) -> str | None:
    """Return why the command line would be rejected; None if it would not."""
    words = [word for word in line.words if word not in _OMITTED]
    command: click.Command = cli
    context = click.Context(cli, info_name="claude-gateway")
    try:
        while isinstance(command, click.Group):
            rest = _parsed(command, context, words, complete=False)
            if not rest:
                return None
            named = command.get_command(context, rest[0])
            if named is None:
                return f"there is no command `{rest[0]}`"
            command, words = named, rest[1:]
            context = click.Context(command, info_name=rest[0], parent=context)
        _parsed(command, context, words, complete=not line.mention)
    except click.ClickException as error:
        return error.format_message()
    return None


def _parsed(command: click.Command, context: click.Context, words: list[str], *, complete: bool) -> list[str]:
    """Parse without reading files; returns what is left for a subcommand. Raises ClickException."""
    context.allow_interspersed_args = command.allow_interspersed_args
    values, rest, _ = command.make_parser(context).parse_args(words)
    if rest and not isinstance(command, click.Group) and not command.allow_extra_args:
        raise click.UsageError(f"there is no argument `{rest[0]}`")
    for parameter in command.get_params(context):
        value = values.get(parameter.name or "")
        given = isinstance(value, str | tuple | list) and len(value) > 0
        if complete and parameter.required and not given:
            raise click.MissingParameter(ctx=context, param=parameter)
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)
    return rest
