"""One mapping of a foreign configuration, read key by key, so that nothing in it is passed over in silence."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_gateway.cli.importing.report import Report

_SHOWN: Final = 64
_EMPTY: Final[tuple[Any, ...]] = ("", [], {})
_COMMENTS: Final = ("//", "#", "_comment", "$schema")
"""Where people write comments in JSON, which has none."""

_MOST: Final = 1e12


class Section:
    """A mapping at the field path ``at``. A value of the wrong type is noted as lost and counts as absent."""

    def __init__(self, value: Mapping[Any, Any], report: Report, at: str = "") -> None:
        self._value = value
        self._report = report
        self._at = at
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return self._value.get(key) is not None

    def path(self, key: str) -> str:
        """Return the field path of a key."""
        return f"{self._at}.{key}" if self._at else key

    def text(self, key: str) -> str:
        """Return a text without spaces around it; empty if there is none."""
        value = self._take(key)
        if value is None:
            return ""
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value).strip()
        self._wrong(key, "text")
        return ""

    def number(self, key: str) -> float | None:
        """Return a number that is not negative, also where it is written as a text."""
        value = self._take(key)
        if value is None:
            return None
        try:
            number = float(value) if not isinstance(value, bool) and isinstance(value, int | float | str) else -1.0
        except ValueError:
            number = -1.0
        if 0 <= number < _MOST:
            return number
        self._wrong(key, "a number")
        return None

    def section(self, key: str) -> "Section":
        """Return the section under a key; an empty one if there is none."""
        value = self._take(key)
        if value is not None and not isinstance(value, dict):
            self._wrong(key, "a mapping")
            value = None
        return Section(value or {}, self._report, self.path(key))

    def sections(self, key: str) -> Iterator["Section"]:
        """Yield the sections of a list."""
        for index, value in enumerate(self.items(key)):
            at = f"{key}[{index}]"
            if isinstance(value, dict):
                yield Section(value, self._report, self.path(at))
            else:
                self._wrong(at, "a mapping")

    def items(self, key: str) -> list[Any]:
        """Return the items of a list."""
        value = self._take(key)
        if value is None or isinstance(value, list):
            return value or []
        self._wrong(key, "a list")
        return []

    def raw(self, key: str) -> Any:
        """Return a value of any type."""
        return self._take(key)

    def left(self) -> list[str]:
        """Return the keys that were not read, without those that say nothing: comments and empty values."""
        names = (str(key) for key, value in self._value.items() if value is not None and value not in _EMPTY)
        return [name for name in names if name not in self._taken and not name.startswith(_COMMENTS)]

    def over(self, defaults: Mapping[Any, Any]) -> "Section":
        """Return this section with the values of another one as defaults."""
        both = Section({**defaults, **self._value}, self._report, self._at)
        both._taken = set(self._taken)
        return both

    def lose(self, key: str, why: str, fix: str) -> None:
        """Report that a key could not be carried over."""
        self._report.lose(self.path(key), why, fix)

    def drop(self, key: str, why: str) -> None:
        """Report that a key is unnecessary here."""
        self._report.drop(self.path(key), why)

    def settle(self, *, unnecessary: Mapping[str, str], lost: Mapping[str, tuple[str, str]], of: str) -> None:
        """Note every key that was not asked for: from the tables, else as one that the importer does not know."""
        for key in self.left():
            if key in unnecessary:
                self.drop(key, unnecessary[key])
            elif key in lost:
                self.lose(key, *lost[key])
            else:
                self.lose(key[:_SHOWN], f"no setting of {of} that this import knows", "Check whether you need it.")

    def _take(self, key: str) -> Any:
        self._taken.add(key)
        return self._value.get(key)

    def _wrong(self, key: str, kind: str) -> None:
        self._report.lose(self.path(key), f"the value is not {kind}", f"Write {kind} there, and import again.")
