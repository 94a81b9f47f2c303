"""``docs/reference/values.md``: the chart's values, from ``values.yaml``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.chart.values import SOURCE, Value, read
from tools.reference.markdown import code, page, table

PATH: Final = "docs/reference/values.md"
INTRO: Final = """\
Values of the Helm chart `charts/claude-gateway`. A name that is not here is refused. How they are used together is in
[Kubernetes](../how-to/kubernetes.md)."""


def render(root: Path) -> str:
    """The whole page."""
    values = read(root)
    plain = [value for value in values if not value.inside]
    parts = [_table(plain), *(part for value in values if value.inside for part in _section(value))]
    return page("Values of the chart", INTRO, parts, source=SOURCE)


def _section(section: Value) -> Iterator[str]:
    yield f"## {section.path}"
    yield section.description
    yield _table(list(_leaves(section)))


def _leaves(value: Value) -> Iterator[Value]:
    yield from (leaf for part in value.inside for leaf in _leaves(part)) if value.inside else (value,)


def _table(values: list[Value]) -> str:
    rows = [(code(value.path), code(json.dumps(value.default)), value.description) for value in values]
    return table(("Value", "Default", "Meaning"), rows)
