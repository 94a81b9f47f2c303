"""Small files, such as keys and settings: read within a limit, replaced in one step."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

from claude_gateway.cli.errors import Trouble

_LARGEST: Final = 65_536


def read(path: Path, *, what: str, fix: str) -> str:
    """Return the text of a small file without white space around it. Raises Trouble; it never quotes the file."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content.decode().strip()
    except OSError as error:
        raise Trouble(f"{what} {path} cannot be read: {error.strerror}", fix=fix) from None
    except UnicodeDecodeError:
        raise Trouble(f"{what} {path} is not text", fix=fix) from None
    if len(content) > _LARGEST or not text:
        raise Trouble(f"{what} {path} is {'too large' if text else 'empty'}", fix=fix)
    return text


def replace(path: Path, text: str, *, what: str, mode: int = 0o600) -> None:
    """Write a file in one step, for this user alone by default; of a link, its target. Raises Trouble."""
    target = path.resolve()
    scratch = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        Path(scratch).replace(target)
    except OSError as error:
        if scratch:
            with contextlib.suppress(OSError):
                Path(scratch).unlink()
        raise Trouble(
            f"{what} {path} cannot be written: {error.strerror}", fix="Check that its folder is yours to write to."
        ) from None
