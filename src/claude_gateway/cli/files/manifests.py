"""Reads YAML and JSON files as manifests that know the position of each field."""

import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from claude_gateway.cli.files import mistakes

T = TypeVar("T")

_JSON: Final = ".json"
SUFFIXES: Final = (".yaml", ".yml", _JSON)
"""As `kubectl apply -f FOLDER` reads them; JSON is YAML."""
WANTED: Final = "Pass a folder with *.yaml, *.yml or *.json files, or a file, with -f."
_LOADER: Final[type[Any]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ESCAPES: Final = re.compile(r"\\\\|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
"""In JSON, a character beyond 16 bits is a pair of escapes, which YAML does not have."""
_DEEPEST: Final = 64
_SHALLOW: Final = 1000
"""Levels that the parser, which recurses in C, is known to survive."""
_OPENED: Final = re.compile(r"^[ \-?:]+", re.MULTILINE)
"""What opens the levels of a line without brackets: at most one for each character."""
_INDEX: Final = re.compile(r"\[(\d+)\]\.?")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; line and column count from 1."""

    path: Path
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class UnreadableFileError(Exception):
    """A file that does not hold YAML manifests: ``place`` is the position, ``fix`` says what to do."""

    def __init__(self, place: Place, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.place = place
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Document:
    """One object as written. ``manifest`` may hold secrets, so the repr does not show it.

    ``checked`` replaces it for checks if a variable is not set: it holds a placeholder, so that the mistake is not
    reported again for every object that uses the value.
    """

    path: Path
    manifest: Mapping[str, Any] = field(repr=False)
    node: yaml.Node = field(repr=False)
    checked: Mapping[str, Any] | None = field(default=None, repr=False)

    def place(self, field_path: str) -> Place:
        """Return the position of a field such as ``spec.targets[0].credential``, or of its nearest ancestor."""
        node, key = _descend(self.node, field_path)
        mark = (key or node).start_mark
        return Place(self.path, mark.line + 1, mark.column + 1)


def files(source: Path) -> list[Path]:
    """List the files of a folder (not of subfolders), sorted; of a file, the file. Raises OSError if missing."""
    if not stat.S_ISDIR(source.stat().st_mode):
        return [source]
    return sorted(p for p in source.iterdir() if p.suffix in SUFFIXES and not p.name.startswith(".") and p.is_file())


def passed_over(source: Path) -> list[tuple[Path, str]]:
    """List what looks like a YAML or JSON file in a folder but is not read, each with the reason."""
    if not source.is_dir():
        return []
    found = []
    for path in sorted(source.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or path.is_dir():
            continue
        if path.is_symlink() and not path.exists():
            found.append((path, "the link leads nowhere, so nothing is read"))
        elif path.suffix not in SUFFIXES:
            found.append((path, f"the ending {path.suffix} is not in lower case, so the file is not read"))
        elif not path.is_file():
            found.append((path, "it is not a regular file, so it is not read"))
    return found


def other_json(path: Path, documents: Sequence[Document]) -> bool:
    """Return whether a JSON file is probably of another program, such as a package.json or a key file of Google."""
    return path.suffix == _JSON and not any({"kind", "apiVersion"} & set(each.manifest) for each in documents)


def parse(text: str, *, path: Path) -> list[Document]:
    """Parse the manifests of one file; the items of a ``kind: List`` are separate manifests.

    Raises UnreadableFileError; its message never quotes the file.
    """
    if path.suffix == _JSON:
        text = _ESCAPES.sub(_character, text)
    return _parsed(lambda: list(_documents(text, path=path)), text, path=path)


def mapping(text: str, *, path: Path) -> Document:
    """Parse a file that holds one mapping of any kind, not a manifest. Raises UnreadableFileError like ``parse``."""
    return _parsed(lambda: _mapping(text, path=path), text, path=path)


def _character(escapes: re.Match[str]) -> str:
    if escapes[1] is None:
        return escapes[0]
    return bytes.fromhex(escapes[1] + escapes[2]).decode("utf-16-be")


def _parsed(parser: Callable[[], T], text: str, *, path: Path) -> T:
    try:
        _refuse_depth(text, path=path)
        return parser()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        known = mistakes.of_line(text, mark.line) if mark and path.suffix != _JSON else None
        if known is not None and mark is not None:
            raise UnreadableFileError(Place(path, mark.line + 1, mark.column + 1), known[0], fix=known[1]) from None
        place = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise UnreadableFileError(place, f"not valid YAML: {what}", fix="Check indentation and quotes here.") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableFileError(
            Place(path, line), "not valid YAML: a control character", fix="Remove the character from this line."
        ) from None
    except ValueError:
        # Such as 2026-13-45. The error's own text may quote the value.
        raise UnreadableFileError(
            Place(path),
            "not valid YAML: a value looks like a number or a date but is not valid",
            fix="Put the value in quotes.",
        ) from None


def read(path: Path) -> list[Document]:
    """Read the manifests of one file. Raises UnreadableFileError, also if the file does not exist."""
    try:
        return parse(path.read_text(encoding="utf-8-sig"), path=path)
    except UnicodeDecodeError:
        raise UnreadableFileError(Place(path), "not a text file in UTF-8", fix="Save the file as UTF-8.") from None
    except OSError as error:
        raise UnreadableFileError(Place(path), f"cannot be read: {error.strerror}", fix="Check the path.") from None


def _documents(text: str, *, path: Path) -> Iterator[Document]:
    loader = _LOADER(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _refuse_surprises(node, path=path)
            value = loader.construct_document(node)
            if value is None:
                continue
            if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
                items, _ = _descend(node, "items")
                yield from (
                    _document(item, inner, path=path) for item, inner in zip(value["items"], items.value, strict=True)
                )
            else:
                yield _document(value, node, path=path)
    finally:
        loader.dispose()


def _mapping(text: str, *, path: Path) -> Document:
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise UnreadableFileError(Place(path), "the file is empty", fix="Pass the configuration file.")
        _refuse_surprises(node, path=path)
        value = loader.construct_document(node)
    finally:
        loader.dispose()
    if not isinstance(value, dict):
        raise _at(node, path, "not a mapping of settings to values", fix="Pass the configuration file.")
    return Document(path=path, manifest=value, node=node)


def _document(value: object, node: yaml.Node, *, path: Path) -> Document:
    if isinstance(value, dict):
        known = mistakes.of_document(value)
        if known is not None:
            raise _at(node, path, known[0], fix=known[1])
        return Document(path=path, manifest=value, node=node)
    mark = node.start_mark
    raise UnreadableFileError(
        Place(path, mark.line + 1, mark.column + 1),
        "not an object: a manifest has apiVersion, kind, metadata and spec",
        fix="Separate objects by a line with three dashes, and remove everything that is not an object.",
    )


def _refuse_depth(text: str, *, path: Path) -> None:
    """Reject what is nested so deeply that to compose it would overflow the stack of the process."""
    most = text.count("[") + text.count("{") + max(map(len, _OPENED.findall(text)), default=0)
    if most < _SHALLOW:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _SHALLOW:
            mark = event.start_mark
            place = Place(path) if mark is None else Place(path, mark.line + 1, mark.column + 1)
            raise UnreadableFileError(place, "nested too deeply", fix="Reduce the nesting.")


def _refuse_surprises(root: yaml.Node, *, path: Path) -> None:
    """Reject duplicate keys, which YAML readers accept silently, and recursive or very deep structures."""
    stack: list[tuple[yaml.Node, tuple[int, ...]]] = [(root, ())]
    done: set[int] = set()
    while stack:
        node, above = stack.pop()
        if id(node) in above:
            raise _at(node, path, "an alias contains itself", fix="Write the value out.")
        if len(above) > _DEEPEST:
            raise _at(node, path, "nested too deeply", fix="Reduce the nesting.")
        if id(node) in done or isinstance(node, yaml.ScalarNode):
            continue
        done.add(id(node))
        inside = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            stack.extend((child, inside) for child in node.value)
            continue
        seen: set[str] = set()
        for key, value in node.value:
            stack.append((value, inside))
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise _at(key, path, f"the key {key.value} is written twice", fix="Keep one of the two.")
            seen.add(key.value)


def _at(node: yaml.Node, path: Path, message: str, *, fix: str) -> UnreadableFileError:
    return UnreadableFileError(Place(path, node.start_mark.line + 1, node.start_mark.column + 1), message, fix=fix)


def _descend(node: yaml.Node, field_path: str) -> tuple[yaml.Node, yaml.Node | None]:
    """Follow a field path as far as it exists; returns the last node and its key."""
    key: yaml.Node | None = None
    rest = field_path
    while rest:
        index = _INDEX.match(rest)
        if isinstance(node, yaml.SequenceNode) and index and int(index[1]) < len(node.value):
            node, key, rest = node.value[int(index[1])], None, rest[index.end() :]
            continue
        step = _member(node, rest)
        if step is None:
            break
        key, node = step
        rest = rest[len(key.value) :].removeprefix(".")
    return node, key


def _member(node: yaml.Node, rest: str) -> tuple[yaml.ScalarNode, yaml.Node] | None:
    """Return the longest key that a path begins with, because keys of a Secret may contain dots."""
    if not isinstance(node, yaml.MappingNode):
        return None
    found: Sequence[tuple[yaml.ScalarNode, yaml.Node]] = [
        (key, value)
        for key, value in node.value
        if isinstance(key, yaml.ScalarNode)
        and rest.startswith(key.value)
        and rest[len(key.value) :][:1] in ("", ".", "[")
    ]
    return max(found, key=lambda pair: len(pair[0].value), default=None)
