"""Pictures of the README, drawn for light and dark pages: name → what draws it."""

from collections.abc import Callable, Mapping
from typing import Final

from tools.pictures import architecture, conformance, terminal
from tools.pictures.theme import Theme

PICTURES: Final[Mapping[str, Callable[[Theme], str]]] = {
    "architecture": architecture.render,
    "conformance": conformance.render,
    "quickstart": terminal.render,
}
