"""Secret values of a foreign configuration: each becomes the name of a variable, and none is ever printed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import envfile, private_file

LITELLM_REFERENCE: Final = "os.environ/"

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PLACEHOLDERS: Final = frozenset(
    {"", "none", "null", "empty", "dummy", "dummy-key", "fake-key", "fake", "not-needed", "notneeded", "no-key"}
    | {"na", "n/a", "any", "anything", "ollama", "lm-studio", "lmstudio", "local", "placeholder", "no-key-required"}
)


class Vault:
    """Collects the values that the output refers to as ``$NAME``, by name of the variable."""

    def __init__(self, variables: Mapping[str, str], *, makes_keys: bool = False) -> None:
        """``variables`` are those that references may name: an env file's and the environment's.

        ``makes_keys``: a key that the old configuration did not have is made, and written to the file of the secrets.
        """
        self.makes_keys = makes_keys
        self._variables = dict(variables)
        self._values: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._reserved: set[str] = set()
        self._by_value: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}
        self._used: dict[str, None] = {}

    @property
    def values(self) -> Mapping[str, str]:
        """The values that were written in the configuration itself, by variable."""
        own = {name: self._own[name] for name in self._used if name in self._own and not self._variables.get(name)}
        return {**own, **self._values}

    @property
    def used(self) -> tuple[str, ...]:
        """The variables that the output refers to."""
        return tuple(self._used)

    @property
    def unset(self) -> tuple[str, ...]:
        """The variables that the output refers to, and that are set nowhere yet."""
        return tuple(name for name in self._used if not self.value(name))

    def variable(self, raw: str, *, instead: str) -> str:
        """Return the variable that stands for a secret: the one that it refers to, else a name like ``instead``."""
        name = reference(raw)
        if name is None:
            name = self._free(instead, raw)
            if self._variables.get(name) != raw:
                self._values[name] = raw
        self._used[name] = None
        return name

    def refer(self, name: str) -> str:
        """Record that the output refers to a variable; returns its name."""
        self._used[name] = None
        return name

    def add(self, name: str, value: str) -> None:
        """Add a value that the output refers to."""
        self._values[name] = value

    def reserve(self, config: object) -> None:
        """Keep the names that a configuration refers to anywhere from being given to another value."""
        left, seen = [config], set[int]()
        while left:
            value = left.pop()
            if isinstance(value, str) and (name := reference(value.strip())) is not None:
                self._reserved.add(name)
            elif isinstance(value, dict | list) and id(value) not in seen:
                # An alias of YAML is one object in many places.
                seen.add(id(value))
                left += value.values() if isinstance(value, dict) else value

    def know(self, name: str, value: str) -> None:
        """Learn a variable that the configuration sets itself; if the output refers to it, it is in ``values``."""
        self._own[name] = value

    def value(self, name: str) -> str:
        """Return what is known of a variable's value; empty if it is not set."""
        return self._values.get(name) or self._variables.get(name) or self._own.get(name, "")

    def plain(self, raw: str) -> str | None:
        """Return a setting that is not secret, with its reference resolved; None if the variable is not set."""
        name = reference(raw)
        return raw if name is None else self.value(name).strip() or None

    def _free(self, name: str, value: str) -> str:
        """Return a free name like ``name``, or the one of these that the value already has.

        Two providers never share a variable: examples have one word for all keys, and a key goes to one vendor.
        """
        name = variable_name(name)
        known = self._by_value.get((name, value))
        if known is not None:
            return known
        number = self._numbers.get(name, 1)
        found = name if number == 1 else f"{name}_{number}"
        while found in self._reserved or found in self._values or self._variables.get(found, value) != value:
            number += 1
            found = f"{name}_{number}"
        self._numbers[name] = number
        self._by_value[name, value] = found
        return found


def reference(raw: str) -> str | None:
    """Return the variable that a text refers to as ``os.environ/NAME``, ``$NAME`` or ``${NAME}``, else None."""
    if raw.startswith(LITELLM_REFERENCE):
        name = raw.removeprefix(LITELLM_REFERENCE)
        return name if _NAME.fullmatch(name) else None
    return envfile.reference(raw)


def is_placeholder(raw: str) -> bool:
    """Return whether a key is what people write for a server that needs none."""
    return raw.strip().lower() in _PLACEHOLDERS


def variable_name(text: str) -> str:
    """Return a text as the name of a variable, such as ``OPENAI_API_KEY``."""
    name = "".join(char if char.isascii() and char.isalnum() else "_" for char in text.upper()).strip("_")[:100]
    return name if name and not name[0].isdigit() else f"KEY_{name}".rstrip("_")


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write ``NAME=value`` lines to a new file that only its owner may read. Raises Trouble, also if it exists."""
    text = "".join(f"{name}={_quoted(name, value)}\n" for name, value in values.items())
    try:
        private_file.create(path, text)
    except FileExistsError:
        raise Trouble(f"{path} already exists and was not changed", fix="Choose another file for --secrets.") from None
    except OSError as error:
        fix = "Choose another place with --secrets."
        raise Trouble(f"{path} cannot be written: {error.strerror}", fix=fix) from None


def _quoted(name: str, value: str) -> str:
    if len(value.splitlines()) > 1:
        raise Trouble(f"the value for {name} has several lines", fix="Write it in one line, or as a reference.")
    if value != value.strip() or " #" in value or value[:1] in ("'", '"'):
        quote = '"' if "'" in value else "'"
        if quote in value:
            raise Trouble(f"the value for {name} has both kinds of quotes", fix="Write it as a reference.")
        return f"{quote}{value}{quote}"
    return value
