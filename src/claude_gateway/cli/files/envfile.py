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
    """Parse ``NAME=value`` lines: skips ``#`` lines and empty lines, and removes quotes around a value.

    Nothing is expanded inside values. Raises Trouble with the line number, never with the text of the line.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise Trouble(f"{path}:{number}: this line cannot be read", fix="Write one NAME=value per line.")
        values[match[1]] = _unquote(match[2])
    return values


def read(path: Path) -> dict[str, str]:
    """Read an env file. Raises Trouble if it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8"), path=path)
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not a text file in UTF-8", fix="Pass a file with NAME=value lines.") from None
    except OSError as error:
        raise Trouble(
            f"the env file {path} cannot be read: {error.strerror}",
            fix="Check the path after --env-file, or omit the option.",
        ) from None


def lines(path: Path) -> dict[str, int]:
    """Return the line of each name in an env file that can be read, from 1; the last one counts."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is not None:
            found[match[1]] = number
    return found


def reference(value: str) -> str | None:
    """Return the variable that a value refers to as ``$NAME`` or ``${NAME}``; None for every other value."""
    match = _REFERENCE.fullmatch(value)
    return None if match is None else match[1] or match[2]


def environment(ambient: Mapping[str, str], env_file: Path | None) -> dict[str, str]:
    """Return the variables that a Secret may refer to; the env file takes precedence over the environment."""
    return {**ambient, **(read(env_file) if env_file else {})}


def _unquote(value: str) -> str:
    quote = value[:1]
    if quote in ("'", '"'):
        end = value.find(quote, 1)
        if end > 0 and (not value[end + 1 :].strip() or value[end + 1 :].lstrip().startswith("#")):
            return value[1:end]
        return value
    return re.split(r"\s+#", value, maxsplit=1)[0]
