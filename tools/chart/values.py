"""The chart's ``values.yaml`` as a tree: each value with its default, the prose above it and what it may be.

The comment right above a key is its description; a line in it that begins with ``@schema`` names a kind of ``kinds.py``
or is a JSON schema in YAML, which is laid over the schema that follows from the default.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from tools.chart.kinds import KINDS

SOURCE: Final = "charts/claude-gateway/values.yaml"
_MARK: Final = "@schema "
_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclass(frozen=True, slots=True)
class Value:
    """One value: dotted path, default, description, and the schema of a leaf or the values inside a section."""

    path: str
    default: Any
    description: str
    schema: dict[str, Any]
    inside: tuple["Value", ...] = ()


def read(root: Path) -> tuple[Value, ...]:
    """All values of the chart below ``root``. Raises ValueError naming a line that is not documented."""
    text = (root / SOURCE).read_text(encoding="utf-8")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise TypeError(f"{SOURCE} is not a mapping")
    return _section(node, lines=text.splitlines(), above="")


def _section(node: yaml.MappingNode, *, lines: list[str], above: str) -> tuple[Value, ...]:
    return tuple(_value(key, value, lines=lines, above=above) for key, value in node.value)


def _value(key: yaml.Node, node: yaml.Node, *, lines: list[str], above: str) -> Value:
    line, path = key.start_mark.line, above + key.value
    prose, marked = _comment(lines, line)
    if not prose:
        raise ValueError(f"{SOURCE}:{line + 1}: {path} has no comment above it")
    default = _plain(node)
    if marked is None and isinstance(node, yaml.MappingNode) and node.value:
        return Value(path, default, prose, {}, _section(node, lines=lines, above=f"{path}."))
    schema = ({} if marked is None else _marked(marked)) or {}
    if not {"type", "enum"} & set(schema):
        if type(default) not in _TYPES:
            raise ValueError(f"{SOURCE}:{line + 1}: {path} needs an {_MARK.strip()} line that says what it may hold")
        schema = {"type": _TYPES[type(default)], **schema}
    return Value(path, default, prose, schema)


def _comment(lines: list[str], line: int) -> tuple[str, str | None]:
    indent = len(lines[line]) - len(lines[line].lstrip())
    found: list[str] = []
    while line > 0 and lines[line - 1].startswith(" " * indent + "#"):
        line -= 1
        found.insert(0, lines[line].strip().removeprefix("#").strip())
    marked = [text.removeprefix(_MARK) for text in found if text.startswith(_MARK)]
    return " ".join(text for text in found if not text.startswith(_MARK)), marked[0] if marked else None


def _marked(text: str) -> dict[str, Any]:
    said = yaml.safe_load(text)
    if isinstance(said, str):
        return dict(KINDS[said])
    if not isinstance(said, dict):
        raise TypeError(f"{SOURCE}: {_MARK}{text} is neither a kind nor a schema")
    return said


def _plain(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node, Dumper=yaml.SafeDumper))
