"""Values from outside the YAML: an env file, and ``$NAME`` in a Secret's ``stringData``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from claude_gateway.cli.errors import Trouble

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_LINE: Final = re.compile(rf"\s*(?:export\s+)?({_NAME})\s*=\s*(.*?)\s*", re.DOTALL)
_REFERENCE: Final = re.compile(rf"\$(?:({_NAME})|\{{({_NAME})\}})")


def parse(text: str, *, path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines: ``#`` lines and empty lines are left out, quotes around a value are taken off.

    Nothing is expanded inside values. Raises Trouble with the line's number, never with its text.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise Trouble(f"{path}:{number}: this line cannot be read", fix="Write NAME=value, one a line.")
        values[match[1]] = _unquote(match[2])
    return values


def read(path: Path) -> dict[str, str]:
    """Read an env file. Raises Trouble if it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8"), path=path)
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not a text file in UTF-8", fix="Give a file with NAME=value lines.") from None
    except OSError as error:
        raise Trouble(
            f"the env file {path} cannot be read: {error.strerror}",
            fix="Check the path after --env-file, or leave the option out.",
        ) from None


def reference(value: str) -> str | None:
    """The variable that a whole value names as ``$NAME`` or ``${NAME}``; None for every other value."""
    match = _REFERENCE.fullmatch(value)
    return None if match is None else match[1] or match[2]


def environment(ambient: Mapping[str, str], env_file: Path | None) -> dict[str, str]:
    """The variables that a Secret may name: the env file's, which was asked for by name, before the ambient ones."""
    return {**ambient, **(read(env_file) if env_file else {})}


def _unquote(value: str) -> str:
    quote = value[:1]
    if quote in ("'", '"'):
        end = value.find(quote, 1)
        if end > 0 and (not value[end + 1 :].strip() or value[end + 1 :].lstrip().startswith("#")):
            return value[1:end]
        return value
    return re.split(r"\s+#", value, maxsplit=1)[0]
