"""Edits YAML files as text, so that comments and layout stay; the result is read again and compared."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import manifests, small_files
from claude_gateway.cli.files.manifests import Document, UnreadableFileError

_LOADER: Final[type[Any]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def replace_value(document: Document, field: Sequence[str], old: str, new: str) -> None:
    """Replace a value of several lines by one with fewer of these lines, in its file. Raises Trouble."""
    text, documents = _opened(document.path)
    index = _index(document, documents)
    node = _node(documents[index].node, field)
    gone = _missing(old.split("\n"), new.split("\n"))
    lines = text.split("\n")
    kept = lines[: node.start_mark.line]
    for line in lines[node.start_mark.line : node.end_mark.line + 1]:
        if line.strip() and line.strip() in gone:
            gone.remove(line.strip())
        else:
            kept.append(line)
    kept += lines[node.end_mark.line + 1 :]
    wanted = [each.manifest for each in documents]
    wanted[index] = _with(wanted[index], field, new)
    _save(document.path, "\n".join(kept), wanted)


def remove_documents(path: Path, gone: Sequence[Document]) -> None:
    """Remove whole objects from their file. Raises Trouble."""
    text, documents = _opened(path)
    indices = {_index(document, documents) for document in gone}
    lines = text.split("\n")
    starts = [*_starts(text), len(lines)]
    if len(starts) != len(documents) + 1:
        raise _by_hand(path)
    kept = lines[: starts[0]]
    for number, (start, end) in enumerate(pairwise(starts)):
        kept += [] if number in indices else lines[start:end]
    wanted = [each.manifest for number, each in enumerate(documents) if number not in indices]
    _save(path, "\n".join(kept), wanted)


def _opened(path: Path) -> tuple[str, list[Document]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, manifests.parse(text, path=path)
    except (OSError, UnicodeDecodeError):
        raise Trouble(f"{path} cannot be read", fix="Check the path after -f.") from None
    except UnreadableFileError as error:
        raise Trouble(f"{error.place}: {error}", fix=error.fix) from None


def _index(document: Document, documents: Sequence[Document]) -> int:
    """Find an object again, by where it begins."""
    mark = document.node.start_mark
    for index, each in enumerate(documents):
        if (each.node.start_mark.line, each.node.start_mark.column) == (mark.line, mark.column):
            return index
    raise Trouble(f"{document.path} was changed meanwhile", fix="Try again.")


def _starts(text: str) -> Iterator[int]:
    """Yield the line on which each document that holds something begins."""
    start: int | None = None
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.DocumentStartEvent) and event.start_mark is not None:
            start = event.start_mark.line
        elif isinstance(event, yaml.MappingStartEvent) and start is not None:
            yield start
            start = None


def _node(node: yaml.Node, field: Sequence[str]) -> yaml.Node:
    for name in field:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next(value for key, value in pairs if key.value == name)
    return node


def _missing(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return the lines of ``before`` that are not in ``after``, which has the others in the same order."""
    rest = iter(after)
    upcoming = next(rest, None)
    gone = []
    for line in before:
        if line == upcoming:
            upcoming = next(rest, None)
        else:
            gone.append(line.strip())
    return gone


def _with(manifest: Mapping[str, Any], field: Sequence[str], value: str) -> dict[str, Any]:
    first, *rest = field
    return {**manifest, first: _with(manifest[first], rest, value) if rest else value}


def _save(path: Path, text: str, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Write the text if it holds exactly these objects."""
    try:
        found = [document.manifest for document in manifests.parse(text, path=path)]
    except UnreadableFileError:
        raise _by_hand(path) from None
    if found != list(wanted):
        raise _by_hand(path)
    small_files.replace(path, text, what="the file", mode=path.stat().st_mode & 0o777)


def _by_hand(path: Path) -> Trouble:
    return Trouble(f"{path} has a layout that cannot be edited safely", fix="Remove the key by hand.")
