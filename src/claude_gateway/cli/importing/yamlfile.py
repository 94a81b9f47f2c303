"""Reads one foreign YAML or JSON file. Comments and trailing commas of JSON are accepted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import manifests
from claude_gateway.cli.files.manifests import Document, UnreadableFileError

_MOST: Final = 4 << 20


def read(path: Path, *, json: bool = False) -> Document:
    """Read the one mapping of a file. Raises Trouble that names the position and the fix."""
    try:
        if path.stat().st_size > _MOST:
            raise Trouble(f"{path} has more than {_MOST >> 20} MiB", fix="Pass the configuration file.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not a text file in UTF-8", fix="Save the file as UTF-8.") from None
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}", fix="Check the path.") from None
    try:
        return manifests.mapping("".join(plain(text)) if json else text, path=path)
    except UnreadableFileError as error:
        raise Trouble(f"{error.place}: {error}", fix=error.fix) from None


def plain(text: str) -> Iterator[str]:
    """Yield JSON without what only people write: comments become spaces, a tab one space, a last comma nothing.

    Every other character keeps its position, so that messages name the right line and column.
    """
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        stop = at + 1
        if char == '"':
            stop = _after_string(text, at)
            yield text[at:stop]
        elif text.startswith("//", at):
            newline = text.find("\n", at)
            stop = end if newline < 0 else newline
            yield " " * (stop - at)
        elif text.startswith("/*", at):
            close = text.find("*/", at + 2)
            stop = end if close < 0 else close + 2
            yield "".join("\n" if each == "\n" else " " for each in text[at:stop])
        else:
            yield " " if char == "\t" else char
        at = stop


def _after_string(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return min(at + 1, len(text))
