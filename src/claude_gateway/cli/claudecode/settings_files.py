"""Claude Code's settings files: where they are, which of them wins, and a merge that keeps what others wrote."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from claude_gateway.cli.errors import Trouble

HELPER: Final = "apiKeyHelper"
ENV: Final = "env"
_LARGEST: Final = 4 * 1024 * 1024
_MANAGED: Final[Mapping[str, str]] = {
    "darwin": "/Library/Application Support/ClaudeCode",
    "win32": "C:/Program Files/ClaudeCode",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """One settings file as read; ``values`` may hold a key."""

    path: Path
    values: Mapping[str, Any] = field(repr=False, default_factory=dict)
    text: str | None = field(repr=False, default=None)

    @property
    def env(self) -> dict[str, str]:
        """The ``env`` block, which overrides the shell."""
        block = self.values.get(ENV)
        return {str(name): _text(value) for name, value in block.items()} if isinstance(block, Mapping) else {}

    @property
    def helper(self) -> str | None:
        """The command that prints the key."""
        value = self.values.get(HELPER)
        return value if isinstance(value, str) else None


def user_file(ambient: Mapping[str, str]) -> Path:
    """Return the user's settings.json."""
    home = ambient.get("CLAUDE_CONFIG_DIR")
    return (Path(home) if home else Path.home() / ".claude") / "settings.json"


def managed_folder() -> Path:
    """Return where an administrator's settings are, which win over all others."""
    return Path(_MANAGED.get(sys.platform, "/etc/claude-code"))


def above(folder: Path, managed: Path) -> Iterator[Settings]:
    """Yield the settings that win over the user's, the strongest first: managed, then those of the project ``folder``.

    A file that cannot be read is passed over, as Claude Code does.
    """
    drop_ins = sorted((managed / "managed-settings.d").glob("*.json"), reverse=True)
    project = folder / ".claude"
    for path in (
        *drop_ins,
        managed / "managed-settings.json",
        project / "settings.local.json",
        project / "settings.json",
    ):
        try:
            found = read(path)
        except Trouble:
            continue
        if found.values:
            yield found


def read(path: Path) -> Settings:
    """Read a settings file; empty if it does not exist. Raises Trouble with the line that is not JSON."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return Settings(path)
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}", fix="Check who owns it.") from None
    wrong = "Correct it: Claude Code ignores a settings file that is not valid."
    try:
        text = content.decode("utf-8-sig")
        values = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise Trouble(f"{path}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}", fix=wrong) from None
    except (ValueError, RecursionError):
        raise Trouble(f"{path} is not JSON", fix=wrong) from None
    if not isinstance(values, dict):
        raise Trouble(f"{path} is not a JSON object", fix=wrong)
    return Settings(path, values, text)


def merged(settings: Settings, *, env: Mapping[str, str], helper: str | None, without: tuple[str, ...] = ()) -> str:
    """Return the text of the file with these variables and this helper; everything else stays, in its order.

    ``without`` are variables that would win over the helper, and are removed.
    """
    values = dict(settings.values)
    block = values.get(ENV)
    kept = dict(block) if isinstance(block, Mapping) else {}
    for name in without:
        kept.pop(name, None)
    values[ENV] = {**kept, **env}
    if helper is not None:
        values[HELPER] = helper
    if settings.text is not None and values == settings.values:
        return settings.text
    return json.dumps(values, indent=_indent(settings.text), ensure_ascii=False) + "\n"


def mode(path: Path) -> int:
    """Return the file's permissions; those of a new one are for this user alone."""
    try:
        return os.stat(path).st_mode & 0o777  # noqa: PTH116 - of a link, its target
    except OSError:
        return 0o600


def _indent(text: str | None) -> int | str:
    second = (text or "").splitlines()[1:2]
    blank = second[0][: len(second[0]) - len(second[0].lstrip())] if second else ""
    return blank or 2


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
